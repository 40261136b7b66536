import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { Bench, icmp6, ipv6, u16 } from '../testing/packets.js';
import { IpAddress } from '../wire/ip-address.js';

const FRAGMENT = 44;
const TOO_BIG = 2;
const MINUTES_5 = 300_000;

/** A stack, and a socket that sends datagrams to fd00::2. */
class Sender {
  readonly bench = new Bench();
  readonly #socket = new UdpSocket(this.bench.stack, true);

  /** Sends a datagram, then a router says what the next link takes. */
  sendTooBig(len: number, mtu: number): void {
    const [packet] = this.sendPackets(len);
    this.tooBig(packet!, mtu);
  }

  /** The packets that a datagram goes in. */
  sendPackets(len: number): Uint8Array[] {
    this.#socket.takeError();
    this.#socket.send(new Uint8Array(len), 0, len, new SocketAddress(IpAddress.parse('fd00::2'), 9));
    return this.bench.sent();
  }

  /** "Packet too big" about that packet. */
  tooBig(about: Uint8Array, mtu: number): void {
    const fields = { src: 'fd00::fe' };
    const body = [0, 0, ...u16(mtu), ...about.subarray(0, 1232 - 48)];
    this.bench.answers(ipv6(fields, ...icmp6(fields, TOO_BIG, 0, ...body)));
  }

  lengths(len: number): number[] {
    return this.sendPackets(len).map(({ length }) => length);
  }

  pass(ms: number): void {
    this.bench.clock.advance(ms);
    this.bench.stack.poll();
    this.bench.sent();
  }
}

describe('RFC 8201 section 4, protocol overview', () => {
  it('a path takes what the first link does until something else is known', () => {
    expect(new Sender().lengths(1400)).toEqual([1448]);
  });

  it('a message lowers the MTU of the path, and packets to it are fragmented by their source', () => {
    const sender = new Sender();
    sender.sendTooBig(1400, 1300);
    const packets = sender.sendPackets(1400);
    expect([packets.length, Math.max(...packets.map(({ length }) => length)) <= 1300, packets[0]![6]]).toEqual([
      2,
      true,
      FRAGMENT,
    ]);
  });

  it('it counts for that destination alone', () => {
    const sender = new Sender();
    sender.sendTooBig(1400, 1300);
    const path = sender.bench.stack.findPath(IpAddress.parse('fd00::3'), null, 0);
    expect(typeof path === 'number' ? path : path.mtu).toBe(1500);
  });

  it('a message that tells less than 1280 is discarded', () => {
    const sender = new Sender();
    sender.sendTooBig(1400, 1279);
    expect(sender.lengths(1400)).toEqual([1448]);
  });

  it('the estimate is not raised by a message', () => {
    const sender = new Sender();
    sender.sendTooBig(1400, 1300);
    const [packet] = sender.sendPackets(1200);
    sender.tooBig(packet!, 1400);
    expect(Math.max(...sender.lengths(1400))).toBeLessThanOrEqual(1300);
  });

  it('it is not raised for at least five minutes, and later it is', () => {
    const sender = new Sender();
    sender.sendTooBig(1400, 1300);
    sender.pass(MINUTES_5);
    const early = sender.lengths(1400).length;
    sender.pass(2 * MINUTES_5);
    expect([early, sender.lengths(1400)]).toEqual([2, [1448]]);
  });

  it('RFC 5927: a message about a flow that there is not is ignored', () => {
    const sender = new Sender();
    const [packet] = sender.sendPackets(1400);
    const forged = packet!.slice();
    forged[40] = forged[40]! ^ 0x55;
    sender.tooBig(forged, 1300);
    expect(sender.lengths(1400)).toEqual([1448]);
  });
});
