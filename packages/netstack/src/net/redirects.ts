import { Timer } from '@tsv/clock';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import { ICMP_HEADER_BYTES, ICMP_REDIR_CODE_MAX, icmpCode } from '../wire/icmpv4.js';
import { IpAddress, prefixBitsOf } from '../wire/ip-address.js';
import { IPV4_HEADER_BYTES, ipv4HeaderLen, loadIpv4Dst, loadIpv4Src } from '../wire/ipv4.js';
import {
  findNdOption,
  loadNdRedirectDestination,
  loadNdTarget,
  ND_OPT_TARGET_LINKADDR,
  ND_REDIRECT_BYTES,
  ndOptionsAreWellFormed,
} from '../wire/ndp.js';
import { AddressMap } from './address-map.js';
import type { Nic } from './nic.js';
import type { NicAddress } from './nic-address.js';

/** Next hops that are remembered: the first-hop router may tell as many as it likes. */
export const REDIRECT_COUNT_MAX = 1024;
/** net.ipv4.route.gc_timeout: how long one is. */
const REDIRECT_MS = 300_000;

/** A better next hop for one destination than the router of its route. */
interface Redirect {
  readonly nicId: number;
  /** The router of the route when it was learned; with another one it does not hold. */
  readonly router: IpAddress;
  readonly nextHop: IpAddress;
  readonly untilMs: number;
}

/**
 * Next hops that routers have told of, RFC 792 and RFC 4861 section 8. Only hosts listen, only to the router that they
 * use for the destination, and only about neighbours: RFC 1122 section 3.2.2.2.
 */
export class Redirects extends Timer {
  /** accept_redirects of ip-sysctl. A router does not accept any: RFC 1812 section 5.2.7.2. */
  acceptsIpv4 = true;
  acceptsIpv6 = true;
  /** Unless the medium is shared by several networks (shared_media), only to default routers: secure_redirects. */
  isSecure = true;
  hasSharedMedia = true;
  /** send_redirects: as a router. */
  sendsIpv4 = true;
  readonly #stack: Stack;
  readonly #byDestination: AddressMap<Redirect>;
  readonly #quotedSrc = new IpAddress();
  readonly #dst = new IpAddress();
  readonly #target = new IpAddress();

  constructor(stack: Stack) {
    super();
    this.#stack = stack;
    this.#byDestination = new AddressMap(stack.random.u32());
  }

  get count(): number {
    return this.#byDestination.count;
  }

  /** The next hop for `dst` instead of `router`, which its route names; null if no other is known. */
  nextHopFor(dst: IpAddress, nic: Nic, router: IpAddress | null): IpAddress | null {
    if (router === null || this.#byDestination.count === 0) return null;
    const known = this.#byDestination.get(dst);
    if (known === undefined || known.nicId !== nic.id || !known.router.equals(router)) return null;
    return known.nextHop;
  }

  /** The next hop for `dst` does not answer: the router of the route is asked again. */
  forget(dst: IpAddress): void {
    if (this.#byDestination.count > 0 && this.#byDestination.delete(dst)) this.#stack.routes.invalidate();
  }

  /** Forgets those whose time is over. */
  fired(nowMs: number): void {
    let nextMs = Infinity;
    for (const dst of [...this.#byDestination.keys()]) {
      const { untilMs } = this.#byDestination.get(dst)!;
      if (untilMs <= nowMs) this.#byDestination.delete(dst);
      else nextMs = Math.min(nextMs, untilMs);
    }
    this.#stack.routes.invalidate();
    if (nextMs < Infinity) this.#stack.timers.arm(this, nextMs);
  }

  /** Takes an ICMPv4 redirect whose header is at `packet.at`; its checksum is right. */
  input4(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at, end } = packet;
    if (!this.acceptsIpv4 || this.#stack.forwardsIpv4 || icmpCode(bytes, at) > ICMP_REDIR_CODE_MAX) return;
    const quoteAt = at + ICMP_HEADER_BYTES;
    if (end - quoteAt < IPV4_HEADER_BYTES || bytes[quoteAt]! >>> 4 !== 4) return;
    const headerLen = ipv4HeaderLen(bytes, quoteAt);
    if (headerLen < IPV4_HEADER_BYTES || end - quoteAt < headerLen + 8) return;
    loadIpv4Src(bytes, quoteAt, this.#quotedSrc);
    loadIpv4Dst(bytes, quoteAt, this.#dst);
    const target = this.#target;
    target.loadIpv4(bytes, at + ICMP_HEADER_BYTES - 4);
    const isNeighbour = nic.isOnLink(target) && !target.isMulticast && !target.isLoopback && !nic.isBroadcast(target);
    if (!isNeighbour || !this.#stack.isLocal(this.#quotedSrc)) return;
    if (this.isSecure && !this.hasSharedMedia && !this.#isDefaultRouter(nic, target)) return;
    this.#learn(nic, packet.src);
  }

  /** Takes a redirect of Neighbour Discovery whose hop limit and code are right: RFC 4861 sections 8.1 and 8.3. */
  input6(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at, end } = packet;
    const optionsAt = at + ND_REDIRECT_BYTES;
    if (packet.len < ND_REDIRECT_BYTES || !ndOptionsAreWellFormed(bytes, optionsAt, end)) return;
    if (!this.acceptsIpv6 || this.#stack.forwardsIpv6 || !packet.src.isLinkLocal) return;
    const [target, dst] = [this.#target, this.#dst];
    loadNdTarget(bytes, at, target);
    loadNdRedirectDestination(bytes, at, dst);
    const isRouter = !target.equals(dst);
    if (dst.isMulticast || (isRouter && !target.isLinkLocal) || !this.#learn(nic, packet.src)) return;
    const linkAt = findNdOption(bytes, optionsAt, end, ND_OPT_TARGET_LINKADDR);
    if (linkAt >= 0) nic.neighbours!.learn(target, bytes, linkAt + 2, this.#stack.nowMs);
    const neighbour = nic.neighbours!.get(target);
    if (neighbour !== undefined && isRouter) neighbour.isRouter = true;
  }

  /** Whether packets from `src` that leave by the interface they came in by should have gone to `nextHop` at once. */
  shouldSend4(nic: Nic, src: IpAddress, nextHop: IpAddress): boolean {
    if (!this.sendsIpv4) return false;
    const holdsBoth = (entry: NicAddress): boolean =>
      entry.address.isIpv4 && [src, nextHop].every((end) => end.matches(entry.address, prefixBitsOf(entry)));
    return nic.addresses.some(holdsBoth);
  }

  /** Enters the target for the destination if `sender` is the router that is used for it; whether it is. */
  #learn(nic: Nic, sender: IpAddress): boolean {
    const { nowMs, routes, timers } = this.#stack;
    const [target, dst] = [this.#target, this.#dst];
    if (target.equals(sender) || this.#stack.isLocal(target) || this.#stack.isLocal(dst)) return false;
    const path = this.#stack.findPath(dst.clone(), null, dst.isLinkLocal ? nic.id : 0);
    if (typeof path === 'number' || path.nic !== nic || !path.nextHop.equals(sender) || sender.equals(dst))
      return false;
    const known = this.#byDestination.get(dst);
    const router = known?.nextHop.equals(sender) === true ? known.router : sender.clone();
    if (this.#byDestination.count >= REDIRECT_COUNT_MAX) this.#byDestination.clear();
    this.#byDestination.set(dst, { nicId: nic.id, router, nextHop: target.clone(), untilMs: nowMs + REDIRECT_MS });
    if (!this.isArmed) timers.arm(this, nowMs + REDIRECT_MS);
    routes.invalidate();
    return true;
  }

  #isDefaultRouter(nic: Nic, address: IpAddress): boolean {
    return this.#stack.routes.routes.some(
      ({ destination, nicId, gateway }) =>
        destination.prefixLen === 0 && nicId === nic.id && gateway?.equals(address) === true,
    );
  }
}
