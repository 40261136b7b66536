import { type PacketBuffer, PacketBuffer as Packet, PacketFlag } from '../buffer/packet-buffer.js';
import type { LinkEndpoint, LinkSink } from '../link/link-endpoint.js';
import { NeighbourCache, type NeighbourSolicitor } from '../link/neighbour-cache.js';
import type { Stack } from '../stack.js';
import { ARPOP_REQUEST, ARP_BYTES, storeArp } from '../wire/arp.js';
import {
  ETHERNET_BROADCAST,
  ETHERNET_HEADER_BYTES,
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  ethernetDestinationAt,
  ethernetType,
  isLinkBroadcast,
  isLinkMulticast,
  type LinkAddress,
  linkAddressEquals,
  multicastLinkAddress,
  storeEthernet,
} from '../wire/ethernet.js';
import { IPV6_MTU_MIN } from '../wire/ipv6.js';
import { IPV4_ALL_SYSTEMS, IPV6_ALL_NODES, type IpAddress, type IpPrefix, prefixBitsOf } from '../wire/ip-address.js';
import { IPPROTO_UDP } from '../wire/protocol.js';
import { arpInput } from './arp.js';
import type { AddressDefence } from './address-defence.js';
import { gsoSegment, gsoTextLen } from './gso.js';
import { NicAddress } from './nic-address.js';
import { NicGroups } from './nic-groups.js';
import { ANY_SOURCE, NO_SOURCE, type SourceFilter } from './source-filter.js';
import { completeChecksum } from './transport-checksum.js';

/** Counters of rtnetlink(7) `rtnl_link_stats`. */
export class NicStats {
  rxPackets = 0;
  rxBytes = 0;
  rxDropped = 0;
  rxErrors = 0;
  multicast = 0;
  txPackets = 0;
  txBytes = 0;
  txDropped = 0;
}

/** A network interface: a link, its addresses, groups and neighbours. Made by {@link Stack.addNic}. */
export class Nic implements LinkSink, NeighbourSolicitor {
  readonly id: number;
  name: string;
  readonly link: LinkEndpoint;
  readonly stats = new NicStats();
  /** Neighbours, if the link has addresses. */
  readonly neighbours: NeighbourCache | null;
  /** How many want frames that are for others too. */
  promiscuity = 0;
  /** Hop limit that a router advertised, RFC 4861 section 6.3.2. */
  hopLimit: number;
  /** Accepts router advertisements and configures itself by them. */
  acceptsRouterAdvertisements = false;
  /** Takes unicast packets to any address: for gateways that stand for the hosts behind them. */
  acceptsAnyAddress = false;
  /** Bytes of the largest IP packet; at most the link's. Set by {@link Nic.setMtu}. */
  mtu: number;
  /** Hears ARP for the address that it defends; null if none is defended. */
  defence: AddressDefence | null = null;
  /** Whether {@link Stack.flushLater} knows of it. */
  needsFlush = false;
  #isUp = false;
  #isPromiscuous = false;
  /** Who gets the frames that come in instead of the stack; null for nobody. */
  #diversion: LinkSink | null = null;
  readonly #stack: Stack;
  readonly #addresses: NicAddress[] = [];
  readonly #groups = new NicGroups();

  constructor(stack: Stack, id: number, name: string, link: LinkEndpoint) {
    this.#stack = stack;
    this.id = id;
    this.name = name;
    this.link = link;
    this.mtu = link.mtu;
    this.hopLimit = stack.hopLimit;
    this.neighbours = link.linkAddress === null ? null : new NeighbourCache(stack.timers, stack.random, this);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  get isLoopback(): boolean {
    return this.link.isLoopback;
  }

  get addresses(): readonly NicAddress[] {
    return this.#addresses;
  }

  /** Whether the link carries IPv6 packets. */
  get hasIpv6(): boolean {
    return this.mtu >= IPV6_MTU_MIN;
  }

  /** Whether the interface takes frames for others too by itself, besides what sockets ask of it: IFF_PROMISC. */
  get isPromiscuous(): boolean {
    return this.#isPromiscuous;
  }

  set isPromiscuous(wanted: boolean) {
    if (wanted !== this.#isPromiscuous) this.promiscuity += wanted ? 1 : -1;
    this.#isPromiscuous = wanted;
  }

  /** Takes packets from now on. The prefixes get their routes; IPv6 its link-local address, and looks for routers. */
  up(): void {
    if (this.#isUp) return;
    this.#stack.enter();
    this.#isUp = true;
    this.link.attach(this);
    this.#stack.nicUp(this);
    for (const group of this.#groups.keys()) this.#groupChanged(group, NO_SOURCE);
    this.joinGroup(IPV4_ALL_SYSTEMS);
    if (this.hasIpv6) {
      this.joinGroup(IPV6_ALL_NODES);
      this.#stack.ndp.nicUp(this);
    }
    this.#stack.routes.invalidate();
    this.#stack.leave();
  }

  /** Takes no packets any more. The routes go, and the IPv6 addresses, as net.ipv6.conf.*.keep_addr_on_down 0 says. */
  down(): void {
    if (!this.#isUp) return;
    this.#stack.enter();
    this.#isUp = false;
    this.link.attach(null);
    this.#stack.ndp.nicDown(this);
    this.leaveGroup(IPV4_ALL_SYSTEMS);
    if (this.hasIpv6) this.leaveGroup(IPV6_ALL_NODES);
    this.neighbours?.clear();
    for (const { address } of this.#addresses.filter((entry) => !entry.address.isIpv4)) this.removeAddress(address);
    this.#stack.nicDown(this);
    this.#stack.leave();
  }

  /** Sets the MTU, 68 to the link's. False if it is out of range. */
  setMtu(mtu: number): boolean {
    if (mtu < 68 || mtu > this.link.mtu) return false;
    this.mtu = mtu;
    this.#stack.routes.invalidate();
    return true;
  }

  /**
   * Adds an address and, when the interface is up and unless `flags` have IFA_F_NOPREFIXROUTE, the route to its prefix.
   * Null if it is there.
   */
  addAddress(prefix: IpPrefix, flags = 0): NicAddress | null {
    if (this.findAddress(prefix.address) !== undefined) return null;
    const entry = new NicAddress(this, prefix.address.clone(), prefix.prefixLen, flags);
    this.#addresses.push(entry);
    this.#stack.enter();
    this.#stack.addressAdded(this, entry);
    this.#stack.leave();
    return entry;
  }

  /** Removes an address and the route to its prefix; whether it was there. */
  removeAddress(address: IpAddress): boolean {
    const index = this.#addresses.findIndex((entry) => entry.address.equals(address));
    if (index < 0) return false;
    const [entry] = this.#addresses.splice(index, 1);
    this.#stack.enter();
    this.#stack.addressRemoved(this, entry!);
    this.#stack.leave();
    return true;
  }

  findAddress(address: IpAddress): NicAddress | undefined {
    for (const entry of this.#addresses) if (entry.address.equals(address)) return entry;
    return undefined;
  }

  /** Whether `address` is on the link: in the prefix of one of the interface's addresses. */
  isOnLink(address: IpAddress): boolean {
    for (const entry of this.#addresses) {
      if (entry.address.isIpv4 === address.isIpv4 && address.matches(entry.address, prefixBitsOf(entry))) return true;
    }
    return false;
  }

  /** Whether `address` is 255.255.255.255 or the broadcast address of one of the prefixes. */
  isBroadcast(address: IpAddress): boolean {
    if (!address.isIpv4) return false;
    if (address.w3 === -1) return true;
    for (const entry of this.#addresses) if (entry.isBroadcast(address)) return true;
    return false;
  }

  /** Joins a multicast group for one more user, who wants `filter`. False when the interface has joined too many. */
  joinGroup(group: IpAddress, filter = ANY_SOURCE): boolean {
    return this.#groupChanged(group, this.#groups.add(group, filter));
  }

  /** Undoes one {@link Nic.joinGroup}; whether the group was joined. */
  leaveGroup(group: IpAddress, filter = ANY_SOURCE): boolean {
    return this.#groupChanged(group, this.#groups.remove(group, filter));
  }

  /** A user of a group that wanted `from` wants `to` now; whether there was one. */
  changeGroup(group: IpAddress, from: SourceFilter, to: SourceFilter): boolean {
    return this.#groupChanged(group, this.#groups.replace(group, from, to));
  }

  /** Whether packets of `source` to `group` are wanted. */
  takesGroup(group: IpAddress, source: IpAddress): boolean {
    return this.#groups.wanted(group).accepts(source);
  }

  /** What the users of a group want together: nothing if nobody has joined it. */
  groupFilter(group: IpAddress): SourceFilter {
    return this.#groups.wanted(group);
  }

  /** What each user of a group wants. */
  groupUsers(group: IpAddress): readonly SourceFilter[] {
    return this.#groups.users(group);
  }

  /** The groups joined. */
  groups(): IterableIterator<IpAddress> {
    return this.#groups.keys();
  }

  #groupChanged(group: IpAddress, before: SourceFilter | null): boolean {
    if (before === null) return false;
    this.#stack.enter();
    this.#stack.groups.changed(this, group, before, this.#groups.wanted(group));
    this.#stack.leave();
    return true;
  }

  /** Takes a packet from the link; the stack gets to it as soon as it is not busy with another. */
  deliver(packet: PacketBuffer): void {
    const sink = this.#diversion;
    if (sink === null) return this.#stack.enqueue(this, packet);
    this.stats.rxPackets++;
    this.stats.rxBytes += packet.len;
    if (this.#stack.raw.hasPacketSockets && packet.len >= ETHERNET_HEADER_BYTES) this.#tapDiverted(packet);
    sink.deliver(packet);
  }

  /** Gives the frames that come in to `sink` and no longer to the stack, until it is null: for ports of a bridge. */
  divert(sink: LinkSink | null): void {
    this.#diversion = sink;
  }

  /** Part of {@link LinkSink}. */
  begin(): void {
    this.#stack.enter();
  }

  end(): void {
    this.#stack.leave();
  }

  /** Handles a packet that {@link Nic.deliver} took. */
  receive(packet: PacketBuffer): void {
    if (!this.#isUp) return packet.release();
    this.stats.rxPackets++;
    this.stats.rxBytes += packet.len;
    packet.nicId = this.id;
    packet.mark = 0;
    packet.ownerUid = -1;
    packet.ownerGid = -1;
    if (!this.isLoopback) packet.forgetFlow();
    packet.arrivedMs = this.#stack.nowMs;
    packet.flags &= PacketFlag.CHECKSUM_VERIFIED | PacketFlag.CHECKSUM_PARTIAL | PacketFlag.LOOPED_BACK;
    packet.linkAt = packet.at;
    packet.transportAt = -1;
    if (packet.flags & PacketFlag.LOOPED_BACK) return this.#demux(packet);
    if (this.link.linkAddress === null) this.#receiveBare(packet);
    else this.#receiveFrame(packet, this.link.linkAddress);
  }

  /**
   * Sends an IP packet to `nextHop`, which is on the link, a group or a broadcast address. The packet is no larger
   * than the MTU.
   */
  transmit(packet: PacketBuffer, nextHop: IpAddress): void {
    const { neighbours } = this;
    if (packet.segmentBytes > 0 && !this.#takesSegments(packet)) return this.#transmitSegments(packet, nextHop);
    if (packet.flags & PacketFlag.CHECKSUM_PARTIAL && !this.link.hasChecksumOffload) completeChecksum(packet);
    if (neighbours === null) return this.#send(packet);
    if (nextHop.isMulticast) return this.transmitTo(packet, multicastLinkAddress(nextHop));
    if (this.isBroadcast(nextHop)) return this.transmitTo(packet, ETHERNET_BROADCAST);
    neighbours.send(packet, nextHop, this.#stack.nowMs);
  }

  /** Sends a packet of type {@link PacketBuffer.etherType} to a link address. */
  transmitTo(packet: PacketBuffer, to: LinkAddress): void {
    const at = packet.prepend(ETHERNET_HEADER_BYTES);
    packet.linkAt = at;
    storeEthernet(packet.bytes, at, to, this.link.linkAddress!, packet.etherType);
    this.#send(packet);
  }

  /** Sends a whole frame (or bare packet) as it is: packet sockets. */
  transmitRaw(packet: PacketBuffer): void {
    this.#send(packet);
  }

  /** Part of {@link NeighbourSolicitor}. */
  solicit(target: IpAddress, to: LinkAddress | null): void {
    if (target.isIpv4) this.#arpRequest(target, to);
    else this.#stack.ndp.solicitNeighbour(this, target, to);
  }

  /** Part of {@link NeighbourSolicitor}: the next hop does not answer. */
  unreachable(packet: PacketBuffer): void {
    this.#stack.hostUnreachable(packet);
  }

  /** Sends an ARP request or probe: with a null `to` to everybody. */
  #arpRequest(target: IpAddress, to: LinkAddress | null): void {
    const source = this.#stack.sourceFor(this, target);
    if (source !== null) this.sendArpRequest(source, target, to);
  }

  /** Asks `to`, or with null everybody, who has `target`; of `source` 0.0.0.0 without saying who asks. */
  sendArpRequest(source: IpAddress, target: IpAddress, to: LinkAddress | null): void {
    const packet = Packet.allocate(ARP_BYTES);
    packet.etherType = ETH_P_ARP;
    const at = packet.extend(ARP_BYTES);
    storeArp(packet.bytes, at, ARPOP_REQUEST, this.link.linkAddress!, source, null, target);
    this.transmitTo(packet, to ?? ETHERNET_BROADCAST);
  }

  /** Whether the link takes a packet of several segments whole; datagrams only stay together on this machine. */
  #takesSegments(packet: PacketBuffer): boolean {
    if (packet.protocol === IPPROTO_UDP) return this.isLoopback;
    return packet.len <= this.link.gsoBytesMax;
  }

  /** Cuts up a packet of several segments that the link does not take whole. */
  #transmitSegments(packet: PacketBuffer, nextHop: IpAddress): void {
    for (let from = 0, more = true; more; from += packet.segmentBytes) {
      more = from + packet.segmentBytes < gsoTextLen(packet);
      this.transmit(gsoSegment(packet, from), nextHop);
    }
    packet.release();
  }

  #send(packet: PacketBuffer): void {
    if (!this.#isUp) {
      this.stats.txDropped++;
      return packet.release();
    }
    this.stats.txPackets++;
    this.stats.txBytes += packet.len;
    if (this.#stack.raw.hasPacketSockets) this.#stack.raw.tapOutgoing(this, packet);
    this.link.send(packet);
    if (this.link.flush !== undefined && !this.needsFlush) this.#stack.flushLater(this);
  }

  #receiveBare(packet: PacketBuffer): void {
    const version = packet.len === 0 ? 0 : packet.bytes[packet.at]! >>> 4;
    packet.etherType = version === 4 ? ETH_P_IP : version === 6 ? ETH_P_IPV6 : 0;
    if (this.#stack.raw.hasPacketSockets) this.#stack.raw.tapIncoming(this, packet);
    this.#demux(packet);
  }

  #receiveFrame(packet: PacketBuffer, own: LinkAddress): void {
    const { bytes, at } = packet;
    if (packet.len < ETHERNET_HEADER_BYTES) return this.#drop(packet);
    packet.etherType = ethernetType(bytes, at);
    const to = ethernetDestinationAt(at);
    const isOurs = linkAddressEquals(bytes, to, own);
    if (!isOurs && isLinkMulticast(bytes, to)) {
      this.stats.multicast++;
      packet.flags |= isLinkBroadcast(bytes, to) ? PacketFlag.LINK_BROADCAST : PacketFlag.LINK_MULTICAST;
    } else if (!isOurs) {
      if (this.promiscuity === 0) return this.#drop(packet);
      if (this.#stack.raw.hasPacketSockets) this.#stack.raw.tapIncoming(this, packet);
      return packet.release();
    }
    if (this.#stack.raw.hasPacketSockets) this.#stack.raw.tapIncoming(this, packet);
    packet.trimFront(ETHERNET_HEADER_BYTES);
    this.#demux(packet);
  }

  #demux(packet: PacketBuffer): void {
    switch (packet.etherType) {
      case ETH_P_IP:
        return this.#stack.ipv4.input(this, packet);
      case ETH_P_IPV6:
        return this.hasIpv6 ? this.#stack.ipv6.input(this, packet) : this.#drop(packet);
      case ETH_P_ARP:
        return this.link.linkAddress === null ? this.#drop(packet) : arpInput(this.#stack, this, packet);
      default:
        return this.#drop(packet);
    }
  }

  /** Packet sockets see what goes to the bridge, too. */
  #tapDiverted(packet: PacketBuffer): void {
    packet.linkAt = packet.at;
    packet.etherType = ethernetType(packet.bytes, packet.at);
    packet.nicId = this.id;
    packet.arrivedMs = this.#stack.nowMs;
    this.#stack.raw.tapIncoming(this, packet);
  }

  #drop(packet: PacketBuffer): void {
    this.stats.rxDropped++;
    packet.release();
  }
}
