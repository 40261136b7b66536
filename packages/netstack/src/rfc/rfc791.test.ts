import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { ChannelLink } from '../link/channel.js';
import { Bench, icmp4, internetSum, ipv4, udp } from '../testing/packets.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const ICMP = 1;
const ECHO = icmp4(8, 0, 0, 7, 0, 1, ...Array.from({ length: 24 }, (_, i) => i));
const REPLY = 0;
const MORE = 0x2000;
const DF = 0x4000;

/** The stack sends a datagram of `len` bytes; returns the packets. */
function send(bench: Bench, len: number, configure: (socket: UdpSocket) => void = () => undefined): Uint8Array[] {
  const socket = new UdpSocket(bench.stack, false);
  configure(socket);
  socket.send(
    Uint8Array.from({ length: len }, (_, i) => i),
    0,
    len,
    new SocketAddress(IpAddress.parse('10.0.0.2'), 9),
  );
  return bench.sent();
}

/** A fragment of the echo request: eight-byte units `from` to before `to`. */
function piece(from: number, to: number, fields: { id?: number; protocol?: number; src?: string } = {}): number[] {
  const isLast = to * 8 >= ECHO.length;
  return ipv4({ protocol: ICMP, fragment: (isLast ? 0 : MORE) | from, ...fields }, ...ECHO.slice(from * 8, to * 8));
}

/** Types of the ICMP messages that the last of the packets is answered with. */
function answersTo(...packets: number[][]): number[] {
  const bench = new Bench();
  const answers = packets.map((packet) => bench.answers(packet));
  return answers.at(-1)!.map((bytes) => bytes[20]!);
}

/** The IPv4 packets that are sent within a minute. */
function later(bench: Bench): Uint8Array[] {
  bench.clock.advance(60_000);
  bench.stack.poll();
  return bench.sent().filter((packet) => packet[0]! >>> 4 === 4);
}

describe('RFC 791 section 3.1, the header', () => {
  it('version, length, total length, TTL, protocol, addresses and checksum are as they should be', () => {
    const [packet] = send(new Bench(), 11);
    const header = [...packet!.subarray(0, 20)];
    expect([header[0], header[2]! * 256 + header[3]!, header[8], header[9], internetSum(header)]).toEqual([
      0x45, 39, 64, 17, 0,
    ]);
    expect(header.slice(12)).toEqual([10, 0, 0, 1, 10, 0, 0, 2]);
  });

  it('packets that may be fragmented have identifications of their own', () => {
    const bench = new Bench();
    const mayFragment = (socket: UdpSocket): void => void socket.setOption(0, 10, 0);
    const ids = [1, 2, 3].map(() => send(bench, 8, mayFragment)[0]!.subarray(4, 6).join());
    expect(new Set(ids).size).toBe(3);
  });

  it.each([
    ['a header length below five words', (packet: number[]) => packet.splice(0, 1, 0x44)],
    ['a header longer than the packet', (packet: number[]) => packet.splice(0, 1, 0x4f)],
    ['a total length below the header', (packet: number[]) => packet.splice(2, 2, 0, 19)],
    ['a total length beyond the packet', (packet: number[]) => packet.splice(2, 2, 0xff, 0xff)],
  ])('a packet with %s is dropped', (_what, spoil) => {
    const packet = ipv4({ protocol: ICMP }, ...ECHO);
    spoil(packet);
    expect(answersTo(packet)).toEqual([]);
  });

  it('what follows the total length is padding', () => {
    const [reply] = new Bench().answers([...ipv4({ protocol: ICMP }, ...ECHO), 1, 2, 3]);
    expect(reply!.length).toBe(20 + ECHO.length);
  });
});

describe('RFC 791 section 3.2, fragmentation and reassembly', () => {
  const mayFragment = (socket: UdpSocket): void => void socket.setOption(0, 10, 0);

  it('a datagram too large for the link goes in fragments, on boundaries of eight bytes, and together they are whole', () => {
    const packets = send(new Bench(), 4_000, mayFragment);
    const offsets = packets.map((packet) => ((packet[6]! & 0x1f) << 8) | packet[7]!);
    const lens = packets.map(({ length }) => length - 20);
    expect(packets.every(({ length }) => length <= 1500)).toBe(true);
    expect(offsets).toEqual([0, lens[0]! / 8, (lens[0]! + lens[1]!) / 8]);
    const text = packets.flatMap((packet) => [...packet.subarray(20)]).slice(8);
    expect(text).toEqual([...Uint8Array.from({ length: 4_000 }, (_, i) => i)]);
  });

  it('all but the last say that more follow, and all have the identification and a right checksum', () => {
    const packets = send(new Bench(), 4_000, mayFragment);
    expect(packets.map((packet) => packet[6]! & 0x20)).toEqual([0x20, 0x20, 0]);
    expect(new Set(packets.map((packet) => packet.subarray(4, 6).join())).size).toBe(1);
    expect(packets.map((packet) => internetSum([...packet.subarray(0, 20)]))).toEqual([0, 0, 0]);
  });

  it.each([
    ['in order', [piece(0, 2), piece(2, 4)]],
    ['backwards', [piece(2, 4), piece(0, 2)]],
    ['with one twice', [piece(0, 2), piece(0, 2), piece(2, 4)]],
    ['of the smallest size', [piece(3, 4), piece(1, 2), piece(0, 1), piece(2, 3)]],
  ])('fragments are put together: %s', (_order, packets) => {
    expect(answersTo(...packets)).toEqual([REPLY]);
  });

  it.each([
    ['source', { src: '10.0.0.3' }],
    ['protocol', { protocol: 17 }],
    ['identification', { id: 77 }],
  ])('fragments of another %s are not of the same datagram', (_what, fields) => {
    expect(answersTo(piece(0, 2), piece(2, 4, fields))).toEqual([]);
  });

  it('what is not whole after a time is given up, and the sender of the first fragment told (RFC 792)', () => {
    const bench = new Bench();
    bench.answers(piece(0, 2));
    const [told] = later(bench);
    expect([told![20], told![21], bench.answers(piece(2, 4))]).toEqual([11, 1, []]);
  });

  it('nobody is told when the first fragment is not there', () => {
    const bench = new Bench();
    bench.answers(piece(2, 4));
    expect(later(bench)).toEqual([]);
  });
});

describe('RFC 791 section 3.2 and RFC 1812 section 5, a router', () => {
  /** Between 10.0.0.0/24 and 10.1.0.0/24, whose link takes 600 bytes. */
  class Router extends Bench {
    readonly far = new ChannelLink({ mtu: 600 });

    constructor() {
      super();
      this.stack.addNic('eth1', this.far, { addresses: [parsePrefix('10.1.0.1/24')] });
      this.stack.forwardsIpv4 = true;
      this.#farSent();
    }

    /** What goes out on the far side, and what comes back. */
    forward(packet: readonly number[]): [Uint8Array[], Uint8Array[]] {
      const back = this.answers(packet);
      return [this.#farSent(), back];
    }

    #farSent(): Uint8Array[] {
      const sent: Uint8Array[] = [];
      for (let packet = this.far.read(); packet !== null; packet = this.far.read()) {
        sent.push(packet.bytes.slice(packet.at, packet.end));
        packet.release();
      }
      return sent;
    }
  }

  it('lowers the TTL by one and keeps the checksum right', () => {
    const [[packet]] = new Router().forward(ipv4({ dst: '10.1.0.2', ttl: 9 }, ...udp(1, 2, 3)));
    expect([packet![8], internetSum([...packet!.subarray(0, 20)])]).toEqual([8, 0]);
  });

  it.each([0, 1])('drops a packet with TTL %i, and tells its sender', (ttl) => {
    const [out, [told]] = new Router().forward(ipv4({ dst: '10.1.0.2', ttl }, ...udp(1, 2, 3)));
    expect([out, told![20], told![21]]).toEqual([[], 11, 0]);
  });

  it('cuts what is too large for the next link', () => {
    const [out] = new Router().forward(ipv4({ dst: '10.1.0.2' }, ...new Array<number>(1000).fill(7)));
    expect([out.length, out.every(({ length }) => length <= 600)]).toEqual([2, true]);
  });

  it('keeps offset and flag of what is a fragment already', () => {
    const packet = ipv4({ dst: '10.1.0.2', fragment: MORE | 100 }, ...new Array<number>(800).fill(7));
    const [out] = new Router().forward(packet);
    expect(out.map((bytes) => ((bytes[6]! << 8) | bytes[7]!) & 0x3fff)).toEqual([MORE | 100, MORE | (100 + 72)]);
  });

  it('does not cut what has DF, and tells what the next link takes (RFC 1191 section 4)', () => {
    const [out, [told]] = new Router().forward(
      ipv4({ dst: '10.1.0.2', fragment: DF }, ...new Array<number>(1000).fill(7)),
    );
    expect([out, [...told!.subarray(20, 22)], [...told!.subarray(24, 28)]]).toEqual([
      [],
      [3, 4],
      [0, 0, 600 >> 8, 600 & 255],
    ]);
  });

  it('tells that there is no way', () => {
    const [out, [told]] = new Router().forward(ipv4({ dst: '10.2.0.2' }, ...udp(1, 2, 3)));
    expect([out, told![20], told![21]]).toEqual([[], 3, 0]);
  });
});
