import { PacketBuffer } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold, pseudoHeaderSum6 } from '../checksum/checksum.js';
import { ChannelLink } from '../link/channel.js';
import { NeighbourState } from '../link/neighbour-cache.js';
import type { Stack } from '../stack.js';
import { Network } from '../testing/network.js';
import { storeU16, storeU32 } from '../wire/byte-order.js';
import { ETH_P_IPV6, parseLinkAddress, storeEthernet } from '../wire/ethernet.js';
import { IPV6_ALL_NODES, IpAddress, parsePrefix } from '../wire/ip-address.js';
import { storeIpv6 } from '../wire/ipv6.js';
import type { Nic } from './nic.js';
import { AddressState } from './nic-address.js';
import { RA_ADDRESS_COUNT_MAX } from './router-discovery.js';

const OWN = parseLinkAddress('02:00:00:00:00:0a');
const ROUTER = parseLinkAddress('02:00:00:00:00:fe');
const ROUTER_ADDRESS = IpAddress.parse('fe80::fe');
const NS = 135;
const NA = 136;
const RA = 134;

interface Host {
  network: Network;
  stack: Stack;
  nic: Nic;
  link: ChannelLink;
}

function host(): Host {
  const network = new Network();
  const stack = network.stack();
  const link = new ChannelLink({ linkAddress: OWN });
  const nic = stack.addNic('eth0', link, { acceptsRouterAdvertisements: true });
  return { network, stack, nic, link };
}

/** Sends an ICMPv6 message to everybody. */
function inject({ link }: Host, src: IpAddress, body: Uint8Array, hopLimit = 255, dst = IPV6_ALL_NODES): void {
  const frame = new Uint8Array(54 + body.length);
  storeEthernet(frame, 0, Uint8Array.of(0x33, 0x33, 0, 0, 0, 1), ROUTER, ETH_P_IPV6);
  storeIpv6(frame, 14, 0, 0, body.length, 58, hopLimit, src, dst);
  frame.set(body, 54);
  const sum = pseudoHeaderSum6(frame, 22, frame, 38, 58, body.length);
  storeU16(frame, 56, checksumFold(checksumAdd(sum, frame, 54, body.length)));
  link.inject(PacketBuffer.wrap(frame));
}

/** Types of the ICMPv6 messages sent since the last look. */
function sentTypes({ link }: Host): number[] {
  const types: number[] = [];
  for (let packet = link.read(); packet !== null; packet = link.read()) {
    if (packet.bytes[packet.at + 20] === 58) types.push(packet.bytes[packet.at + 54]!);
  }
  return types;
}

function advertisement(prefix: string, validSec: number, preferredSec: number, routerSec = 1800): Uint8Array {
  const body = new Uint8Array(16 + 32 + 8);
  body[0] = RA;
  body[4] = 61;
  storeU16(body, 6, routerSec);
  body.set([3, 4, 64, 0xc0], 16);
  storeU32(body, 20, validSec);
  storeU32(body, 24, preferredSec);
  IpAddress.parse(prefix).storeIpv6(body, 32);
  body.set([1, 1, ...ROUTER], 48);
  return body;
}

function states({ nic }: Host): string[] {
  return nic.addresses.map((entry) => `${String(entry.address)} ${entry.state}`);
}

describe('Ndp, address configuration: RFC 4862', () => {
  it('checks its link-local address, then asks for routers three times', () => {
    const world = host();
    expect(states(world)).toEqual([`fe80::ff:fe00:a ${AddressState.TENTATIVE}`]);
    world.network.advance(2_100);
    expect(states(world)).toEqual([`fe80::ff:fe00:a ${AddressState.PREFERRED}`]);
    world.network.advance(60_000);
    expect(sentTypes(world)).toEqual([NS, 133, 133, 133]);
  });

  it('gives the address up when somebody else probes or answers for it', () => {
    const own = IpAddress.parse('fe80::ff:fe00:a');
    const probe = new Uint8Array(24);
    probe[0] = NS;
    own.storeIpv6(probe, 8);
    const first = host();
    inject(first, IpAddress.parse('::'), probe, 255, IpAddress.parse('ff02::1:ff00:a'));
    expect(states(first)).toEqual([`fe80::ff:fe00:a ${AddressState.DUPLICATE}`]);
    const second = host();
    const answer = probe.slice();
    answer[0] = NA;
    inject(second, own, answer);
    expect(states(second)).toEqual([`fe80::ff:fe00:a ${AddressState.DUPLICATE}`]);
  });

  it('makes an address, a default route and a prefix route of an advertisement', () => {
    const world = host();
    world.network.advance(2_100);
    inject(world, ROUTER_ADDRESS, advertisement('2001:db8:1::', 86_400, 14_400));
    world.network.advance(2_100);
    expect(states(world)[1]).toBe(`2001:db8:1::ff:fe00:a ${AddressState.PREFERRED}`);
    expect(world.nic.hopLimit).toBe(61);
    const path = world.stack.findPath(IpAddress.parse('2001:db8:9::1'), null, 0);
    if (typeof path === 'number') throw new Error(`no path: ${path}`);
    expect(`${String(path.nextHop)} ${String(path.src)}`).toBe('fe80::fe 2001:db8:1::ff:fe00:a');
    const near = world.stack.findPath(IpAddress.parse('2001:db8:1::77'), null, 0);
    expect(typeof near === 'number' ? near : String(near.nextHop)).toBe('2001:db8:1::77');
    expect(world.nic.neighbours!.get(ROUTER_ADDRESS)!.isRouter).toBe(true);
  });

  it('lets lifetimes run out: deprecated first, then gone', () => {
    const world = host();
    world.network.advance(2_100);
    inject(world, ROUTER_ADDRESS, advertisement('2001:db8:1::', 200, 100, 50));
    world.network.advance(40_000);
    expect(world.stack.routes.routes.filter((route) => route.gateway !== null)).toHaveLength(1);
    world.network.advance(15_000);
    expect(world.stack.routes.routes.filter((route) => route.gateway !== null)).toHaveLength(0);
    world.network.advance(60_000);
    expect(states(world)[1]).toBe(`2001:db8:1::ff:fe00:a ${AddressState.DEPRECATED}`);
    world.network.advance(100_000);
    expect(states(world)).toHaveLength(1);
    expect(world.stack.timers.count).toBe(0);
  });

  it('does not shorten a lifetime below two hours: RFC 4862 section 5.5.3 (e)', () => {
    const world = host();
    world.network.advance(2_100);
    inject(world, ROUTER_ADDRESS, advertisement('2001:db8:1::', 86_400, 14_400));
    inject(world, ROUTER_ADDRESS, advertisement('2001:db8:1::', 1, 1));
    world.network.advance(7_000_000);
    expect(states(world)).toHaveLength(2);
    world.network.advance(300_000);
    expect(states(world)).toHaveLength(1);
  });

  it('bounds the addresses that advertisements can make', () => {
    const world = host();
    world.network.advance(2_100);
    for (let i = 0; i < 100; i++) {
      inject(world, ROUTER_ADDRESS, advertisement(`2001:db8:${i.toString(16)}::`, 86_400, 14_400));
    }
    expect(world.nic.addresses).toHaveLength(RA_ADDRESS_COUNT_MAX);
  });

  it.each([
    ['has passed a router', ROUTER_ADDRESS, 254],
    ['does not come from a link-local address', IpAddress.parse('2001:db8::fe'), 255],
  ])('ignores an advertisement that %s', (_why, src, hopLimit) => {
    const world = host();
    world.network.advance(2_100);
    inject(world, src, advertisement('2001:db8:1::', 86_400, 14_400), hopLimit);
    expect(states(world)).toHaveLength(1);
  });
});

describe('NeighbourCache, RFC 4861 section 7.3', () => {
  it('goes from REACHABLE over STALE, DELAY and PROBE to FAILED, or back', () => {
    const network = new Network();
    const [a, b] = [network.stack({ dadTransmits: 0 }), network.stack({ dadTransmits: 0 })];
    const cable = network.cable({ linkAddresses: [OWN, ROUTER] });
    const nicA = a.addNic('eth0', cable[0], { addresses: [parsePrefix('fd00::1/64')] });
    const nicB = b.addNic('eth0', cable[1], { addresses: [parsePrefix('fd00::2/64')] });
    const peer = IpAddress.parse('fd00::2');
    const send = (): void => {
      a.enter();
      nicA.neighbours!.send(testPacket(), peer, a.nowMs);
      a.leave();
    };
    const state = (): number => nicA.neighbours!.get(peer)!.state;
    send();
    expect(state()).toBe(NeighbourState.INCOMPLETE);
    network.advance(1);
    expect(state()).toBe(NeighbourState.REACHABLE);
    network.advance(45_001);
    expect(state()).toBe(NeighbourState.STALE);
    send();
    expect(state()).toBe(NeighbourState.DELAY);
    network.advance(5_001);
    expect(state()).toBe(NeighbourState.REACHABLE);
    network.advance(45_001);
    nicB.down();
    send();
    network.advance(5_001);
    expect(state()).toBe(NeighbourState.PROBE);
    network.advance(3_001);
    expect(state()).toBe(NeighbourState.FAILED);
  });
});

function testPacket(): PacketBuffer {
  const packet = PacketBuffer.copyOf(new Uint8Array(40));
  packet.etherType = ETH_P_IPV6;
  return packet;
}
