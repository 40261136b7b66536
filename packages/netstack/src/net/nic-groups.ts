import type { IpAddress } from '../wire/ip-address.js';
import { AddressMap } from './address-map.js';
import { ANY_SOURCE, mergeFilters, NO_SOURCE, SourceFilter } from './source-filter.js';

/** Groups that one interface may join, as IP_MAX_MEMBERSHIPS bounds a socket's. */
export const GROUP_COUNT_MAX = 1024;

interface JoinedGroup {
  /** What each of its users wants. */
  readonly users: SourceFilter[];
  wanted: SourceFilter;
}

/** The multicast groups that an interface has joined for its users. Each change returns what was wanted before it. */
export class NicGroups {
  readonly #groups = new AddressMap<JoinedGroup>();

  /** Adds a user of `group`; null if the interface has joined too many. */
  add(group: IpAddress, filter: SourceFilter): SourceFilter | null {
    const joined = this.#groups.get(group);
    if (joined === undefined) {
      if (this.#groups.count >= GROUP_COUNT_MAX) return null;
      this.#groups.set(group, { users: [filter], wanted: filter });
      return NO_SOURCE;
    }
    joined.users.push(filter);
    return update(joined);
  }

  /** Removes a user that wants `filter`; null if there is none. */
  remove(group: IpAddress, filter: SourceFilter): SourceFilter | null {
    const joined = this.#groups.get(group);
    const index = joined === undefined ? -1 : joined.users.indexOf(filter);
    if (joined === undefined || index < 0) return null;
    joined.users.splice(index, 1);
    const before = update(joined);
    if (joined.users.length === 0) this.#groups.delete(group);
    return before;
  }

  /** A user that wanted `from` wants `to` now; null if there is none. */
  replace(group: IpAddress, from: SourceFilter, to: SourceFilter): SourceFilter | null {
    const joined = this.#groups.get(group);
    const index = joined === undefined ? -1 : joined.users.indexOf(from);
    if (joined === undefined || index < 0) return null;
    joined.users[index] = to;
    return update(joined);
  }

  /** What the users of a group want together. */
  wanted(group: IpAddress): SourceFilter {
    return this.#groups.get(group)?.wanted ?? NO_SOURCE;
  }

  has(group: IpAddress): boolean {
    return this.#groups.has(group);
  }

  /** What each user of a group wants. */
  users(group: IpAddress): readonly SourceFilter[] {
    return this.#groups.get(group)?.users ?? [];
  }

  keys(): IterableIterator<IpAddress> {
    return this.#groups.keys();
  }
}

function update(joined: JoinedGroup): SourceFilter {
  const before = joined.wanted;
  joined.wanted = joined.users.includes(ANY_SOURCE) ? ANY_SOURCE : mergeFilters(joined.users);
  return before;
}
