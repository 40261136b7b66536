import { VirtualClock } from '@tsv/clock';
import { SeededRandom } from '../net/random.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { Stack } from '../stack.js';
import { ChannelLink } from '../link/channel.js';
import { loadU16, loadU32 } from '../wire/byte-order.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

const SEQ_AT = 24;
const PORT_AT = 20;

/** A stack that calls, on a clock of its own. */
class Caller {
  readonly clock = new VirtualClock(1_000);
  readonly link = new ChannelLink({ queueCountMax: 100_000 });
  readonly stack: Stack;

  constructor(seed = 1) {
    this.stack = new Stack({ clock: this.clock, random: new SeededRandom(seed), dadTransmits: 0 });
    this.stack.addNic('eth0', this.link, { addresses: [parsePrefix('10.0.0.1/24')] });
    while (this.link.read() !== null);
  }

  /** Sequence number and source port of the SYN to `peer` from `localPort`, 0 for any. */
  call(peer = '10.0.0.2', port = 80, localPort = 4_000): { isn: number; localPort: number } {
    const socket = new TcpSocket(this.stack, false);
    if (localPort !== 0) socket.bind(IpAddress.parse('10.0.0.1'), localPort);
    socket.connect(IpAddress.parse(peer), port);
    const packet = this.link.read()!;
    const isn = loadU32(packet.bytes, packet.at + SEQ_AT);
    const sent = { isn, localPort: loadU16(packet.bytes, packet.at + PORT_AT) };
    packet.release();
    socket.disconnect();
    socket.close();
    while (this.link.read() !== null);
    return sent;
  }
}

describe('RFC 6528 section 3, initial sequence numbers', () => {
  it('of one connection grow by one every four microseconds', () => {
    const caller = new Caller();
    const first = caller.call().isn;
    caller.clock.advance(10_000);
    expect((caller.call().isn - first) >>> 0).toBe(10_000 * 250);
  });

  it.each([
    ['the address of the peer', '10.0.0.3', 80, 4_000],
    ['its port', '10.0.0.2', 81, 4_000],
    ['our port', '10.0.0.2', 80, 4_001],
  ])('depend on %s', (_what, peer, port, localPort) => {
    expect(new Caller().call(peer, port, localPort).isn).not.toBe(new Caller().call().isn);
  });

  it('depend on a secret: another stack at the same time has others', () => {
    expect(new Caller(2).call().isn).not.toBe(new Caller(1).call().isn);
  });

  it('of neighbouring ports tell nothing of each other', () => {
    const isns = [4_000, 4_001, 4_002, 4_003].map((port) => new Caller().call('10.0.0.2', 80, port).isn);
    const steps = isns.slice(1).map((isn, i) => (isn - isns[i]!) >>> 0);
    expect(new Set(steps).size).toBe(3);
  });
});

describe('RFC 6056, ports that nobody can guess', () => {
  it('3.2: are ephemeral ones, of a large range', () => {
    const caller = new Caller();
    const ports = Array.from({ length: 2_000 }, (_, i) => caller.call(`10.0.0.${2 + (i % 200)}`, 1 + i, 0).localPort);
    expect([Math.min(...ports) >= 32_768, Math.max(...ports) <= 60_999]).toEqual([true, true]);
    expect(Math.max(...ports) - Math.min(...ports)).toBeGreaterThan(20_000);
  });

  it('3.3: differ by peer, and by a secret', () => {
    const ports = [new Caller(1).call('10.0.0.2', 80, 0), new Caller(1).call('10.0.0.3', 80, 0)];
    ports.push(new Caller(2).call('10.0.0.2', 80, 0));
    expect(new Set(ports.map(({ localPort }) => localPort)).size).toBe(3);
  });

  it('3.1: to one peer none is used twice while the first is', () => {
    const caller = new Caller();
    const sockets = Array.from({ length: 500 }, () => {
      const socket = new TcpSocket(caller.stack, false);
      socket.connect(IpAddress.parse('10.0.0.2'), 80);
      return socket.localPort;
    });
    expect(new Set(sockets).size).toBe(500);
  });
});
