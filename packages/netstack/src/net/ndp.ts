import { Timer } from '@tsv/clock';
import { copyBytes, PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import { interfaceIdentifier, type LinkAddress } from '../wire/ethernet.js';
import { icmpCode, storeIcmp } from '../wire/icmpv4.js';
import {
  NDISC_NEIGHBOUR_ADVERTISEMENT,
  NDISC_NEIGHBOUR_SOLICITATION,
  NDISC_REDIRECT,
  NDISC_ROUTER_ADVERTISEMENT,
  NDISC_ROUTER_SOLICITATION,
} from '../wire/icmpv6.js';
import { IPV6_ALL_NODES, IPV6_ALL_ROUTERS, IPV6_ANY, IpAddress, solicitedNodeAddress } from '../wire/ip-address.js';
import {
  findNdOption,
  loadNdTarget,
  ND_ADVERTISEMENT_BYTES,
  ND_LINK_OPTION_BYTES,
  ND_NA_FLAG_OVERRIDE,
  ND_NA_FLAG_ROUTER,
  ND_NA_FLAG_SOLICITED,
  ND_OPT_REDIRECTED_HEADER,
  ND_OPT_SOURCE_LINKADDR,
  ND_OPT_TARGET_LINKADDR,
  ND_REDIRECT_BYTES,
  ND_REDIRECTED_HEADER_BYTES,
  ND_ROUTER_ADVERTISEMENT_BYTES,
  ND_ROUTER_SOLICITATION_BYTES,
  ND_SOLICITATION_BYTES,
  ndAdvertisementFlags,
  ndOptionsAreWellFormed,
  storeNdLinkOption,
  storeNdRedirectDestination,
  storeNdTarget,
} from '../wire/ndp.js';
import { IPV6_HEADER_BYTES, IPV6_MTU_MIN } from '../wire/ipv6.js';
import { IPPROTO_ICMPV6 } from '../wire/protocol.js';
import type { Nic } from './nic.js';
import { AddressState, IFA_F_TEMPORARY, type NicAddress } from './nic-address.js';
import { Path } from './path.js';
import { RouterDiscovery } from './router-discovery.js';
import type { TemporaryAddresses } from './temporary-addresses.js';

/** RFC 4861 section 10 and RFC 4862 section 5.1. */
const MAX_RTR_SOLICITATIONS = 3;
const RTR_SOLICITATION_INTERVAL_MS = 4_000;
const MAX_RTR_SOLICITATION_DELAY_MS = 1_000;
const RETRANS_TIME_MS = 1_000;
/** Neighbour Discovery is on the link only; a router would have taken one off: RFC 4861 section 6.1. */
const ND_HOP_LIMIT = 255;

/** Asks for routers on one interface until one has answered. */
class RouterSolicitor extends Timer {
  readonly nic: Nic;
  readonly #ndp: Ndp;
  sentCount = 0;

  constructor(ndp: Ndp, nic: Nic) {
    super();
    this.#ndp = ndp;
    this.nic = nic;
  }

  fired(nowMs: number): void {
    this.#ndp.solicitRouters(this, nowMs);
  }
}

/** Neighbour Discovery (RFC 4861) and address autoconfiguration (RFC 4862) of one stack. */
export class Ndp {
  readonly #stack: Stack;
  readonly #routers: RouterDiscovery;
  readonly #solicitors = new Map<number, RouterSolicitor>();
  readonly #target = new IpAddress();

  constructor(stack: Stack) {
    this.#stack = stack;
    this.#routers = new RouterDiscovery(stack);
  }

  /** Addresses that change from day to day: RFC 8981. */
  get temporary(): TemporaryAddresses {
    return this.#routers.temporary;
  }

  /** Checks the addresses that the interface has, gives it its link-local one, and starts to look for routers. */
  nicUp(nic: Nic): void {
    for (const entry of [...nic.addresses]) this.addressAdded(entry);
    const { linkAddress } = nic.link;
    if (linkAddress === null) return;
    const address = new IpAddress(0xfe800000, 0, ...interfaceIdentifier(linkAddress));
    if (nic.findAddress(address) === undefined) nic.addAddress({ address, prefixLen: 64 });
    if (!nic.acceptsRouterAdvertisements) return;
    const solicitor = new RouterSolicitor(this, nic);
    this.#solicitors.set(nic.id, solicitor);
    const delayMs = this.#stack.random.below(MAX_RTR_SOLICITATION_DELAY_MS) + RETRANS_TIME_MS;
    this.#stack.timers.arm(solicitor, this.#stack.nowMs + delayMs);
  }

  nicDown(nic: Nic): void {
    this.#stopSoliciting(nic);
    this.#routers.forget(nic);
    for (const entry of nic.addresses) {
      this.#stack.timers.disarm(entry);
      leaveSolicitedGroup(entry);
    }
  }

  /** Joins the solicited-node group of a new address and checks that nobody has it: RFC 4862 section 5.4. */
  addressAdded(entry: NicAddress): void {
    const { nic, address } = entry;
    if (address.isIpv4 || address.isLoopback || !nic.isUp) return;
    const isChecked = nic.link.linkAddress !== null && this.#stack.dadTransmits > 0;
    // Before the group is reported: that is not done from an address that may be another's (RFC 3590 section 4).
    if (isChecked) entry.state = AddressState.TENTATIVE;
    nic.joinGroup(solicitedNodeAddress(address));
    if (!isChecked) return this.#dadDone(entry);
    entry.probesLeft = this.#stack.dadTransmits;
    entry.onTimer = this.#dadTimer;
    const delayMs = this.#stack.random.below(MAX_RTR_SOLICITATION_DELAY_MS);
    this.#stack.timers.arm(entry, this.#stack.nowMs + delayMs);
  }

  addressRemoved(entry: NicAddress): void {
    this.#stack.timers.disarm(entry);
    if (entry.nic.isUp) leaveSolicitedGroup(entry);
  }

  /** Handles a message whose ICMPv6 header is at `packet.at`; the checksum has been verified. */
  input(nic: Nic, packet: PacketBuffer, type: number): void {
    if (packet.hopLimit !== ND_HOP_LIMIT || icmpCode(packet.bytes, packet.at) !== 0 || nic.neighbours === null) return;
    switch (type) {
      case NDISC_NEIGHBOUR_SOLICITATION:
        return this.#solicited(nic, packet);
      case NDISC_NEIGHBOUR_ADVERTISEMENT:
        return this.#advertised(nic, packet);
      case NDISC_ROUTER_ADVERTISEMENT:
        return this.#routerAdvertised(nic, packet);
      case NDISC_REDIRECT:
        return this.#stack.redirects.input6(nic, packet);
    }
  }

  /** Asks who has `target`: everybody, or the neighbour itself when it is probed. */
  solicitNeighbour(nic: Nic, target: IpAddress, to: LinkAddress | null): void {
    const source = this.#stack.sourceFor(nic, target);
    if (source === null) return;
    this.#sendSolicitation(nic, source, to === null ? solicitedNodeAddress(target) : target, target);
  }

  /**
   * Tells the neighbour that sent `about`, a packet which goes back to the link it came from, to send to `nextHop` at
   * once: RFC 4861 section 8.2. The packet's IPv6 header is at `about.at`.
   */
  redirect(nic: Nic, about: PacketBuffer, nextHop: IpAddress): void {
    const own = nic.addresses.find((entry) => entry.address.isLinkLocal && !entry.address.isIpv4 && entry.isAssigned);
    const isNeighbour = about.src.isLinkLocal || nic.isOnLink(about.src);
    const isKnown = nextHop.isLinkLocal || nextHop.equals(about.dst);
    if (own === undefined || nic.neighbours === null || !isNeighbour || !isKnown || about.dst.isMulticast) return;
    if (!this.#stack.icmp.mayTell(about.src)) return;
    const linkAddress = nic.neighbours.get(nextHop)?.linkAddress ?? null;
    const linkLen = linkAddress === null ? 0 : ND_LINK_OPTION_BYTES;
    const quoteMax = IPV6_MTU_MIN - IPV6_HEADER_BYTES - ND_REDIRECT_BYTES - linkLen - ND_REDIRECTED_HEADER_BYTES;
    // Options come in units of eight bytes.
    const quoteLen = Math.min(about.len, quoteMax) & ~7;
    const packet = this.#message(
      NDISC_REDIRECT,
      0,
      ND_REDIRECT_BYTES + linkLen + ND_REDIRECTED_HEADER_BYTES + quoteLen,
    );
    const { bytes, at } = packet;
    storeNdTarget(bytes, at, nextHop);
    storeNdRedirectDestination(bytes, at, about.dst);
    const optionsAt = at + ND_REDIRECT_BYTES;
    if (linkAddress !== null) storeNdLinkOption(bytes, optionsAt, ND_OPT_TARGET_LINKADDR, linkAddress);
    const headerAt = optionsAt + linkLen;
    bytes[headerAt] = ND_OPT_REDIRECTED_HEADER;
    bytes[headerAt + 1] = (ND_REDIRECTED_HEADER_BYTES + quoteLen) / 8;
    copyBytes(about.bytes, about.at, bytes, headerAt + ND_REDIRECTED_HEADER_BYTES, quoteLen);
    this.#send(nic, packet, own.address, about.src.clone());
  }

  /** Sends the next router solicitation: RFC 4861 section 6.3.7. */
  solicitRouters(solicitor: RouterSolicitor, nowMs: number): void {
    const { nic } = solicitor;
    const source = nic.addresses.find((entry) => entry.address.isLinkLocal && entry.isAssigned)?.address ?? IPV6_ANY;
    const hasSource = !source.isUnspecified;
    const len = ND_ROUTER_SOLICITATION_BYTES + (hasSource ? ND_LINK_OPTION_BYTES : 0);
    const packet = this.#message(NDISC_ROUTER_SOLICITATION, 0, len);
    if (hasSource) {
      const optionAt = packet.at + ND_ROUTER_SOLICITATION_BYTES;
      storeNdLinkOption(packet.bytes, optionAt, ND_OPT_SOURCE_LINKADDR, nic.link.linkAddress!);
    }
    this.#send(nic, packet, source, IPV6_ALL_ROUTERS);
    solicitor.sentCount++;
    if (solicitor.sentCount < MAX_RTR_SOLICITATIONS) {
      this.#stack.timers.arm(solicitor, nowMs + RTR_SOLICITATION_INTERVAL_MS);
    }
  }

  readonly #dadTimer = (entry: NicAddress, nowMs: number): void => {
    if (entry.probesLeft === 0) return this.#dadDone(entry);
    entry.probesLeft--;
    this.#stack.timers.arm(entry, nowMs + RETRANS_TIME_MS);
    this.#sendSolicitation(entry.nic, IPV6_ANY, solicitedNodeAddress(entry.address), entry.address);
  };

  #dadDone(entry: NicAddress): void {
    entry.state = AddressState.PREFERRED;
    this.#stack.addressReady(entry);
    this.#routers.armLifetimes(entry);
  }

  /** Somebody has the address: RFC 4862 section 5.4.5. */
  #dadFailed(entry: NicAddress): void {
    entry.state = AddressState.DUPLICATE;
    this.#stack.timers.disarm(entry);
    if ((entry.flags & IFA_F_TEMPORARY) !== 0) this.temporary.taken(entry);
  }

  /** RFC 4861 sections 7.1.1 and 7.2.3, RFC 4862 section 5.4.3. */
  #solicited(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at, end, src, dst } = packet;
    const optionsAt = at + ND_SOLICITATION_BYTES;
    if (packet.len < ND_SOLICITATION_BYTES || !ndOptionsAreWellFormed(bytes, optionsAt, end)) return;
    const target = this.#target;
    loadNdTarget(bytes, at, target);
    const linkAt = findNdOption(bytes, optionsAt, end, ND_OPT_SOURCE_LINKADDR);
    const isProbe = src.isUnspecified;
    if (target.isMulticast || (isProbe && (linkAt >= 0 || !dst.equals(solicitedNodeAddress(target))))) return;
    const entry = nic.findAddress(target);
    if (entry === undefined) return;
    if (entry.state === AddressState.TENTATIVE && isProbe) return this.#dadFailed(entry);
    if (!entry.isAssigned) return;
    if (linkAt >= 0) nic.neighbours!.learn(src, bytes, linkAt + 2, this.#stack.nowMs);
    this.#advertise(nic, entry.address, isProbe ? IPV6_ALL_NODES : src.clone(), !isProbe);
  }

  /** RFC 4861 sections 7.1.2 and 7.2.5. */
  #advertised(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at, end } = packet;
    const optionsAt = at + ND_ADVERTISEMENT_BYTES;
    if (packet.len < ND_ADVERTISEMENT_BYTES || !ndOptionsAreWellFormed(bytes, optionsAt, end)) return;
    const target = this.#target;
    loadNdTarget(bytes, at, target);
    const flags = ndAdvertisementFlags(bytes, at);
    const isSolicited = (flags & ND_NA_FLAG_SOLICITED) !== 0;
    if (target.isMulticast || (packet.dst.isMulticast && isSolicited)) return;
    const own = nic.findAddress(target);
    if (own !== undefined) {
      if (own.state === AddressState.TENTATIVE && !(packet.flags & PacketFlag.LOOPED_BACK)) this.#dadFailed(own);
      return;
    }
    const optionAt = findNdOption(bytes, optionsAt, end, ND_OPT_TARGET_LINKADDR);
    const isRouter = (flags & ND_NA_FLAG_ROUTER) !== 0;
    const wasRouter = nic.neighbours!.get(target)?.isRouter === true;
    const overrides = (flags & ND_NA_FLAG_OVERRIDE) !== 0;
    const linkAt = optionAt < 0 ? -1 : optionAt + 2;
    nic.neighbours!.advertised(target, bytes, linkAt, isSolicited, overrides, isRouter, this.#stack.nowMs);
    if (wasRouter && !isRouter) this.#routers.lost(nic, target);
  }

  /** RFC 4861 section 6.1.2. */
  #routerAdvertised(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at, end, src } = packet;
    const optionsAt = at + ND_ROUTER_ADVERTISEMENT_BYTES;
    if (packet.len < ND_ROUTER_ADVERTISEMENT_BYTES || !ndOptionsAreWellFormed(bytes, optionsAt, end)) return;
    if (!src.isLinkLocal || !nic.acceptsRouterAdvertisements) return;
    this.#stopSoliciting(nic);
    const linkAt = findNdOption(bytes, optionsAt, end, ND_OPT_SOURCE_LINKADDR);
    if (linkAt >= 0) nic.neighbours!.learn(src, bytes, linkAt + 2, this.#stack.nowMs);
    this.#routers.advertised(nic, packet, optionsAt);
    const neighbour = nic.neighbours!.get(src);
    if (neighbour !== undefined) neighbour.isRouter = true;
  }

  #stopSoliciting(nic: Nic): void {
    const solicitor = this.#solicitors.get(nic.id);
    if (solicitor === undefined) return;
    this.#stack.timers.disarm(solicitor);
    this.#solicitors.delete(nic.id);
  }

  #sendSolicitation(nic: Nic, src: IpAddress, dst: IpAddress, target: IpAddress): void {
    const hasSource = !src.isUnspecified;
    const len = ND_SOLICITATION_BYTES + (hasSource ? ND_LINK_OPTION_BYTES : 0);
    const packet = this.#message(NDISC_NEIGHBOUR_SOLICITATION, 0, len);
    storeNdTarget(packet.bytes, packet.at, target);
    if (hasSource) {
      const optionAt = packet.at + ND_SOLICITATION_BYTES;
      storeNdLinkOption(packet.bytes, optionAt, ND_OPT_SOURCE_LINKADDR, nic.link.linkAddress!);
    }
    this.#send(nic, packet, src, dst);
  }

  #advertise(nic: Nic, target: IpAddress, dst: IpAddress, isSolicited: boolean): void {
    const router = this.#stack.forwardsIpv6 ? ND_NA_FLAG_ROUTER : 0;
    const flags = router | (isSolicited ? ND_NA_FLAG_SOLICITED : 0) | ND_NA_FLAG_OVERRIDE;
    const len = ND_ADVERTISEMENT_BYTES + ND_LINK_OPTION_BYTES;
    const packet = this.#message(NDISC_NEIGHBOUR_ADVERTISEMENT, (flags << 24) >>> 0, len);
    storeNdTarget(packet.bytes, packet.at, target);
    const optionAt = packet.at + ND_ADVERTISEMENT_BYTES;
    storeNdLinkOption(packet.bytes, optionAt, ND_OPT_TARGET_LINKADDR, nic.link.linkAddress!);
    this.#send(nic, packet, target, dst);
  }

  #message(type: number, rest: number, len: number): PacketBuffer {
    const packet = PacketBuffer.allocate(len);
    const at = packet.extend(len);
    packet.bytes.fill(0, at, at + len);
    storeIcmp(packet.bytes, at, type, 0, rest);
    // What we ask and tell the link is not meant for ourselves: our own probe would look like a duplicate.
    packet.flags |= PacketFlag.CHECKSUM_PARTIAL | PacketFlag.NO_LOOP;
    return packet;
  }

  #send(nic: Nic, packet: PacketBuffer, src: IpAddress, dst: IpAddress): void {
    const path = new Path(src, dst, nic, dst, nic.mtu, 0);
    this.#stack.ipv6.send(packet, path, IPPROTO_ICMPV6, ND_HOP_LIMIT, 0);
  }
}

function leaveSolicitedGroup({ nic, address }: NicAddress): void {
  if (!address.isIpv4 && !address.isLoopback) nic.leaveGroup(solicitedNodeAddress(address));
}
