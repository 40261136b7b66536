import { Timer, type TimerQueue } from '@tsv/clock';
import { type PacketBuffer, PacketQueue } from '../buffer/packet-buffer.js';
import { AddressMap } from '../net/address-map.js';
import type { Random } from '../net/random.js';
import { ETH_ALEN, type LinkAddress, linkAddressEquals } from '../wire/ethernet.js';
import type { IpAddress } from '../wire/ip-address.js';

/** States of a neighbour, RFC 4861 section 7.3.2, with the numbers of linux/neighbour.h `NUD_*`. */
export const NeighbourState = {
  INCOMPLETE: 0x01,
  REACHABLE: 0x02,
  STALE: 0x04,
  DELAY: 0x08,
  PROBE: 0x10,
  FAILED: 0x20,
  PERMANENT: 0x80,
} as const;
export type NeighbourState = (typeof NeighbourState)[keyof typeof NeighbourState];

/** Protocol constants, RFC 4861 section 10. */
const MAX_MULTICAST_SOLICIT = 3;
const MAX_UNICAST_SOLICIT = 3;
const REACHABLE_TIME_MS = 30_000;
const RETRANS_TIME_MS = 1_000;
const DELAY_FIRST_PROBE_MS = 5_000;
/** How long a failure is shown in the table before it is forgotten. */
const FAILED_HOLD_MS = 60_000;

/** Packets that wait for one neighbour's address. */
const PENDING_COUNT_MAX = 64;
/** Neighbours of one interface; beyond it the least useful one goes. */
export const NEIGHBOUR_COUNT_MAX = 1024;

/** What the cache needs from its interface. */
export interface NeighbourSolicitor {
  /** Asks for the neighbour's link address: by multicast, or of `to` when it is probed. */
  solicit(target: IpAddress, to: LinkAddress | null): void;
  /** Sends a packet that waited. */
  transmitTo(packet: PacketBuffer, to: LinkAddress): void;
  /** Takes a packet back that cannot be delivered: its next hop does not answer. */
  unreachable(packet: PacketBuffer): void;
}

/** One neighbour. */
export class Neighbour extends Timer {
  readonly address: IpAddress;
  readonly #cache: NeighbourCache;
  readonly pending = new PacketQueue();
  state: NeighbourState = NeighbourState.INCOMPLETE;
  linkAddress: LinkAddress | null = null;
  isRouter = false;
  /** Solicitations sent in this state. */
  probeCount = 0;
  /** When it was last used or confirmed. */
  usedMs = 0;

  constructor(cache: NeighbourCache, address: IpAddress) {
    super();
    this.#cache = cache;
    this.address = address.clone();
  }

  fired(nowMs: number): void {
    this.#cache.timedOut(this, nowMs);
  }
}

/** The neighbours of one interface and how to reach them, for ARP and Neighbour Discovery alike. */
export class NeighbourCache {
  readonly #neighbours: AddressMap<Neighbour>;
  readonly #timers: TimerQueue;
  readonly #random: Random;
  readonly #solicitor: NeighbourSolicitor;
  #reachableMs: number;
  #baseReachableMs = REACHABLE_TIME_MS;
  #retransMs = RETRANS_TIME_MS;

  constructor(timers: TimerQueue, random: Random, solicitor: NeighbourSolicitor) {
    this.#neighbours = new AddressMap(random.u32());
    this.#timers = timers;
    this.#random = random;
    this.#solicitor = solicitor;
    this.#reachableMs = this.#randomReachableMs();
  }

  get count(): number {
    return this.#neighbours.count;
  }

  entries(): IterableIterator<Neighbour> {
    return this.#neighbours.values();
  }

  get(address: IpAddress): Neighbour | undefined {
    return this.#neighbours.get(address);
  }

  /** Takes times from a router advertisement (RFC 4861 section 6.3.4); 0 leaves a time as it is. */
  setTimes(reachableMs: number, retransMs: number): void {
    if (reachableMs !== 0 && reachableMs !== this.#baseReachableMs) {
      this.#baseReachableMs = reachableMs;
      this.#reachableMs = this.#randomReachableMs();
    }
    if (retransMs !== 0) this.#retransMs = retransMs;
  }

  /** Sends `packet` to the neighbour, now or when its link address is known. */
  send(packet: PacketBuffer, address: IpAddress, nowMs: number): void {
    const neighbour = this.#neighbours.get(address) ?? this.#create(address);
    neighbour.usedMs = nowMs;
    if (neighbour.state === NeighbourState.FAILED) this.#startAgain(neighbour);
    if (neighbour.linkAddress === null) return this.#queue(neighbour, packet, nowMs);
    if (neighbour.state === NeighbourState.STALE) {
      neighbour.state = NeighbourState.DELAY;
      this.#timers.arm(neighbour, nowMs + DELAY_FIRST_PROBE_MS);
    }
    this.#solicitor.transmitTo(packet, neighbour.linkAddress);
  }

  /** Notes the sender of a solicitation or request: RFC 4861 section 7.2.3. */
  learn(address: IpAddress, link: Uint8Array, linkAt: number, nowMs: number): void {
    const neighbour = this.#neighbours.get(address) ?? this.#create(address);
    if (neighbour.state === NeighbourState.PERMANENT) return;
    if (neighbour.linkAddress !== null && linkAddressEquals(link, linkAt, neighbour.linkAddress)) return;
    this.#setLink(neighbour, link, linkAt, nowMs);
    this.#becomeStale(neighbour);
    this.#flush(neighbour);
  }

  /**
   * Takes an advertisement or ARP reply: RFC 4861 section 7.2.5. `linkAt` is -1 when it carried no link address. Nothing
   * is made of an advertisement that nobody asked for.
   */
  advertised(
    address: IpAddress,
    link: Uint8Array,
    linkAt: number,
    isSolicited: boolean,
    overrides: boolean,
    isRouter: boolean,
    nowMs: number,
  ): void {
    const neighbour = this.#neighbours.get(address);
    if (neighbour === undefined || neighbour.state === NeighbourState.PERMANENT) return;
    if (neighbour.linkAddress === null) {
      if (linkAt < 0) return;
      this.#setLink(neighbour, link, linkAt, nowMs);
      if (isSolicited) this.#becomeReachable(neighbour, nowMs);
      else this.#becomeStale(neighbour);
      neighbour.isRouter = isRouter;
      return this.#flush(neighbour);
    }
    const differs = linkAt >= 0 && !linkAddressEquals(link, linkAt, neighbour.linkAddress);
    if (differs && !overrides) {
      if (neighbour.state === NeighbourState.REACHABLE) this.#becomeStale(neighbour);
      return;
    }
    if (differs) this.#setLink(neighbour, link, linkAt, nowMs);
    if (isSolicited) this.#becomeReachable(neighbour, nowMs);
    else if (differs) this.#becomeStale(neighbour);
    neighbour.isRouter = isRouter;
  }

  /** Says that an upper layer made forward progress through the neighbour: RFC 4861 section 7.3.1. */
  confirm(address: IpAddress, nowMs: number): void {
    const neighbour = this.#neighbours.get(address);
    if (neighbour === undefined || neighbour.linkAddress === null) return;
    if (neighbour.state !== NeighbourState.PERMANENT) this.#becomeReachable(neighbour, nowMs);
  }

  /** Enters a neighbour by hand, which is never probed. */
  addPermanent(address: IpAddress, link: LinkAddress): void {
    const neighbour = this.#neighbours.get(address) ?? this.#create(address);
    neighbour.linkAddress = Uint8Array.from(link);
    neighbour.state = NeighbourState.PERMANENT;
    this.#timers.disarm(neighbour);
    this.#flush(neighbour);
  }

  /** Forgets a neighbour; whether there was one. */
  remove(address: IpAddress): boolean {
    const neighbour = this.#neighbours.get(address);
    if (neighbour === undefined) return false;
    this.#discard(neighbour);
    return true;
  }

  clear(): void {
    for (const neighbour of this.#neighbours.values()) {
      this.#timers.disarm(neighbour);
      neighbour.pending.clear();
    }
    this.#neighbours.clear();
  }

  /** The neighbour's timer, by state. */
  timedOut(neighbour: Neighbour, nowMs: number): void {
    switch (neighbour.state) {
      case NeighbourState.INCOMPLETE:
        if (neighbour.probeCount >= MAX_MULTICAST_SOLICIT) return this.#fail(neighbour, nowMs);
        return this.#probe(neighbour, null, nowMs);
      case NeighbourState.REACHABLE:
        return this.#becomeStale(neighbour);
      case NeighbourState.DELAY:
        neighbour.state = NeighbourState.PROBE;
        neighbour.probeCount = 0;
        return this.#probe(neighbour, neighbour.linkAddress, nowMs);
      case NeighbourState.PROBE:
        if (neighbour.probeCount >= MAX_UNICAST_SOLICIT) return this.#fail(neighbour, nowMs);
        return this.#probe(neighbour, neighbour.linkAddress, nowMs);
      case NeighbourState.FAILED:
        return this.#discard(neighbour);
      case NeighbourState.STALE:
      case NeighbourState.PERMANENT:
        return;
    }
  }

  #startAgain(neighbour: Neighbour): void {
    neighbour.state = NeighbourState.INCOMPLETE;
    neighbour.probeCount = 0;
    this.#timers.disarm(neighbour);
  }

  #queue(neighbour: Neighbour, packet: PacketBuffer, nowMs: number): void {
    if (neighbour.pending.count >= PENDING_COUNT_MAX) neighbour.pending.shift()?.release();
    neighbour.pending.push(packet);
    if (!neighbour.isArmed) this.#probe(neighbour, null, nowMs);
  }

  #probe(neighbour: Neighbour, to: LinkAddress | null, nowMs: number): void {
    neighbour.probeCount++;
    this.#timers.arm(neighbour, nowMs + this.#retransMs);
    this.#solicitor.solicit(neighbour.address, to);
  }

  #fail(neighbour: Neighbour, nowMs: number): void {
    neighbour.state = NeighbourState.FAILED;
    neighbour.linkAddress = null;
    this.#timers.arm(neighbour, nowMs + FAILED_HOLD_MS);
    for (let packet = neighbour.pending.shift(); packet !== null; packet = neighbour.pending.shift()) {
      this.#solicitor.unreachable(packet);
    }
  }

  #becomeReachable(neighbour: Neighbour, nowMs: number): void {
    neighbour.state = NeighbourState.REACHABLE;
    neighbour.probeCount = 0;
    this.#timers.arm(neighbour, nowMs + this.#reachableMs);
  }

  #becomeStale(neighbour: Neighbour): void {
    neighbour.state = NeighbourState.STALE;
    neighbour.probeCount = 0;
    this.#timers.disarm(neighbour);
  }

  #setLink(neighbour: Neighbour, link: Uint8Array, linkAt: number, nowMs: number): void {
    neighbour.linkAddress = link.slice(linkAt, linkAt + ETH_ALEN);
    neighbour.usedMs = nowMs;
  }

  #flush(neighbour: Neighbour): void {
    const to = neighbour.linkAddress!;
    for (let packet = neighbour.pending.shift(); packet !== null; packet = neighbour.pending.shift()) {
      this.#solicitor.transmitTo(packet, to);
    }
  }

  #create(address: IpAddress): Neighbour {
    if (this.#neighbours.count >= NEIGHBOUR_COUNT_MAX) this.#evict();
    const neighbour = new Neighbour(this, address);
    this.#neighbours.set(address, neighbour);
    return neighbour;
  }

  /** Makes room: what failed or never answered goes before what is known, the longest unused first. */
  #evict(): void {
    let victim: Neighbour | undefined;
    for (const neighbour of this.#neighbours.values()) {
      if (neighbour.state === NeighbourState.PERMANENT) continue;
      if (victim === undefined || evictionRank(neighbour) < evictionRank(victim)) victim = neighbour;
      else if (evictionRank(neighbour) === evictionRank(victim) && neighbour.usedMs < victim.usedMs) victim = neighbour;
    }
    if (victim !== undefined) this.#discard(victim);
  }

  #discard(neighbour: Neighbour): void {
    this.#timers.disarm(neighbour);
    neighbour.pending.clear();
    this.#neighbours.delete(neighbour.address);
  }

  /** Between half and one and a half of the base, so that neighbours do not probe in step: RFC 4861 section 6.3.2. */
  #randomReachableMs(): number {
    return this.#baseReachableMs * (0.5 + this.#random.below(1001) / 1000);
  }
}

function evictionRank(neighbour: Neighbour): number {
  return neighbour.state === NeighbourState.FAILED ? 0 : neighbour.state === NeighbourState.INCOMPLETE ? 1 : 2;
}
