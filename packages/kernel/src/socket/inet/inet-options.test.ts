import {
  AF_INET,
  AF_PACKET,
  EACCES,
  EAGAIN,
  EINVAL,
  ENODEV,
  ENOENT,
  EPERM,
  IFR_DATA,
  IP_PKTINFO,
  MSG_DONTWAIT,
  SIOCGIFFLAGS,
  SIOCGIFINDEX,
  SIOCGIFMTU,
  SIOCSIFMTU,
  SOCK_DGRAM,
  SOCK_RAW,
  SOL_IP,
  SOL_SOCKET,
  SO_ATTACH_FILTER,
  SO_BINDTODEVICE,
  SO_DETACH_FILTER,
  SO_LOCK_FILTER,
  SYS_bind,
  SYS_getsockname,
  SYS_ioctl,
  SYS_recvfrom,
  SYS_sendto,
  SYS_setsockopt,
  SYS_socket,
} from '@tsv/abi';
import { Credentials } from '../../cred/credentials.js';
import type { Task } from '../../task/task.js';
import { DATA_ADDR, TestKernel } from '../../testing/test-kernel.js';

const ADDRESS = DATA_ADDR;
const LEN = DATA_ADDR + 64;
const OPTION = DATA_ADDR + 256;
const PROGRAM = DATA_ADDR + 512;
const BUFFER = DATA_ADDR + 4096;
const IPPROTO_ICMP = 1;
const ETH_P_ALL_BE = 0x0300;
/** `ld #len; ret #0` drops everything; `ret #-1` keeps it. */
const DROP = [0x06, 0, 0, 0];
const KEEP = [0x06, 0, 0, 0xffffffff];

let kernel: TestKernel;
let root: Task;
let user: Task;
beforeEach(() => {
  kernel = new TestKernel();
  root = kernel.spawn();
  user = kernel.spawn(Credentials.forUser(kernel.kernel.userNs, 1000, 1000));
});

function loopback(t: Task, port: number): [addr: number, len: number] {
  kernel.put(t, ADDRESS, Uint8Array.from([AF_INET, 0, port >> 8, port & 0xff, 127, 0, 0, 1, ...new Array<number>(8)]));
  return [ADDRESS, 16];
}

function udp(t: Task): number {
  return kernel.call(t, SYS_socket, AF_INET, SOCK_DGRAM, 0);
}

/** A UDP socket with a port on loopback. */
function server(t: Task): [fd: number, port: number] {
  const fd = udp(t);
  kernel.call(t, SYS_bind, fd, ...loopback(t, 0));
  kernel.put(t, LEN, Uint8Array.of(16, 0, 0, 0));
  kernel.call(t, SYS_getsockname, fd, ADDRESS, LEN);
  return [fd, kernel.peek(t, ADDRESS, 16).getUint16(2)];
}

function setOption(t: Task, fd: number, level: number, name: number, value: Uint8Array | string): number {
  const bytes = typeof value === 'string' ? Uint8Array.from(`${value}\0`, (char) => char.charCodeAt(0)) : value;
  kernel.put(t, OPTION, bytes);
  return kernel.call(t, SYS_setsockopt, fd, level, name, OPTION, bytes.length);
}

/** SO_ATTACH_FILTER of one instruction. */
function attach(t: Task, fd: number, [code, jt, jf, k]: number[]): number {
  const program = new DataView(new ArrayBuffer(8));
  program.setUint16(0, code!, true);
  program.setUint8(2, jt!);
  program.setUint8(3, jf!);
  program.setUint32(4, k!, true);
  kernel.put(t, PROGRAM, new Uint8Array(program.buffer));
  const header = new DataView(new ArrayBuffer(16));
  header.setUint16(0, 1, true);
  header.setUint32(8, PROGRAM, true);
  return setOption(t, fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(header.buffer));
}

function send(t: Task, port: number): number {
  return kernel.call(t, SYS_sendto, udp(t), BUFFER, 4, 0, ...loopback(t, port));
}

function receive(t: Task, fd: number): number {
  return kernel.call(t, SYS_recvfrom, fd, BUFFER, 100, MSG_DONTWAIT, 0, 0);
}

/** An ioctl(2) with a `struct ifreq` for device `name`; the number in its answer, or the error. */
function deviceRequest(t: Task, cmd: number, name: string, value = 0): number {
  const request = new Uint8Array(40);
  for (let i = 0; i < name.length; i++) request[i] = name.charCodeAt(i);
  new DataView(request.buffer).setInt32(IFR_DATA, value, true);
  kernel.put(t, OPTION, request);
  const status = kernel.call(t, SYS_ioctl, udp(t), cmd, OPTION);
  return status < 0 ? status : kernel.peek(t, OPTION, 40).getInt32(IFR_DATA, true);
}

describe('privileges of capabilities(7)', () => {
  it.each`
    what                     | call                                                                        | asUser
    ${'a raw socket'}        | ${(t: Task) => kernel.call(t, SYS_socket, AF_INET, SOCK_RAW, IPPROTO_ICMP)} | ${-EPERM}
    ${'a packet socket'}     | ${(t: Task) => kernel.call(t, SYS_socket, AF_PACKET, SOCK_RAW, 0)}          | ${-EPERM}
    ${'a privileged port'}   | ${(t: Task) => kernel.call(t, SYS_bind, udp(t), ...loopback(t, 80))}        | ${-EACCES}
    ${'a change of the MTU'} | ${(t: Task) => deviceRequest(t, SIOCSIFMTU, 'lo', 1400)}                    | ${-EPERM}
  `('are needed for $what', ({ call, asUser }: { call: (t: Task) => number; asUser: number }) => {
    expect(call(user)).toBe(asUser);
    expect(call(root)).toBeGreaterThanOrEqual(0);
  });

  it('a port is privileged as the namespace says', () => {
    user.ns.net.unprivilegedPortStart = 80;
    const bound = [80, 79].map((port) => kernel.call(user, SYS_bind, udp(user), ...loopback(user, port)));
    expect(bound).toEqual([0, -EACCES]);
  });
});

describe('SO_ATTACH_FILTER, socket(7)', () => {
  it('drops what the program does not keep', () => {
    const [fd, port] = server(root);
    expect([attach(root, fd, DROP), send(root, port), receive(root, fd)]).toEqual([0, 4, -EAGAIN]);
    expect([attach(root, fd, KEEP), send(root, port), receive(root, fd)]).toEqual([0, 4, 4]);
  });

  it('is refused when it is no program, or when the filter is locked', () => {
    const [fd] = server(root);
    const one = Uint8Array.of(1, 0, 0, 0);
    expect([
      attach(root, fd, [0xffff, 0, 0, 0]),
      setOption(root, fd, SOL_SOCKET, SO_ATTACH_FILTER, one),
      setOption(root, fd, SOL_SOCKET, SO_DETACH_FILTER, one),
      attach(root, fd, KEEP),
      setOption(root, fd, SOL_SOCKET, SO_LOCK_FILTER, one),
      setOption(root, fd, SOL_SOCKET, SO_DETACH_FILTER, one),
      attach(root, fd, KEEP),
    ]).toEqual([-EINVAL, -EINVAL, -ENOENT, 0, 0, -EPERM, -EPERM]);
  });
});

describe('devices, netdevice(7)', () => {
  it.each`
    request             | cmd             | name          | answer
    ${'SIOCGIFINDEX'}   | ${SIOCGIFINDEX} | ${'lo'}       | ${1}
    ${'SIOCGIFMTU'}     | ${SIOCGIFMTU}   | ${'lo'}       | ${65536}
    ${'no such device'} | ${SIOCGIFFLAGS} | ${'nonesuch'} | ${-ENODEV}
  `('$request of $name: $answer', ({ cmd, name, answer }: { cmd: number; name: string; answer: number }) => {
    expect(deviceRequest(user, cmd, name)).toBe(answer);
  });

  it('a socket can be bound to one, and by its administrator to another', () => {
    const fd = udp(user);
    expect([
      setOption(user, fd, SOL_SOCKET, SO_BINDTODEVICE, 'nonesuch'),
      setOption(user, fd, SOL_SOCKET, SO_BINDTODEVICE, 'lo'),
      setOption(user, fd, SOL_SOCKET, SO_BINDTODEVICE, 'lo'),
    ]).toEqual([-ENODEV, 0, -EPERM]);
  });

  it('a packet socket sees what goes over them', () => {
    const fd = kernel.call(root, SYS_socket, AF_PACKET, SOCK_RAW, ETH_P_ALL_BE);
    const [, port] = server(root);
    send(root, port);
    // As on Linux, the loopback interface has Ethernet headers, of zeros.
    const [ETHERNET_BYTES, IPV4_AND_UDP_BYTES] = [14, 28];
    expect(receive(root, fd)).toBe(ETHERNET_BYTES + IPV4_AND_UDP_BYTES + 4);
    expect(kernel.peek(root, BUFFER, 32).getUint32(12)).toBe(0x08004500);
  });
});

describe('IP_PKTINFO, ip(7)', () => {
  it('is on after it was set on', () => {
    const fd = udp(user);
    expect(setOption(user, fd, SOL_IP, IP_PKTINFO, Uint8Array.of(1, 0, 0, 0))).toBe(0);
  });
});
