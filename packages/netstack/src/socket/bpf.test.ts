import fc from 'fast-check';
import { EAGAIN } from '@tsv/abi';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { Network } from '../testing/network.js';
import { IpAddress } from '../wire/ip-address.js';
import { SocketFilter } from './bpf.js';
import { PacketSocket } from './packet-socket.js';
import { SocketAddress } from './socket-address.js';
import { UdpSocket } from './udp-socket.js';

type Instruction = readonly [code: number, jt: number, jf: number, k: number];

function assemble(...instructions: Instruction[]): Uint8Array {
  const bytes = new Uint8Array(instructions.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [i, [code, jt, jf, k]] of instructions.entries()) {
    view.setUint16(i * 8, code, true);
    bytes[i * 8 + 2] = jt;
    bytes[i * 8 + 3] = jf;
    view.setInt32(i * 8 + 4, k | 0, true);
  }
  return bytes;
}

const RET_A: Instruction = [0x16, 0, 0, 0];
const ret = (k: number): Instruction => [0x06, 0, 0, k];

function run(...instructions: Instruction[]): number {
  const packet = PacketBuffer.copyOf(Uint8Array.of(0x45, 0x11, 0x22, 0x33, 0xff, 0xff, 0xff, 0xff, 9));
  packet.networkAt = packet.at + 2;
  packet.etherType = 0x0800;
  packet.nicId = 7;
  packet.mark = -5;
  return SocketFilter.load(assemble(...instructions))!.run(packet, packet.at);
}

describe('SocketFilter.run', () => {
  it.each<[string, Instruction[], number]>([
    ['ret k', [ret(77)], 77],
    ['ld [0]', [[0x20, 0, 0, 0], RET_A], 0x45112233],
    ['ldh [1]', [[0x28, 0, 0, 1], RET_A], 0x1122],
    ['ldb [8]', [[0x30, 0, 0, 8], RET_A], 9],
    ['ldb [9]: past the end', [[0x30, 0, 0, 9], ret(1)], 0],
    ['ld [4]: unsigned', [[0x20, 0, 0, 4], RET_A], 0xffffffff],
    ['ldx 4*([0]&0xf); txa', [[0xb1, 0, 0, 0], [0x87, 0, 0, 0], RET_A], 20],
    ['ldx #1; ldb [x+1]', [[0x01, 0, 0, 1], [0x50, 0, 0, 1], RET_A], 0x22],
    ['ld len', [[0x80, 0, 0, 0], RET_A], 9],
    ['st; ld M[]', [[0x00, 0, 0, 5], [0x02, 0, 0, 3], [0x00, 0, 0, 6], [0x60, 0, 0, 3], RET_A], 5],
    ['sub wraps', [[0x00, 0, 0, 1], [0x14, 0, 0, 2], RET_A], 0xffffffff],
    ['mul wraps', [[0x00, 0, 0, 0x10001], [0x24, 0, 0, 0x10001], RET_A], 0x20001],
    ['div is unsigned', [[0x00, 0, 0, -1], [0x34, 0, 0, 2], RET_A], 0x7fffffff],
    ['div by X of 0 ends it', [[0x00, 0, 0, 9], [0x3c, 0, 0, 0], ret(1)], 0],
    ['mod', [[0x00, 0, 0, 10], [0x94, 0, 0, 4], RET_A], 2],
    ['neg', [[0x00, 0, 0, 1], [0x84, 0, 0, 0], RET_A], 0xffffffff],
    ['jgt is unsigned', [[0x00, 0, 0, -1], [0x25, 0, 1, 5], ret(1), ret(2)], 1],
    ['jeq else', [[0x00, 0, 0, 4], [0x15, 0, 1, 5], ret(1), ret(2)], 2],
    ['jset', [[0x00, 0, 0, 4], [0x45, 0, 1, 6], ret(1), ret(2)], 1],
    ['ja', [[0x05, 0, 0, 1], ret(1), ret(2)], 2],
    ['protocol', [[0x28, 0, 0, -0x1000], RET_A], 0x0800],
    ['ifindex', [[0x20, 0, 0, -0x1000 + 8], RET_A], 7],
    ['mark', [[0x20, 0, 0, -0x1000 + 20], RET_A], 0xfffffffb],
    ['the network header', [[0x30, 0, 0, -0x100000 + 1], RET_A], 0x33],
    ['the link header, which there is not', [[0x30, 0, 0, -0x200000], ret(1)], 0],
  ])('%s', (_name, program, value) => expect(run(...program)).toBe(value));
});

describe('SocketFilter.load', () => {
  it.each<[string, Instruction[]]>([
    ['nothing', []],
    ['an end that does not return', [[0x00, 0, 0, 1]]],
    ['a jump out of the program', [[0x15, 0, 1, 0], ret(1)]],
    ['a long jump out of the program', [[0x05, 0, 0, 1], ret(1)]],
    ['a jump back', [[0x05, 0, 0, -2], ret(1)]],
    ['an unknown instruction', [[0xffff, 0, 0, 0], ret(1)]],
    ['memory that there is not', [[0x02, 0, 0, 16], ret(1)]],
    ['memory that was not written', [[0x60, 0, 0, 1], ret(1)]],
    ['memory that was written on one way only', [[0x15, 1, 0, 0], [0x02, 0, 0, 1], [0x60, 0, 0, 1], ret(1)]],
    ['memory that is written nowhere, behind a return', [ret(1), [0x60, 0, 0, 1], ret(1)]],
    ['what is known besides the bytes, behind the last of it', [[0x20, 0, 0, -1], ret(1)]],
    ['division by 0', [[0x34, 0, 0, 0], ret(1)]],
    ['a shift by 32', [[0x64, 0, 0, 32], ret(1)]],
  ])('refuses %s', (_name, program) => expect(SocketFilter.load(assemble(...program))).toBeUndefined());

  it('loads or refuses any bytes, and what it loads ends', () => {
    const instruction = fc.tuple(
      fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 0x15, 0x20, 0x28, 0x30, 0x50, 0x60, 0xb1),
      fc.nat(3),
      fc.nat(3),
      fc.integer(),
    );
    const packet = PacketBuffer.copyOf(new Uint8Array(60));
    fc.assert(
      fc.property(fc.array(instruction, { maxLength: 12 }), (program) => {
        const filter = SocketFilter.load(assemble(...program, ret(1)));
        const kept = filter?.run(packet, packet.at) ?? 0;
        expect(kept >= 0 && kept <= 0xffffffff).toBe(true);
      }),
      { numRuns: 3000, seed: 9 },
    );
  });
});

describe('a socket with a filter', () => {
  it('gets of UDP what fits, from the UDP header on', () => {
    const stack = new Network().stack();
    const [server, client] = [new UdpSocket(stack, false), new UdpSocket(stack, false)];
    server.bind(IpAddress.parse('127.0.0.1'), 53);
    // What starts with "a" whole, with "b" its first byte, nothing else.
    server.socketFilter = SocketFilter.load(
      assemble([0x30, 0, 0, 8], [0x15, 0, 1, 97], ret(-1), [0x15, 0, 1, 98], ret(9), ret(0)),
    )!;
    const to = new SocketAddress(IpAddress.parse('127.0.0.1'), 53);
    for (const text of ['abc', 'bcd', 'cde']) client.send(new TextEncoder().encode(text), 0, 3, to);
    const buffer = new Uint8Array(8);
    const receive = (): string | number => {
      const len = server.receive(buffer, 0, 8, 0, null, null);
      return len < 0 ? len : new TextDecoder().decode(buffer.subarray(0, len));
    };
    expect([receive(), receive(), receive()]).toEqual(['abc', 'b', -EAGAIN]);
  });

  it('is a packet socket too', () => {
    const stack = new Network().stack();
    const tap = new PacketSocket(stack, true, 3);
    // UDP only: the protocol in the IP header.
    tap.socketFilter = SocketFilter.load(assemble([0x30, 0, 0, 9], [0x15, 0, 1, 17], ret(20), ret(0)))!;
    const client = new UdpSocket(stack, false);
    client.send(new Uint8Array(100), 0, 100, new SocketAddress(IpAddress.parse('127.0.0.1'), 53));
    const buffer = new Uint8Array(200);
    expect([tap.receive(buffer, 0, 200, 0, null), buffer[9]]).toEqual([20, 17]);
    expect(tap.receive(buffer, 0, 200, 0, null)).toBe(-EAGAIN);
  });
});
