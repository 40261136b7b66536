import { EACCES, EADDRNOTAVAIL, EHOSTUNREACH, EINVAL, ENETUNREACH } from '@tsv/abi';
import { type Clock, TimerQueue } from '@tsv/clock';
import { type PacketBuffer, PacketQueue } from './buffer/packet-buffer.js';
import { Icmp } from './icmp/icmp.js';
import { type IcmpError, IcmpError as Report, SO_EE_ORIGIN_LOCAL } from './icmp/icmp-error.js';
import { Ping } from './icmp/ping.js';
import type { LinkEndpoint } from './link/link-endpoint.js';
import { LoopbackLink } from './link/loopback.js';
import { AddressMap } from './net/address-map.js';
import { Ipv4 } from './net/ipv4.js';
import { Ipv6 } from './net/ipv6.js';
import { MulticastGroups } from './net/multicast-groups.js';
import { Ndp } from './net/ndp.js';
import { Nic } from './net/nic.js';
import { IFA_F_NOPREFIXROUTE, type NicAddress } from './net/nic-address.js';
import type { PacketFilter } from './net/packet-filter.js';
import { Path } from './net/path.js';
import { Random, type RandomSource } from './net/random.js';
import { Redirects } from './net/redirects.js';
import {
  type Route,
  RouteTable,
  RTN_BLACKHOLE,
  RTN_PROHIBIT,
  RTN_UNICAST,
  RTN_UNREACHABLE,
  RTPROT_KERNEL,
} from './net/route-table.js';
import { FR_ACT_TO_TBL, RoutingRules, RT_TABLE_MAIN, ruleFits } from './net/routing-rules.js';
import { selectSource } from './net/source-selection.js';
import { StackStats } from './net/stack-stats.js';
import { TemporaryUse } from './net/temporary-addresses.js';
import { Raw } from './raw/raw.js';
import { Tcp } from './socket/tcp.js';
import { Udp } from './udp/udp.js';
import { ICMP_DEST_UNREACH, ICMP_HOST_UNREACH } from './wire/icmpv4.js';
import { ICMPV6_ADDR_UNREACH, ICMPV6_DEST_UNREACH } from './wire/icmpv6.js';
import { IPV4_ANY, IPV4_LOOPBACK, IPV6_LOOPBACK, type IpAddress, type IpPrefix } from './wire/ip-address.js';
import { IPV6_MTU_MIN } from './wire/ipv6.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_IGMP, IPPROTO_TCP, IPPROTO_UDP } from './wire/protocol.js';

/** What a stack is made with. */
export interface StackOptions {
  readonly clock: Clock;
  readonly random: RandomSource;
  /** TTL and hop limit of packets, net.ipv4.ip_default_ttl. */
  readonly hopLimit?: number;
  /** Neighbour solicitations of duplicate address detection; 0 turns it off. */
  readonly dadTransmits?: number;
  /** Takes packets only to addresses of the interface they come in by: the strong host model of RFC 1122. */
  readonly strongHost?: boolean;
}

/** What {@link Stack.addNic} may be told. */
export interface NicOptions {
  readonly addresses?: readonly IpPrefix[];
  /** Configures itself by router advertisements. */
  readonly acceptsRouterAdvertisements?: boolean;
  /** Leaves the interface down. */
  readonly isDown?: boolean;
}

const HOP_LIMIT = 64;
/** net.core.netdev_max_backlog, in packets. */
export const BACKLOG_COUNT_MAX = 4096;
/** Packets handled before the stack returns to its caller, and before TCP is asked for output. */
const RUN_COUNT_MAX = 8192;
const BATCH_COUNT = 32;
/** net.ipv4.route.min_pmtu and mtu_expires. */
const PMTU_MIN = 552;
const PMTU_EXPIRES_MS = 600_000;
const PMTU_COUNT_MAX = 1024;
const FORWARD_PATH_COUNT_MAX = 1024;

/**
 * A TCP/IP stack: interfaces, addresses, routes, and the protocols over them. It does nothing by itself: packets come
 * in by the links, calls by the sockets, and time by {@link Stack.poll}, which is due at {@link Stack.pollAtMs}.
 */
export class Stack {
  readonly clock: Clock;
  readonly random: Random;
  readonly hopLimit: number;
  readonly dadTransmits: number;
  readonly timers = new TimerQueue();
  /** The main table of routes. */
  readonly routes = new RouteTable();
  /** Which tables are asked for which packets. */
  readonly rules = new RoutingRules(() => this.routes.invalidate());
  readonly stats = new StackStats();
  /** Keeps outsiders from making hashes collide. */
  readonly hashSeed: number;
  /** Monotonic time of what is being handled. */
  nowMs: number;
  forwardsIpv4 = false;
  forwardsIpv6 = false;
  /** Sees every packet; null if nobody does. */
  filter: PacketFilter | null = null;
  /** Called when {@link Stack.pollAtMs} becomes earlier than it was when last called: for whoever drives the stack. */
  onDeadline: ((atMs: number) => void) | null = null;
  /** Called when a call has left what it causes for {@link Stack.settle}: for whoever lets callers go on before that is done. */
  onUnsettled: (() => void) | null = null;

  readonly groups: MulticastGroups;
  readonly ndp: Ndp;
  readonly ipv4: Ipv4;
  readonly ipv6: Ipv6;
  readonly icmp: Icmp;
  readonly redirects: Redirects;
  readonly ping = new Ping();
  readonly raw = new Raw();
  readonly udp: Udp;
  readonly tcp: Tcp;
  /** The loopback interface, `lo`, number 1. */
  readonly loopback: Nic;

  readonly #isStrongHost: boolean;
  readonly #nics: (Nic | undefined)[] = [];
  readonly #local: AddressMap<NicAddress[]>;
  readonly #pmtu: AddressMap<{ mtu: number; untilMs: number }>;
  /** When the first of {@link Stack.#pmtu} is over. */
  #pmtuExpiresMs = Infinity;
  readonly #forwardPaths: AddressMap<Path>;
  #forwardGeneration = 0;
  readonly #tables = new Map<number, RouteTable>([[RT_TABLE_MAIN, this.routes]]);
  readonly #inbox = new PacketQueue();
  readonly #unflushed: Nic[] = [];
  readonly #report = new Report();
  #depth = 0;
  #toldMs = Infinity;
  #isUnsettled = false;

  constructor(options: StackOptions) {
    this.clock = options.clock;
    this.nowMs = options.clock.monotonicMs();
    this.random = new Random(options.random);
    this.hopLimit = options.hopLimit ?? HOP_LIMIT;
    this.dadTransmits = options.dadTransmits ?? 1;
    this.#isStrongHost = options.strongHost ?? false;
    this.hashSeed = this.random.u32() | 0;
    this.#local = new AddressMap(this.random.u32());
    this.#pmtu = new AddressMap(this.random.u32());
    this.#forwardPaths = new AddressMap(this.random.u32());
    this.groups = new MulticastGroups(this);
    this.ndp = new Ndp(this);
    this.ipv4 = new Ipv4(this);
    this.ipv6 = new Ipv6(this);
    this.icmp = new Icmp(this);
    this.redirects = new Redirects(this);
    this.udp = new Udp(this);
    this.tcp = new Tcp(this);
    this.loopback = this.addNic('lo', new LoopbackLink());
  }

  /** Adds an interface and brings it up, unless it shall be down. */
  addNic(name: string, link: LinkEndpoint, options: NicOptions = {}): Nic {
    const nic = new Nic(this, this.#nics.length === 0 ? 1 : this.#nics.length, name, link);
    this.#nics[nic.id] = nic;
    nic.acceptsRouterAdvertisements = options.acceptsRouterAdvertisements ?? false;
    this.enter();
    if (options.isDown !== true) nic.up();
    for (const prefix of options.addresses ?? []) nic.addAddress(prefix);
    this.leave();
    return nic;
  }

  /** Removes an interface with its addresses and routes; whether it was there. The loopback interface stays. */
  removeNic(id: number): boolean {
    const nic = this.#nics[id];
    if (nic === undefined || nic === this.loopback) return false;
    this.enter();
    for (const entry of [...nic.addresses]) nic.removeAddress(entry.address);
    nic.down();
    for (const table of this.#tables.values()) table.removeWhere((route) => route.nicId === id);
    this.#nics[id] = undefined;
    this.leave();
    return true;
  }

  /** The interface with this number, or undefined. */
  nic(id: number): Nic | undefined {
    return this.#nics[id];
  }

  /** All interfaces, by number. */
  get nics(): Nic[] {
    return this.#nics.filter((nic) => nic !== undefined);
  }

  /** Handles what is due at `nowMs`: timers, and packets that were left over. */
  poll(nowMs = this.clock.monotonicMs()): void {
    this.#toldMs = Infinity;
    this.enter();
    this.nowMs = nowMs;
    this.timers.run(nowMs);
    this.leave();
  }

  /** When {@link Stack.poll} is due: monotonic milliseconds, Infinity if nothing waits for time. */
  pollAtMs(): number {
    return this.#inbox.count > 0 ? this.nowMs : this.timers.nextDeadlineMs;
  }

  /** Begins a call into the stack; what it causes is handled at the outermost {@link Stack.leave}. */
  enter(): void {
    if (this.#depth++ > 0) return;
    this.nowMs = this.clock.monotonicMs();
    if (this.nowMs >= this.#pmtuExpiresMs) this.#expirePmtu();
  }

  leave(): void {
    if (this.#depth === 1) {
      this.#run();
      if (this.#unflushed.length > 0) this.#flushLinks();
    }
    this.#depth--;
    if (this.#depth > 0 || this.onDeadline === null) return;
    const atMs = this.pollAtMs();
    if (atMs >= this.#toldMs) return;
    this.#toldMs = atMs;
    this.onDeadline(atMs);
  }

  /** Ends a call into the stack, and leaves what it causes for {@link Stack.settle} where somebody will call that. */
  leaveUnsettled(): void {
    // A caller that makes several calls in a row needs the room that the earlier ones' segments leave.
    if (this.onUnsettled === null || this.#depth > 1 || this.#isUnsettled) return this.leave();
    this.#depth = 0;
    this.#isUnsettled = true;
    this.onUnsettled();
  }

  /** Handles what {@link Stack.leaveUnsettled} has left. */
  settle(): void {
    this.#isUnsettled = false;
    this.#depth++;
    this.leave();
  }

  /** Has the link of `nic` flushed when the current call into the stack is over. Called by {@link Nic}. */
  flushLater(nic: Nic): void {
    nic.needsFlush = true;
    this.#unflushed.push(nic);
  }

  /** Takes a packet from a link. If the stack is busy the packet waits; so links may deliver from wherever they are. */
  enqueue(nic: Nic, packet: PacketBuffer): void {
    if (this.#inbox.count >= BACKLOG_COUNT_MAX) {
      this.stats.backlogDropped++;
      nic.stats.rxDropped++;
      return packet.release();
    }
    packet.nicId = nic.id;
    this.#inbox.push(packet);
    if (this.#depth > 0) return;
    this.enter();
    this.leave();
  }

  /** Hands upper-layer data, from `packet.at`, to its protocol. False, and the packet is still the caller's, if none. */
  deliver(nic: Nic, packet: PacketBuffer): boolean {
    const isIpv4 = packet.src.isIpv4;
    switch (packet.protocol) {
      case IPPROTO_TCP:
        this.tcp.input(nic, packet);
        return true;
      case IPPROTO_UDP:
        this.udp.input(nic, packet);
        return true;
      case IPPROTO_ICMP:
        if (isIpv4) this.icmp.input4(nic, packet);
        return isIpv4;
      case IPPROTO_ICMPV6:
        if (!isIpv4) this.icmp.input6(nic, packet);
        return !isIpv4;
      case IPPROTO_IGMP:
        if (isIpv4) this.groups.inputIgmp(nic, packet);
        return isIpv4;
      default:
        return false;
    }
  }

  /** Hands an ICMP error to the sockets that it concerns; whether there is one. */
  transportError(error: IcmpError): boolean {
    const wasRaw = this.raw.hasRawSockets && this.raw.error(error);
    switch (error.protocol) {
      case IPPROTO_TCP:
        return this.tcp.error(error) || wasRaw;
      case IPPROTO_UDP:
        return this.udp.error(error) || wasRaw;
      case IPPROTO_ICMP:
      case IPPROTO_ICMPV6:
        return this.ping.error(error) || wasRaw;
      default:
        return wasRaw;
    }
  }

  /** Reports that a packet's next hop does not answer: to its sender, or to the socket that it came from. */
  hostUnreachable(packet: PacketBuffer): void {
    const isIpv4 = packet.dst.isIpv4;
    if (!this.isLocal(packet.src)) {
      if (isIpv4) this.icmp.sendError4(ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, 0, packet);
      else this.icmp.sendError6(ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, 0, packet);
      return packet.release();
    }
    this.redirects.forget(packet.dst);
    const report = this.#report;
    report.origin = SO_EE_ORIGIN_LOCAL;
    report.type = isIpv4 ? ICMP_DEST_UNREACH : ICMPV6_DEST_UNREACH;
    report.code = isIpv4 ? ICMP_HOST_UNREACH : ICMPV6_ADDR_UNREACH;
    report.errno = EHOSTUNREACH;
    report.isHard = true;
    report.info = 0;
    report.offender = packet.src;
    report.src.copyFrom(packet.src);
    report.dst.copyFrom(packet.dst);
    report.protocol = packet.protocol;
    report.packet = packet;
    report.quoteAt = packet.transportAt;
    report.quoteEnd = packet.end;
    if (packet.transportAt >= 0 && packet.end - packet.transportAt >= 8) this.transportError(report);
    report.packet = null;
    packet.release();
  }

  /** Whether `address` is assigned to an interface. All of 127.0.0.0/8 is. */
  isLocal(address: IpAddress): boolean {
    if (address.isIpv4 && address.isLoopback) return true;
    const entries = this.#local.get(address);
    return entries !== undefined && entries.some((entry) => entry.isAssigned);
  }

  /** Whether `address` is assigned to `nic`. */
  isLocalOn(nic: Nic, address: IpAddress): boolean {
    return nic.findAddress(address)?.isAssigned === true;
  }

  /** Whether packets to `dst` that came in by `nic` are ours: RFC 1122 section 3.3.4.2. */
  acceptsOn(nic: Nic, dst: IpAddress): boolean {
    if (!this.isLocal(dst)) return nic.acceptsAnyAddress && !dst.isMulticast && !nic.isBroadcast(dst);
    if (nic.isLoopback) return true;
    return this.#isStrongHost || (dst.isLinkLocal && !dst.isIpv4) ? this.isLocalOn(nic, dst) : true;
  }

  /** Whether `address` is a broadcast address of an interface. */
  isBroadcast(address: IpAddress): boolean {
    return this.#nics.some((nic) => nic !== undefined && nic.isBroadcast(address));
  }

  /** The address of `nic` to use towards `dst`, or null: RFC 6724 section 5. */
  sourceFor(nic: Nic, dst: IpAddress): IpAddress | null {
    const prefersTemporary = this.ndp.temporary.use === TemporaryUse.PREFERRED;
    return selectSource(nic.addresses, dst, prefersTemporary)?.address ?? null;
  }

  /**
   * The way to `dst`, from `src` if it is not null, out of interface `nicId` if that is not 0. Errors: ENETUNREACH,
   * EHOSTUNREACH, EACCES and EINVAL by the kind of route, EADDRNOTAVAIL without a source address.
   */
  findPath(dst: IpAddress, src: IpAddress | null, nicId: number, mark = 0): Path | number {
    const to = dst.isUnspecified ? (dst.isIpv4 ? IPV4_LOOPBACK : IPV6_LOOPBACK) : dst;
    if (this.#isOwn(to, nicId)) return this.#localPath(to, src);
    const direct = nicId !== 0 && (to.isMulticast || to.isLimitedBroadcast) ? this.#nics[nicId] : undefined;
    if (direct !== undefined) return this.#path(to, src, direct, null, null);
    const route = this.#routeOf(to, src, 0, nicId, mark);
    if (route === undefined) return this.#groupPath(to, src, nicId);
    if (route.type !== RTN_UNICAST) return errnoOfRoute(route);
    return this.#path(to, src, this.#nics[route.nicId]!, route.gateway, route);
  }

  /** The table of routes of this number, made if there is none; undefined if there are too many. */
  routingTable(id: number): RouteTable | undefined {
    let table = this.#tables.get(id);
    if (table === undefined && this.#tables.size < TABLE_COUNT_MAX) {
      table = new RouteTable(() => this.routes.invalidate());
      this.#tables.set(id, table);
    }
    return table;
  }

  /** The tables that there are, by number. */
  get routingTables(): ReadonlyMap<number, RouteTable> {
    return this.#tables;
  }

  /** The way for a packet of somebody else's, or the type of the route that has none ({@link RTN_UNICAST}: no route). */
  findForwardPath(packet: PacketBuffer): Path | number {
    if (this.#forwardGeneration !== this.routes.generation) {
      this.#forwardPaths.clear();
      this.#forwardGeneration = this.routes.generation;
    }
    const { hasOwn } = this.rules;
    const known = hasOwn ? undefined : this.#forwardPaths.get(packet.dst);
    if (known !== undefined) return known;
    const route = this.#routeOf(packet.dst, packet.src, packet.nicId, 0, packet.mark);
    if (route === undefined) return RTN_UNICAST;
    if (route.type !== RTN_UNICAST) return route.type;
    const nic = this.#nics[route.nicId]!;
    const dst = packet.dst.clone();
    const path = new Path(IPV4_ANY, dst, nic, route.gateway ?? dst, mtuOf(nic, route), this.routes.generation);
    if (hasOwn) return path;
    if (this.#forwardPaths.count >= FORWARD_PATH_COUNT_MAX) this.#forwardPaths.clear();
    this.#forwardPaths.set(dst, path);
    return path;
  }

  /** Learns that only packets up to `mtu` reach `dst`: RFC 1191, RFC 8201. */
  learnPmtu(dst: IpAddress, mtu: number): void {
    const known = this.#pmtu.get(dst);
    const floor = Math.max(mtu, dst.isIpv4 ? PMTU_MIN : IPV6_MTU_MIN);
    if (known !== undefined && known.untilMs > this.nowMs && known.mtu <= floor) return;
    if (this.#pmtu.count >= PMTU_COUNT_MAX) this.#pmtu.clear();
    const untilMs = this.nowMs + PMTU_EXPIRES_MS;
    this.#pmtu.set(dst, { mtu: floor, untilMs });
    this.#pmtuExpiresMs = Math.min(this.#pmtuExpiresMs, untilMs);
    this.routes.invalidate();
  }

  /** An interface has got an address. Called by {@link Nic}. */
  addressAdded(nic: Nic, entry: NicAddress): void {
    const entries = this.#local.get(entry.address);
    if (entries === undefined) this.#local.set(entry.address, [entry]);
    else entries.push(entry);
    if (nic.isUp) this.#addPrefixRoute(entry);
    this.routes.invalidate();
    this.ndp.addressAdded(entry);
  }

  /** An interface has lost an address. Called by {@link Nic}. */
  addressRemoved(nic: Nic, entry: NicAddress): void {
    const left = (this.#local.get(entry.address) ?? []).filter((other) => other !== entry);
    if (left.length > 0) this.#local.set(entry.address, left);
    else this.#local.delete(entry.address);
    if (!nic.addresses.some((other) => isSamePrefix(other, entry))) {
      this.routes.removeWhere(
        (route) => route.nicId === nic.id && route.protocol === RTPROT_KERNEL && isSamePrefix(route.destination, entry),
      );
    }
    this.routes.invalidate();
    this.ndp.addressRemoved(entry);
  }

  /** An interface has come up: its prefixes get their routes, the loopback one its addresses. Called by {@link Nic}. */
  nicUp(nic: Nic): void {
    for (const entry of nic.addresses) this.#addPrefixRoute(entry);
    if (!nic.isLoopback) return;
    if (!nic.addresses.some(({ address }) => address.isIpv4)) nic.addAddress({ address: IPV4_LOOPBACK, prefixLen: 8 });
    nic.addAddress({ address: IPV6_LOOPBACK, prefixLen: 128 });
  }

  /** An interface has gone down: no route leads out of it any more. Called by {@link Nic}. */
  nicDown(nic: Nic): void {
    for (const table of this.#tables.values()) {
      table.removeWhere(({ nicId, type }) => nicId === nic.id && type === RTN_UNICAST);
    }
    this.routes.invalidate();
  }

  #addPrefixRoute(entry: NicAddress): void {
    const { nic, address, prefixLen, flags } = entry;
    if (prefixLen === address.byteCount * 8 || (flags & IFA_F_NOPREFIXROUTE) !== 0 || nic.isLoopback) return;
    this.routes.add({ destination: entry, nicId: nic.id, source: null, metric: 0, protocol: RTPROT_KERNEL });
  }

  /** An address has passed duplicate address detection. */
  addressReady(_entry: NicAddress): void {
    this.routes.invalidate();
  }

  /** Sockets find their paths anew, and try what the link takes: RFC 1191 section 6.3. */
  #expirePmtu(): void {
    this.#pmtuExpiresMs = Infinity;
    for (const { untilMs } of this.#pmtu.values()) {
      if (untilMs > this.nowMs) this.#pmtuExpiresMs = Math.min(this.#pmtuExpiresMs, untilMs);
    }
    this.routes.invalidate();
  }

  readonly #isUsable = (nicId: number): boolean => this.#nics[nicId]?.isUp === true;

  /** Handles packets that wait, and lets TCP answer, until there is nothing left to do or enough has been done. */
  #run(): void {
    for (let count = 0; count < RUN_COUNT_MAX; count += BATCH_COUNT) {
      for (let i = 0; i < BATCH_COUNT; i++) {
        const packet = this.#inbox.shift();
        if (packet === null) break;
        const nic = this.#nics[packet.nicId];
        if (nic === undefined) packet.release();
        else nic.receive(packet);
      }
      this.tcp.flush();
      if (this.#inbox.count === 0) return;
    }
  }

  #flushLinks(): void {
    for (const nic of this.#unflushed) {
      nic.needsFlush = false;
      nic.link.flush?.();
    }
    this.#unflushed.length = 0;
  }

  /** The route for packets to `dst`: of the main table, or of the first that a rule names and that has one. */
  #routeOf(dst: IpAddress, src: IpAddress | null, inNicId: number, nicId: number, mark: number): Route | undefined {
    if (!this.rules.hasOwn) return this.routes.lookup(dst, nicId, this.#isUsable);
    const key = { dst, src, inNicId, outNicId: nicId, mark };
    for (const rule of this.rules.rules) {
      if (!ruleFits(rule, key)) continue;
      // The actions have the numbers of the types of routes that do the same.
      if (rule.action !== FR_ACT_TO_TBL) return NO_ROUTES.get(rule.action);
      const route = this.#tables.get(rule.table)?.lookup(dst, nicId, this.#isUsable);
      if (route !== undefined) return route;
    }
    return undefined;
  }

  /** Whether packets to `address` do not leave this machine. A link-local address is ours only on its interface. */
  #isOwn(address: IpAddress, nicId: number): boolean {
    if (address.isIpv4 && address.isLoopback) return true;
    const entries = this.#local.get(address);
    if (entries === undefined) return false;
    const isScoped = nicId !== 0 && address.isLinkLocal && !address.isIpv4;
    return entries.some((entry) => entry.isAssigned && (!isScoped || entry.nic.id === nicId));
  }

  #localPath(dst: IpAddress, src: IpAddress | null): Path | number {
    if (!this.loopback.isUp) return -ENETUNREACH;
    const source = src ?? (dst.isIpv4 && dst.isLoopback ? IPV4_LOOPBACK : dst);
    return new Path(source, dst, this.loopback, dst, this.loopback.mtu, this.routes.generation);
  }

  /** The way to a group that no route names: by the first interface that is no loopback. */
  #groupPath(dst: IpAddress, src: IpAddress | null, nicId: number): Path | number {
    if (!dst.isMulticast && !dst.isLimitedBroadcast) return -ENETUNREACH;
    const nic = this.#nics.find(
      (entry) => entry !== undefined && entry.isUp && !entry.isLoopback && (nicId === 0 || entry.id === nicId),
    );
    return nic === undefined ? -ENETUNREACH : this.#path(dst, src, nic, null, null);
  }

  #path(
    dst: IpAddress,
    src: IpAddress | null,
    nic: Nic,
    gateway: IpAddress | null,
    route: Route | null,
  ): Path | number {
    const source = src ?? route?.source ?? this.sourceFor(nic, dst) ?? this.#otherSource(dst);
    if (source === null) return -EADDRNOTAVAIL;
    const pmtu = this.#pmtu.get(dst);
    const learned = pmtu !== undefined && pmtu.untilMs > this.nowMs ? pmtu.mtu : Infinity;
    const mtu = Math.min(mtuOf(nic, route), learned);
    const nextHop = this.redirects.nextHopFor(dst, nic, gateway) ?? gateway ?? dst;
    return new Path(source, dst, nic, nextHop, mtu, this.routes.generation);
  }

  /** A source address of another interface, as Linux takes one; IPv4 may do without, as DHCP must. */
  #otherSource(dst: IpAddress): IpAddress | null {
    if (dst.isLinkLocal && !dst.isIpv4) return null;
    for (const nic of this.#nics) {
      if (nic === undefined || nic.isLoopback) continue;
      const source = this.sourceFor(nic, dst);
      if (source !== null && !(source.isLinkLocal && !source.isIpv4)) return source;
    }
    return dst.isIpv4 ? IPV4_ANY : null;
  }
}

/** Tables of routes that a program may make. */
const TABLE_COUNT_MAX = 256;

/** What rules answer that send packets nowhere. */
const NO_ROUTES = new Map<number, Route>(
  [RTN_BLACKHOLE, RTN_UNREACHABLE, RTN_PROHIBIT].map((type) => [
    type,
    {
      destination: { address: IPV4_ANY, prefixLen: 0 },
      nicId: 0,
      gateway: null,
      source: null,
      metric: 0,
      protocol: RTPROT_KERNEL,
      mtu: 0,
      type,
    },
  ]),
);

function mtuOf(nic: Nic, route: Route | null): number {
  return route === null || route.mtu === 0 ? nic.mtu : Math.min(nic.mtu, route.mtu);
}

function errnoOfRoute(route: Route): number {
  if (route.type === RTN_BLACKHOLE) return -EINVAL;
  return route.type === RTN_PROHIBIT ? -EACCES : -EHOSTUNREACH;
}

function isSamePrefix(a: IpPrefix, b: IpPrefix): boolean {
  if (a.prefixLen !== b.prefixLen || a.address.isIpv4 !== b.address.isIpv4) return false;
  return a.address.matches(b.address, a.address.isIpv4 ? a.prefixLen + 96 : a.prefixLen);
}
