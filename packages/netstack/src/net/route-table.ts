import { IpAddress, type IpPrefix, prefixBitsOf } from '../wire/ip-address.js';

/** Protocols and tables, linux/rtnetlink.h. */
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
export const RTPROT_STATIC = 4;
export const RTPROT_RA = 9;
export const RTPROT_DHCP = 16;

/** What becomes of packets that a route matches: `RTN_*` of linux/rtnetlink.h. */
export const RTN_UNICAST = 1;
export const RTN_BLACKHOLE = 6;
export const RTN_UNREACHABLE = 7;
export const RTN_PROHIBIT = 8;

/** Where packets to a prefix go. */
export interface Route {
  readonly destination: IpPrefix;
  readonly nicId: number;
  /** The router, or null when the prefix is on the link. */
  readonly gateway: IpAddress | null;
  /** Preferred source address, or null. */
  readonly source: IpAddress | null;
  /** The lower, the better among routes to the same prefix. */
  readonly metric: number;
  /** `RTN_*`. */
  readonly type: number;
  /** `RTPROT_*`: who made it. */
  readonly protocol: number;
  /** MTU of the path, or 0 for the interface's. */
  readonly mtu: number;
}

/** What a new route must say; the rest has defaults. */
export type RouteSpec = Pick<Route, 'destination' | 'nicId'> & Partial<Route>;

/** Routes that one table may hold: a program in the sandbox may add them. */
const ROUTE_COUNT_MAX = 4096;

/**
 * Routes of both families, the longest prefix first, then the lowest metric. A table of a host has a handful of routes,
 * so they are searched in order; paths cache what was found until {@link RouteTable.generation} moves.
 */
export class RouteTable {
  readonly #routes: Route[] = [];
  readonly #onChange: (() => void) | null;
  #generation = 1;

  /** `onChange` hears of every change: for tables beside the main one, whose generation paths go by. */
  constructor(onChange: (() => void) | null = null) {
    this.#onChange = onChange;
  }

  /** Moves whenever a look-up may have another result. */
  get generation(): number {
    return this.#generation;
  }

  get routes(): readonly Route[] {
    return this.#routes;
  }

  /** Adds a route. False if there is one to the same prefix with this metric, or the table is full. */
  add(spec: RouteSpec): boolean {
    const bits = prefixBitsOf(spec.destination);
    const destination = { address: spec.destination.address.masked(bits), prefixLen: spec.destination.prefixLen };
    const route: Route = {
      gateway: null,
      source: null,
      metric: 0,
      type: RTN_UNICAST,
      protocol: RTPROT_STATIC,
      mtu: 0,
      ...spec,
      destination,
    };
    if (this.#routes.length >= ROUTE_COUNT_MAX) return false;
    let index = 0;
    for (; index < this.#routes.length; index++) {
      const other = this.#routes[index]!;
      const otherBits = prefixBitsOf(other.destination);
      if (otherBits === bits && other.metric === route.metric && isSamePrefix(other.destination, destination)) {
        if (other.nicId === route.nicId || destination.address.isIpv4) return false;
      }
      if (otherBits < bits || (otherBits === bits && other.metric > route.metric)) break;
    }
    this.#routes.splice(index, 0, route);
    this.invalidate();
    return true;
  }

  /** Removes the routes that `matches` says; how many there were. */
  removeWhere(matches: (route: Route) => boolean): number {
    let removed = 0;
    for (let index = this.#routes.length - 1; index >= 0; index--) {
      if (!matches(this.#routes[index]!)) continue;
      this.#routes.splice(index, 1);
      removed++;
    }
    if (removed > 0) this.invalidate();
    return removed;
  }

  /** The route for packets to `dst`, out of interface `nicId` unless that is 0. `isUsable` says which interfaces are up. */
  lookup(dst: IpAddress, nicId: number, isUsable: (nicId: number) => boolean): Route | undefined {
    for (const route of this.#routes) {
      if (nicId !== 0 && route.nicId !== nicId) continue;
      if (route.destination.address.isIpv4 !== dst.isIpv4) continue;
      if (!dst.matches(route.destination.address, prefixBitsOf(route.destination))) continue;
      if (route.type !== RTN_UNICAST || isUsable(route.nicId)) return route;
    }
    return undefined;
  }

  /** Says that addresses or interfaces have changed, so that cached paths are looked up again. */
  invalidate(): void {
    this.#generation++;
    this.#onChange?.();
  }
}

function isSamePrefix(a: IpPrefix, b: IpPrefix): boolean {
  return a.prefixLen === b.prefixLen && a.address.equals(b.address);
}
