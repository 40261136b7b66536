import {
  AF_INET,
  AF_PACKET,
  EBUSY,
  EINVAL,
  ENODEV,
  ENOMEM,
  MAP_SHARED,
  PACKET_HDRLEN,
  PACKET_RESERVE,
  PACKET_RX_RING,
  PACKET_STATISTICS,
  PACKET_VERSION,
  POLLIN,
  PROT_READ,
  PROT_WRITE,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_PACKET,
  SYS_bind,
  SYS_getsockopt,
  SYS_mmap,
  SYS_poll,
  SYS_sendto,
  SYS_setsockopt,
  SYS_socket,
} from '@tsv/abi';
import type { Task } from '../../task/task.js';
import { DATA_ADDR, TestKernel } from '../../testing/test-kernel.js';
import { checkRing } from './packet-ring.js';

const ADDRESS = DATA_ADDR;
const LEN = DATA_ADDR + 64;
const OPTION = DATA_ADDR + 256;
const ETH_P_IP_BE = 0x0008;
const PORT = 9;
const FRAME_BYTES = 2048;
/** Of a datagram of one byte on the loopback interface, with its Ethernet header. */
const PACKET_BYTES = 14 + 20 + 8 + 1;
const V2 = 1;

let kernel: TestKernel;
let task: Task;
beforeEach(() => {
  kernel = new TestKernel();
  task = kernel.spawn();
});

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

function set(fd: number, name: number, ...values: number[]): number {
  const bytes = words(...values);
  kernel.put(task, OPTION, bytes);
  return kernel.call(task, SYS_setsockopt, fd, SOL_PACKET, name, OPTION, bytes.length);
}

/** The first word of what getsockopt(2) stores, or its error; `asked` is there before. */
function get(fd: number, name: number, asked = 0): number {
  kernel.put(task, OPTION, words(asked, 0));
  kernel.put(task, LEN, words(8));
  const status = kernel.call(task, SYS_getsockopt, fd, SOL_PACKET, name, OPTION, LEN);
  return status < 0 ? status : kernel.peek(task, OPTION, 4).getUint32(0, true);
}

function packetSocket(): number {
  return kernel.call(task, SYS_socket, AF_PACKET, SOCK_RAW, ETH_P_IP_BE);
}

/** A socket with a ring of two frames, and where that is mapped. */
function withRing(): [fd: number, addr: number] {
  const fd = packetSocket();
  expect([set(fd, PACKET_VERSION, V2), set(fd, PACKET_RX_RING, 4096, 1, FRAME_BYTES, 2)]).toEqual([0, 0]);
  const addr = kernel.call(task, SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  expect(addr).toBeGreaterThan(0);
  return [fd, addr];
}

/** Sends datagrams of one byte to a socket of this task. */
function send(...texts: number[]): void {
  const fd = kernel.call(task, SYS_socket, AF_INET, SOCK_DGRAM, 0);
  kernel.put(task, ADDRESS, Uint8Array.of(AF_INET, 0, 0, PORT, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0));
  kernel.call(task, SYS_bind, fd, ADDRESS, 16);
  for (const text of texts) {
    kernel.put(task, OPTION, Uint8Array.of(text));
    expect(kernel.call(task, SYS_sendto, fd, OPTION, 1, 0, ADDRESS, 16)).toBe(1);
  }
}

function isReadable(fd: number): boolean {
  kernel.put(task, OPTION, words(fd, POLLIN));
  return kernel.call(task, SYS_poll, OPTION, 1, 0) === 1;
}

/** Status, lengths and offsets of a frame, and the last byte of its packet. */
function frameAt(addr: number): number[] {
  const view = kernel.peek(task, addr, FRAME_BYTES);
  const [len, macOffset] = [view.getUint32(8, true), view.getUint16(12, true)];
  const fields = [view.getUint32(0, true) & 1, view.getUint32(4, true), len, macOffset, view.getUint16(14, true)];
  return [...fields, view.getUint8(macOffset + len - 1)];
}

describe('checkRing, packet(7)', () => {
  it.each`
    what                              | shape                         | reserved | result
    ${'two frames in a page'}         | ${[4096, 1, 2048, 2]}         | ${0}     | ${0}
    ${'no block'}                     | ${[0, 1, 2048, 2]}            | ${0}     | ${-EINVAL}
    ${'no whole pages'}               | ${[4095, 1, 2048, 1]}         | ${0}     | ${-EINVAL}
    ${'frames that are not aligned'}  | ${[4096, 1, 2056, 1]}         | ${0}     | ${-EINVAL}
    ${'frames without room'}          | ${[4096, 1, 48, 85]}          | ${0}     | ${-EINVAL}
    ${'frames that are the least'}    | ${[4096, 1, 64, 64]}          | ${12}    | ${0}
    ${'less than what is reserved'}   | ${[4096, 1, 64, 64]}          | ${13}    | ${-EINVAL}
    ${'frames larger than blocks'}    | ${[4096, 2, 8192, 1]}         | ${0}     | ${-EINVAL}
    ${'another count than there are'} | ${[4096, 2, 2048, 3]}         | ${0}     | ${-EINVAL}
    ${'64 MiB'}                       | ${[65536, 1024, 65536, 1024]} | ${0}     | ${0}
    ${'more'}                         | ${[65536, 1025, 65536, 1025]} | ${0}     | ${-ENOMEM}
  `('$what: $result', ({ shape, reserved, result }: { shape: number[]; reserved: number; result: number }) => {
    const [blockBytes, blockCount, frameBytes, frameCount] = shape as [number, number, number, number];
    expect(checkRing({ blockBytes, blockCount, frameBytes, frameCount }, reserved)).toBe(result);
  });
});

describe('PacketRing', () => {
  it('shows packets in frames that are mapped, and is readable until they are given back', () => {
    const [fd, addr] = withRing();
    expect(isReadable(fd)).toBe(false);
    send(0x41, 0x42);
    expect(isReadable(fd)).toBe(true);
    expect([frameAt(addr), frameAt(addr + FRAME_BYTES)]).toEqual([
      [1, PACKET_BYTES, PACKET_BYTES, 66, 80, 0x41],
      [1, PACKET_BYTES, PACKET_BYTES, 66, 80, 0x42],
    ]);
    for (const frame of [addr, addr + FRAME_BYTES]) kernel.put(task, frame, words(0));
    expect(isReadable(fd)).toBe(false);
  });

  it('drops packets while the frame whose turn it is has not been given back', () => {
    const [fd, addr] = withRing();
    send(0x41, 0x42, 0x43);
    expect(get(fd, PACKET_STATISTICS)).toBe(3);
    expect(frameAt(addr).at(-1)).toBe(0x41);
    kernel.put(task, addr, words(0));
    send(0x44);
    expect(frameAt(addr).at(-1)).toBe(0x44);
  });

  it('is of version 2, set before it is made', () => {
    const fd = packetSocket();
    expect([set(fd, PACKET_RX_RING, 4096, 1, FRAME_BYTES, 2), set(fd, PACKET_VERSION, 2)]).toEqual([-EINVAL, -EINVAL]);
    expect([get(fd, PACKET_HDRLEN, 0), get(fd, PACKET_HDRLEN, V2), get(fd, PACKET_HDRLEN, 2)]).toEqual([
      32,
      32,
      -EINVAL,
    ]);
    const [other] = withRing();
    expect([set(other, PACKET_VERSION, V2), set(other, PACKET_RESERVE, 4)]).toEqual([-EBUSY, -EBUSY]);
    expect(set(other, PACKET_RX_RING, 4096, 1, FRAME_BYTES, 2)).toBe(-EBUSY);
    expect([set(other, PACKET_RX_RING, 4096, 0, FRAME_BYTES, 2), set(other, PACKET_RX_RING, 0, 0, 0, 0)]).toEqual([
      -EINVAL,
      0,
    ]);
  });

  it('is not there to be mapped before', () => {
    expect(kernel.call(task, SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, packetSocket(), 0)).toBe(-ENODEV);
  });
});
