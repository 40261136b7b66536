import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import { ARP, arp, BROADCAST, EthernetWire, type Frame, IPV4, OURS, PEERS } from '../testing/ethernet-wire.js';
import { IpAddress } from '../wire/ip-address.js';

const REQUEST = 1;
const REPLY = 2;
const OTHER = '02:00:00:00:00:99';

/** Has the stack send a datagram to `ip`; returns the frames. */
function send(wire: EthernetWire, ip = '10.0.0.2'): Frame[] {
  const socket = new UdpSocket(wire.stack, false);
  socket.send(new Uint8Array(4), 0, 4, new SocketAddress(IpAddress.parse(ip), 9));
  socket.close();
  return wire.heard().filter(({ type }) => type === ARP || type === IPV4);
}

/** The stack knows the peer. */
function acquainted(): EthernetWire {
  const wire = fresh();
  send(wire);
  wire.inject(ARP, arp(REPLY, PEERS, '10.0.0.2', OURS, '10.0.0.1'));
  return wire;
}

function fresh(): EthernetWire {
  const wire = new EthernetWire();
  wire.pass(10_000);
  return wire;
}

describe('RFC 826, packet generation', () => {
  it('asks everybody for the address, with its own pair in the packet', () => {
    const [frame] = send(fresh());
    expect(frame).toMatchObject({ to: BROADCAST, from: OURS, type: ARP });
    expect(frame!.payload).toEqual(arp(REQUEST, OURS, '10.0.0.1', null, '10.0.0.2'));
  });

  it('keeps the packet, and sends it to the hardware address that the reply tells (RFC 1122 section 2.3.2.2)', () => {
    const wire = fresh();
    send(wire);
    const [frame] = wire.inject(ARP, arp(REPLY, PEERS, '10.0.0.2', OURS, '10.0.0.1'));
    expect(frame).toMatchObject({ to: PEERS, type: IPV4 });
  });

  it('asks no more once it knows', () => {
    expect(send(acquainted()).map(({ type, to }) => [type, to])).toEqual([[IPV4, PEERS]]);
  });

  it('asks at most once a second (RFC 1122 section 2.3.2.1)', () => {
    const wire = fresh();
    const asked = send(wire);
    for (let i = 0; i < 5; i++) asked.push(...send(wire));
    asked.push(...wire.pass(10_000));
    const times = asked.filter(({ type }) => type === ARP).map(({ atMs }) => atMs - asked[0]!.atMs);
    expect(times).toEqual([0, 1_000, 2_000]);
  });
});

describe('RFC 826, packet reception', () => {
  it('answers a request for its address to the one who asked', () => {
    const [frame] = fresh().inject(ARP, arp(REQUEST, PEERS, '10.0.0.2', null, '10.0.0.1'), BROADCAST);
    expect(frame).toMatchObject({ to: PEERS, from: OURS, type: ARP });
    expect(frame!.payload).toEqual(arp(REPLY, OURS, '10.0.0.1', PEERS, '10.0.0.2'));
  });

  it('does not answer for others', () => {
    expect(fresh().inject(ARP, arp(REQUEST, PEERS, '10.0.0.2', null, '10.0.0.77'), BROADCAST)).toEqual([]);
  });

  it('answers a probe, whose sender has no address yet (RFC 5227)', () => {
    const wire = fresh();
    const [frame] = wire.inject(ARP, arp(REQUEST, PEERS, '0.0.0.0', null, '10.0.0.1'), BROADCAST);
    expect([frame!.to, wire.nic.neighbours!.count]).toEqual([PEERS, 0]);
  });

  it('learns who asks for it', () => {
    const wire = fresh();
    wire.inject(ARP, arp(REQUEST, PEERS, '10.0.0.2', null, '10.0.0.1'), BROADCAST);
    expect(send(wire)[0]).toMatchObject({ to: PEERS, type: IPV4 });
  });

  it('learns nobody who asks for another', () => {
    const wire = fresh();
    wire.inject(ARP, arp(REQUEST, PEERS, '10.0.0.2', null, '10.0.0.77'), BROADCAST);
    expect(send(wire)[0]).toMatchObject({ to: BROADCAST, type: ARP });
  });

  it.each([
    ['asks for another', arp(REQUEST, OTHER, '10.0.0.2', null, '10.0.0.77')],
    ['tells everybody of itself', arp(REQUEST, OTHER, '10.0.0.2', null, '10.0.0.2')],
    ['answers unasked', arp(REPLY, OTHER, '10.0.0.2', BROADCAST, '10.0.0.2')],
  ])('merges: of a neighbour that it knows it takes the new hardware address when that one %s', (_what, packet) => {
    const wire = acquainted();
    wire.inject(ARP, packet, BROADCAST, OTHER);
    expect(send(wire)[0]).toMatchObject({ to: OTHER, type: IPV4 });
  });

  it.each([
    ['another hardware', [0, 6, 8, 0, 6, 4]],
    ['another protocol', [0, 1, 0x86, 0xdd, 6, 4]],
    ['a hardware address of another length', [0, 1, 8, 0, 8, 4]],
    ['a protocol address of another length', [0, 1, 8, 0, 6, 16]],
  ])('drops a packet about %s', (_what, head) => {
    const packet = arp(REQUEST, PEERS, '10.0.0.2', null, '10.0.0.1');
    packet.splice(0, head.length, ...head);
    expect(fresh().inject(ARP, packet, BROADCAST)).toEqual([]);
  });

  it('takes no address of its own from others', () => {
    const wire = fresh();
    wire.inject(ARP, arp(REPLY, PEERS, '10.0.0.1', OURS, '10.0.0.1'));
    expect(wire.nic.neighbours!.count).toBe(0);
  });
});

describe('RFC 1122 section 2.3.2, the cache', () => {
  it('2.3.2.1: an entry that is not confirmed is asked for again, of the neighbour itself', () => {
    const wire = acquainted();
    wire.pass(60_000);
    send(wire);
    const [probe] = wire.pass(5_000).filter(({ type }) => type === ARP);
    expect([probe!.to, probe!.payload[7]]).toEqual([PEERS, REQUEST]);
  });

  it('2.3.2.1: and forgotten when there is no answer', () => {
    const wire = acquainted();
    wire.pass(60_000);
    send(wire);
    wire.pass(9_000);
    expect(send(wire)[0]).toMatchObject({ to: BROADCAST, type: ARP });
  });
});
