import { Timer } from '@tsv/clock';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import { interfaceIdentifier } from '../wire/ethernet.js';
import { IPV6_ANY, IpAddress } from '../wire/ip-address.js';
import { IPV6_MTU_MIN } from '../wire/ipv6.js';
import {
  findNdOption,
  loadPrefixOption,
  mtuOptionMtu,
  ND_OPT_MTU,
  ND_OPT_PREFIX_INFORMATION,
  ND_PREFIX_FLAG_AUTO,
  ND_PREFIX_FLAG_ONLINK,
  ND_PREFIX_OPTION_BYTES,
  ndOptionLen,
  prefixOptionFlags,
  prefixOptionLen,
  prefixOptionPreferredSec,
  prefixOptionValidSec,
  raHopLimit,
  raReachableTimeMs,
  raRetransTimeMs,
  raRouterLifetimeSec,
} from '../wire/ndp.js';
import type { Nic } from './nic.js';
import { AddressState, IFA_F_NOPREFIXROUTE, type NicAddress } from './nic-address.js';
import { type Route, RTPROT_RA } from './route-table.js';
import { TemporaryAddresses } from './temporary-addresses.js';

/** Routers, prefixes and addresses that advertisements may make on one interface: anybody on the link can send them. */
export const RA_ROUTE_COUNT_MAX = 16;
export const RA_ADDRESS_COUNT_MAX = 16;
/** ipv6.conf.*.ra_defrtr_metric. */
const RA_METRIC = 1024;
/** Two hours: RFC 4862 section 5.5.3 (e). */
const VALID_FLOOR_MS = 7_200_000;
const INFINITE_SEC = 0xffffffff;
const SLAAC_PREFIX_LEN = 64;

/** A route that an advertisement made; it goes when the timer fires. */
class LearnedRoute extends Timer {
  readonly nic: Nic;
  readonly route: Route;
  readonly #keeper: RouterDiscovery;

  constructor(keeper: RouterDiscovery, nic: Nic, route: Route) {
    super();
    this.#keeper = keeper;
    this.nic = nic;
    this.route = route;
  }

  fired(): void {
    this.#keeper.drop(this);
  }
}

/** What router advertisements say: default routers, prefixes on the link, addresses: RFC 4861 section 6.3.4, RFC 4862. */
export class RouterDiscovery {
  readonly #stack: Stack;
  readonly #learned: LearnedRoute[] = [];
  readonly #prefix = new IpAddress();
  readonly temporary: TemporaryAddresses;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.temporary = new TemporaryAddresses(stack, (entry) => this.armLifetimes(entry));
  }

  /** Takes an advertisement that is well-formed; its options start at `optionsAt`. */
  advertised(nic: Nic, packet: PacketBuffer, optionsAt: number): void {
    const { bytes, at, end } = packet;
    if (raHopLimit(bytes, at) !== 0) nic.hopLimit = raHopLimit(bytes, at);
    nic.neighbours!.setTimes(raReachableTimeMs(bytes, at), raRetransTimeMs(bytes, at));
    this.#learn(nic, IPV6_ANY, 0, packet.src.clone(), lifetimeMs(raRouterLifetimeSec(bytes, at)));
    const mtuAt = findNdOption(bytes, optionsAt, end, ND_OPT_MTU);
    if (mtuAt >= 0) this.#takeMtu(nic, mtuOptionMtu(bytes, mtuAt));
    for (let option = optionsAt; option < end; option += ndOptionLen(bytes, option)) {
      const isPrefix = bytes[option] === ND_OPT_PREFIX_INFORMATION;
      if (isPrefix && ndOptionLen(bytes, option) === ND_PREFIX_OPTION_BYTES) this.#prefixAdvertised(nic, bytes, option);
    }
  }

  /** A neighbour has ceased to be a router: RFC 4861 section 7.2.5. */
  lost(nic: Nic, router: IpAddress): void {
    for (const learned of this.#learned.filter((entry) => entry.nic === nic)) {
      if (learned.route.gateway?.equals(router) === true) this.drop(learned);
    }
  }

  /** Forgets everything about an interface that goes down. */
  forget(nic: Nic): void {
    for (const learned of this.#learned.filter((entry) => entry.nic === nic)) this.drop(learned);
    this.temporary.forget(nic);
  }

  /** Removes a route whose time is over. */
  drop(learned: LearnedRoute): void {
    this.#stack.timers.disarm(learned);
    this.#learned.splice(this.#learned.indexOf(learned), 1);
    this.#stack.routes.removeWhere((route) => route === learned.route);
  }

  /** Waits for the end of an address's preferred or valid lifetime. */
  armLifetimes(entry: NicAddress): void {
    entry.onTimer = this.#lifetimeTimer;
    const isPreferred = entry.state === AddressState.PREFERRED;
    this.#stack.timers.arm(
      entry,
      isPreferred ? Math.min(entry.preferredUntilMs, entry.validUntilMs) : entry.validUntilMs,
    );
  }

  readonly #lifetimeTimer = (entry: NicAddress, nowMs: number): void => {
    if (nowMs >= entry.validUntilMs) {
      entry.nic.removeAddress(entry.address);
      return;
    }
    entry.state = AddressState.DEPRECATED;
    this.armLifetimes(entry);
  };

  #takeMtu(nic: Nic, mtu: number): void {
    if (mtu >= IPV6_MTU_MIN && mtu <= nic.link.mtu) nic.setMtu(mtu);
  }

  #prefixAdvertised(nic: Nic, bytes: Uint8Array, at: number): void {
    const prefix = this.#prefix;
    loadPrefixOption(bytes, at, prefix);
    const prefixLen = prefixOptionLen(bytes, at);
    const validMs = lifetimeMs(prefixOptionValidSec(bytes, at));
    const preferredMs = lifetimeMs(prefixOptionPreferredSec(bytes, at));
    if (prefix.isLinkLocal || prefix.isMulticast || prefixLen > 128) return;
    const flags = prefixOptionFlags(bytes, at);
    if (flags & ND_PREFIX_FLAG_ONLINK) this.#learn(nic, prefix.masked(prefixLen), prefixLen, null, validMs);
    if (flags & ND_PREFIX_FLAG_AUTO && prefixLen === SLAAC_PREFIX_LEN && preferredMs <= validMs) {
      this.#configure(nic, prefix, validMs, preferredMs);
      this.temporary.advertised(nic, prefix, validMs, preferredMs);
    }
  }

  /** Adds a route, renews it, or with a lifetime of 0 removes it. */
  #learn(nic: Nic, prefix: IpAddress, prefixLen: number, gateway: IpAddress | null, forMs: number): void {
    const { timers, routes, nowMs } = this.#stack;
    const known = this.#learned.find(
      ({ nic: on, route }) =>
        on === nic &&
        route.destination.prefixLen === prefixLen &&
        route.destination.address.equals(prefix) &&
        (gateway === null ? route.gateway === null : route.gateway?.equals(gateway) === true),
    );
    if (known !== undefined) return forMs === 0 ? this.drop(known) : timers.arm(known, nowMs + forMs);
    if (forMs === 0 || this.#learned.length >= RA_ROUTE_COUNT_MAX) return;
    // Every router gets its own metric, so that the second one takes over when the first is gone.
    const metric = RA_METRIC + this.#learned.length;
    const spec = { destination: { address: prefix, prefixLen }, nicId: nic.id, gateway, metric, protocol: RTPROT_RA };
    if (!routes.add(spec)) return;
    const route = routes.routes.find(
      (entry) => entry.metric === metric && entry.nicId === nic.id && entry.gateway === gateway,
    );
    const learned = new LearnedRoute(this, nic, route!);
    this.#learned.push(learned);
    timers.arm(learned, nowMs + forMs);
  }

  /** Makes or renews an address of the prefix: RFC 4862 section 5.5.3. */
  #configure(nic: Nic, prefix: IpAddress, validMs: number, preferredMs: number): void {
    const address = new IpAddress(prefix.w0, prefix.w1, ...interfaceIdentifier(nic.link.linkAddress!));
    const { nowMs } = this.#stack;
    let entry = nic.findAddress(address) ?? null;
    if (entry === null) {
      if (validMs === 0 || nic.addresses.length >= RA_ADDRESS_COUNT_MAX) return;
      entry = nic.addAddress({ address, prefixLen: SLAAC_PREFIX_LEN }, IFA_F_NOPREFIXROUTE);
      if (entry === null) return;
      entry.validUntilMs = nowMs + validMs;
    } else if (entry.validUntilMs === Infinity) {
      return; // Set by hand.
    } else {
      const leftMs = entry.validUntilMs - nowMs;
      if (validMs > VALID_FLOOR_MS || validMs > leftMs) entry.validUntilMs = nowMs + validMs;
      else if (leftMs > VALID_FLOOR_MS) entry.validUntilMs = nowMs + VALID_FLOOR_MS;
    }
    entry.preferredUntilMs = nowMs + preferredMs;
    if (!entry.isAssigned) return;
    entry.state = preferredMs > 0 ? AddressState.PREFERRED : AddressState.DEPRECATED;
    this.armLifetimes(entry);
  }
}

function lifetimeMs(sec: number): number {
  return sec === INFINITE_SEC ? Infinity : sec * 1000;
}
