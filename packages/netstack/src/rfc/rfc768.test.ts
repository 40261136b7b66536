import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { addressBytes, Bench, internetSum, ipv4, ipv6, udp, u16 } from '../testing/packets.js';
import { IpAddress } from '../wire/ip-address.js';

const UDP = 17;
const PORT = 9999;
const EAGAIN = 11;
const PEER = { 4: '10.0.0.2', 6: 'fd00::2' } as const;
const OURS = { 4: '10.0.0.1', 6: 'fd00::1' } as const;
type Family = 4 | 6;

/** The sum over the pseudo-header and the datagram, which is 0 when the checksum is right. */
function sumOf(family: Family, datagram: readonly number[]): number {
  const addresses = [...addressBytes(PEER[family]), ...addressBytes(OURS[family])];
  const pseudo = [
    ...addresses,
    ...(family === 4 ? [0, UDP, ...u16(datagram.length)] : [0, 0, ...u16(datagram.length), 0, 0, 0, UDP]),
  ];
  return internetSum([...pseudo, ...datagram]);
}

/** A datagram of the peer with the right checksum, plus `error`. */
function datagram(family: Family, text: readonly number[], error = 0): number[] {
  const bare = udp(5000, PORT, ...text);
  const sum = sumOf(family, bare) || 0xffff;
  return [...bare.slice(0, 6), ...u16(sum ^ error), ...bare.slice(8)];
}

class Listener {
  readonly bench = new Bench();
  readonly socket = new UdpSocket(this.bench.stack, true);
  readonly from = new SocketAddress();

  constructor() {
    this.socket.bind(IpAddress.parse('::'), PORT);
  }

  /** What the socket receives of a datagram: its text, or a negated errno. */
  receive(family: Family, bytes: readonly number[]): number[] | number {
    this.bench.answers(family === 4 ? ipv4({ protocol: UDP }, ...bytes) : ipv6({ next: UDP }, ...bytes));
    const dst = new Uint8Array(100);
    const len = this.socket.receive(dst, 0, dst.length, 0, this.from, null);
    return len < 0 ? len : [...dst.subarray(0, len)];
  }
}

describe.each([4, 6] as const)('RFC 768 over IPv%i, what is received', (family) => {
  it('text, with the address and port that it came from', () => {
    const listener = new Listener();
    expect(listener.receive(family, datagram(family, [1, 2, 3]))).toEqual([1, 2, 3]);
    expect([listener.from.port, listener.from.address.equals(IpAddress.parse(PEER[family]))]).toEqual([5000, true]);
  });

  it('a datagram without text', () => expect(new Listener().receive(family, datagram(family, []))).toEqual([]));

  it('no more than the length field says', () => {
    const listener = new Listener();
    expect(listener.receive(family, [...datagram(family, [1, 2, 3]), 9, 9])).toEqual([1, 2, 3]);
  });

  it.each([
    ['a wrong checksum', datagram(family, [1, 2, 3], 1)],
    ['a length field below eight', [...udp(5000, PORT, 1).slice(0, 4), 0, 7, 0, 0, 1]],
    ['a length field beyond its end', [...udp(5000, PORT, 1).slice(0, 4), 0, 99, 0, 0, 1]],
    ['less than a header', udp(5000, PORT).slice(0, 7)],
  ])('a datagram with %s is silently dropped', (_what, bytes) => {
    expect(new Listener().receive(family, bytes)).toBe(-EAGAIN);
  });
});

describe('RFC 768, checksum', () => {
  it('zero means that there is none, over IPv4', () => {
    expect(new Listener().receive(4, udp(5000, PORT, 1, 2))).toEqual([1, 2]);
  });

  it('RFC 8200 section 8.1: over IPv6 there must be one', () => {
    expect(new Listener().receive(6, udp(5000, PORT, 1, 2))).toBe(-EAGAIN);
  });

  it.each([4, 6] as const)('what is sent over IPv%i has one, over pseudo-header and text', (family) => {
    const listener = new Listener();
    const text = Uint8Array.of(1, 2, 3);
    listener.socket.send(text, 0, 3, new SocketAddress(IpAddress.parse(PEER[family]), 53));
    const [packet] = listener.bench.sent();
    expect(sumOf(family, [...packet!.subarray(family === 4 ? 20 : 40)])).toBe(0);
  });

  it.each([4, 6] as const)('one that would be zero is sent as ones, over IPv%i', (family) => {
    const listener = new Listener();
    const to = new SocketAddress(IpAddress.parse(PEER[family]), 53);
    listener.socket.send(Uint8Array.of(0, 0), 0, 2, to);
    const at = family === 4 ? 20 : 40;
    const [plain] = listener.bench.sent();
    // Text that makes the sum zero: the checksum of the same datagram with zeros in its place.
    const sum = plain!.subarray(at + 6, at + 8);
    listener.socket.send(sum, 0, 2, to);
    const [packet] = listener.bench.sent();
    expect([...packet!.subarray(at + 6, at + 8)]).toEqual([0xff, 0xff]);
  });

  it('the length field counts header and text', () => {
    const listener = new Listener();
    listener.socket.send(new Uint8Array(5), 0, 5, new SocketAddress(IpAddress.parse('10.0.0.2'), 53));
    const [packet] = listener.bench.sent();
    expect([...packet!.subarray(24, 26)]).toEqual([0, 13]);
  });
});
