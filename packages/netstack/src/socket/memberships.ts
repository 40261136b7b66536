import { EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS } from '@tsv/abi';
import type { Nic } from '../net/nic.js';
import { ANY_SOURCE, NO_SOURCE, SourceFilter } from '../net/source-filter.js';
import type { Stack } from '../stack.js';
import type { IpAddress } from '../wire/ip-address.js';

/** net.ipv4.igmp_max_memberships. */
export const MEMBERSHIP_COUNT_MAX = 20;
/** net.ipv4.igmp_max_msf and net.ipv6.mld_max_msf. */
const IPV4_SOURCE_COUNT_MAX = 10;
const IPV6_SOURCE_COUNT_MAX = 64;

interface Membership {
  readonly group: IpAddress;
  readonly nicId: number;
  filter: SourceFilter;
}

/** The multicast groups that one socket has joined, and from which sources it wants packets: RFC 3678. */
export class Memberships {
  readonly #stack: Stack;
  readonly #joined: Membership[] = [];

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** Most sources that a filter for a group may name. */
  static sourceCountMax(isIpv4: boolean): number {
    return isIpv4 ? IPV4_SOURCE_COUNT_MAX : IPV6_SOURCE_COUNT_MAX;
  }

  /** The interface that a group is joined on: `nicId`, or if that is 0 the one that the route to it goes by. */
  nicFor(group: IpAddress, nicId: number, boundNicId = 0): Nic | undefined {
    if (nicId !== 0) return this.#stack.nic(nicId);
    const path = this.#stack.findPath(group, null, boundNicId);
    return typeof path === 'number' ? undefined : path.nic;
  }

  /** Joins a group: {@link ANY_SOURCE} or, to add sources then, {@link NO_SOURCE}. Errors: EADDRINUSE, EINVAL, ENOBUFS. */
  join(group: IpAddress, nic: Nic, filter = ANY_SOURCE): number {
    if (!group.isMulticast) return -EINVAL;
    if (this.#find(group, nic.id) !== undefined) return -EADDRINUSE;
    if (this.#joined.length >= MEMBERSHIP_COUNT_MAX || !nic.joinGroup(group, filter)) return -ENOBUFS;
    this.#joined.push({ group: group.clone(), nicId: nic.id, filter });
    return 0;
  }

  /** Leaves a group on an interface, or if `nicId` is 0 on the first. Errors: EADDRNOTAVAIL if it was not joined. */
  leave(group: IpAddress, nicId: number): number {
    const entry = this.#find(group, nicId);
    if (entry === undefined) return -EADDRNOTAVAIL;
    this.#joined.splice(this.#joined.indexOf(entry), 1);
    this.#stack.nic(entry.nicId)?.leaveGroup(group, entry.filter);
    return 0;
  }

  /**
   * Adds a source to a filter of the kind that `isExclude` says; an empty filter becomes of that kind. Errors: EINVAL if
   * the group is not joined or its filter is of the other kind, EADDRNOTAVAIL if the source is there, ENOBUFS.
   */
  addSource(group: IpAddress, nicId: number, source: IpAddress, isExclude: boolean): number {
    const entry = this.#entryOfKind(group, nicId, isExclude);
    if (entry === undefined) return -EINVAL;
    const { sources } = entry.filter;
    if (sources.length >= Memberships.sourceCountMax(group.isIpv4)) return -ENOBUFS;
    if (entry.filter.has(source)) return -EADDRNOTAVAIL;
    this.#setFilter(entry, new SourceFilter(isExclude, [...sources, source.clone()]));
    return 0;
  }

  /** Removes a source; with the last one that is included the group is left. Errors: EINVAL as above, EADDRNOTAVAIL. */
  removeSource(group: IpAddress, nicId: number, source: IpAddress, isExclude: boolean): number {
    const entry = this.#entryOfKind(group, nicId, isExclude);
    if (entry === undefined) return -EINVAL;
    if (!entry.filter.has(source)) return -EADDRNOTAVAIL;
    const left = entry.filter.sources.filter((other) => !other.equals(source));
    if (left.length === 0 && !isExclude) return this.leave(group, entry.nicId);
    this.#setFilter(entry, new SourceFilter(isExclude, left));
    return 0;
  }

  /** Sets the filter of a group; to include nothing is to leave it. Errors: EADDRNOTAVAIL, EINVAL. */
  setFilter(group: IpAddress, nicId: number, filter: SourceFilter): number {
    if (!filter.isExclude && filter.sources.length === 0) return this.leave(group, nicId);
    const entry = this.#find(group, nicId);
    if (entry === undefined) return -EINVAL;
    this.#setFilter(entry, filter);
    return 0;
  }

  /** The filter of a group that was joined on an interface, or if `nicId` is 0 on any. */
  filterOf(group: IpAddress, nicId: number): SourceFilter | undefined {
    return this.#find(group, nicId)?.filter;
  }

  /** Leaves all groups. */
  clear(): void {
    for (const { group, nicId, filter } of this.#joined.splice(0)) this.#stack.nic(nicId)?.leaveGroup(group, filter);
  }

  #entryOfKind(group: IpAddress, nicId: number, isExclude: boolean): Membership | undefined {
    const entry = this.#find(group, nicId);
    if (entry === undefined || entry.filter.isExclude === isExclude) return entry;
    if (entry.filter.sources.length > 0) return undefined;
    this.#setFilter(entry, isExclude ? ANY_SOURCE : NO_SOURCE);
    return entry;
  }

  #setFilter(entry: Membership, filter: SourceFilter): void {
    this.#stack.nic(entry.nicId)?.changeGroup(entry.group, entry.filter, filter);
    entry.filter = filter;
  }

  #find(group: IpAddress, nicId: number): Membership | undefined {
    for (const entry of this.#joined) {
      if ((nicId === 0 || entry.nicId === nicId) && entry.group.equals(group)) return entry;
    }
    return undefined;
  }
}
