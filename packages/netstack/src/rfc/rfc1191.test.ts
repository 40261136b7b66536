import { IP_MTU_DISCOVER, IP_PMTUDISC_DO, SOL_IP } from '@tsv/abi';
import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { Bench, icmp4, ipv4, u16 } from '../testing/packets.js';
import { type Heard, numbers, TcpWire } from '../testing/tcp-wire.js';
import { IpAddress } from '../wire/ip-address.js';

const MTU = 1500;
const TEXT = MTU - 40;
const EMSGSIZE = 90;
const MINUTES_5 = 300_000;

/** "Fragmentation needed", next-hop MTU `mtu`, about the packet that was heard. */
function tooBig(wire: TcpWire, about: Heard, mtu: number, quoted = about.packet): Heard[] {
  return wire.inject(
    ipv4({ src: '10.0.0.254', protocol: 1 }, ...icmp4(3, 4, 0, 0, ...u16(mtu), ...quoted.subarray(0, 28))),
  );
}

function connected(): TcpWire {
  return new TcpWire(undefined, MTU).connect({ mss: TEXT });
}

const largest = (heard: readonly Heard[]): number => Math.max(...heard.map(({ packet }) => packet.length));

describe('RFC 1191 section 3 and 6, what a host does', () => {
  it('3: every packet of the connection has DF', () => {
    const wire = connected();
    const sent = wire.write(5 * TEXT);
    expect(sent.every(({ isDontFragment }) => isDontFragment)).toBe(true);
  });

  it('3: a message that a packet is too big lowers the MTU, and what was lost goes again at once in smaller pieces', () => {
    const wire = connected();
    const [first] = wire.write(2 * TEXT);
    const again = tooBig(wire, first!, 1000);
    expect([again[0]!.seq, again[0]!.packet.length]).toEqual([0, 1000]);
  });

  it('6.4: that is no sign of congestion: the window stays', () => {
    const wire = connected();
    const [first] = wire.write(2 * TEXT);
    const before = wire.info().tcpi_snd_cwnd * wire.info().tcpi_snd_mss;
    tooBig(wire, first!, 1000);
    expect([wire.info().tcpi_ca_state, wire.info().tcpi_snd_cwnd * wire.info().tcpi_snd_mss >= 0.9 * before]).toEqual([
      0,
      true,
    ]);
  });

  it('3: the MTU is never raised by a message', () => {
    const wire = connected();
    const [first] = wire.write(2 * TEXT);
    const [again] = tooBig(wire, first!, 1000);
    tooBig(wire, again!, 1400);
    wire.ack(2 * TEXT);
    expect(largest(wire.write(4 * TEXT))).toBe(1000);
  });

  it('6.3: it is not raised for at least five minutes', () => {
    const wire = connected();
    const [first] = wire.write(2 * TEXT);
    tooBig(wire, first!, 1000);
    wire.ack(2 * TEXT);
    wire.pass(MINUTES_5);
    expect(largest(wire.write(4 * TEXT))).toBe(1000);
  });

  it('6.3: later it is tried again', () => {
    const wire = connected();
    const [first] = wire.write(2 * TEXT);
    tooBig(wire, first!, 1000);
    wire.ack(2 * TEXT);
    wire.pass(4 * MINUTES_5);
    expect(largest(wire.write(4 * TEXT))).toBe(MTU);
  });

  it('3: a value below 68 is not believed, nor is one that would make crumbs', () => {
    const wire = connected();
    const [first] = wire.write(2 * TEXT);
    tooBig(wire, first!, 20);
    wire.ack(2 * TEXT);
    expect(largest(wire.write(4 * TEXT))).toBe(552);
  });

  it('5: one from a router that tells no MTU is taken for the smallest that is believed', () => {
    const wire = connected();
    const [first] = wire.write(2 * TEXT);
    const again = tooBig(wire, first!, 0);
    expect([numbers(again).length > 0, largest(again)]).toEqual([true, 552]);
  });

  it('RFC 5927 section 7.2: one about what was never sent, or is acknowledged, is ignored', () => {
    const wire = connected();
    const [first] = wire.write(2 * TEXT);
    wire.ack(2 * TEXT);
    tooBig(wire, first!, 600);
    expect(largest(wire.write(4 * TEXT))).toBe(MTU);
  });
});

describe('RFC 1191 section 6.2, UDP', () => {
  function learned(discover: number): { bench: Bench; socket: UdpSocket; send: (len: number) => number } {
    const bench = new Bench();
    const socket = new UdpSocket(bench.stack, false);
    socket.setOption(SOL_IP, IP_MTU_DISCOVER, discover);
    const to = new SocketAddress(IpAddress.parse('10.0.0.2'), 9);
    const send = (len: number): number => socket.send(new Uint8Array(len), 0, len, to);
    send(1400);
    const [sent] = bench.sent();
    bench.answers(
      ipv4({ src: '10.0.0.254', protocol: 1 }, ...icmp4(3, 4, 0, 0, ...u16(1000), ...sent!.subarray(0, 28))),
    );
    socket.takeError();
    return { bench, socket, send };
  }

  it('who forbids fragments is told that a datagram is too large', () => {
    const { bench, send } = learned(IP_PMTUDISC_DO);
    expect([send(1400), bench.sent(), send(900)]).toEqual([-EMSGSIZE, [], 900]);
  });
});
