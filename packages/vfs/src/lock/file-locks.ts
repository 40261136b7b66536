import { EAGAIN, EDEADLK, ENOLCK, F_RDLCK, F_UNLCK, F_WRLCK, type Errno } from '@tsv/abi';
import { WaitQueue } from '@tsv/waiter';
import type { Inode } from '../inode.js';

/** Who holds a lock: a process's descriptor table (POSIX locks) or an open file (OFD locks, flock). */
export type LockOwner = object;

/** One locked range, fcntl_locking(2). */
export interface RangeLock {
  readonly owner: LockOwner;
  /** F_RDLCK or F_WRLCK. */
  readonly type: number;
  /** First byte and the byte after the last; Infinity for "to the end, however far it grows". */
  readonly start: number;
  readonly end: number;
  /** PID to show, or -1 for OFD locks. */
  readonly pid: number;
}

/** Ranges that one file may have locked: a bound on what a guest can make us keep. */
export const RANGE_LOCK_COUNT_MAX = 65536;

/** Who waits for whom, to find deadlocks of POSIX locks: a waiting owner and the owner it waits for. */
const waitsFor = new WeakMap<LockOwner, LockOwner>();

/** POLLOUT: the event that tells lock waiters to try again. */
const LOCKS_CHANGED = 0x0004;

/** The advisory locks of one inode. */
export class FileLocks {
  /** Sorted by start. Ranges of one owner do not overlap, and touch only if their types differ. */
  #ranges: RangeLock[] = [];
  #shared = new Set<LockOwner>();
  #exclusive: LockOwner | null = null;
  /** Told (POLLOUT) when a lock was given back. */
  readonly waiters = new WaitQueue();

  get ranges(): readonly RangeLock[] {
    return this.#ranges;
  }

  /** The first lock that keeps `owner` from `type` on the range, or null: F_GETLK. */
  conflict(owner: LockOwner, type: number, start: number, end: number): RangeLock | null {
    for (const lock of this.#ranges) {
      if (lock.owner === owner || lock.start >= end || lock.end <= start) continue;
      if (type === F_WRLCK || lock.type === F_WRLCK) return lock;
    }
    return null;
  }

  /**
   * F_SETLK: takes, changes or gives back (F_UNLCK) a range. Returns 0. Errors: EAGAIN when another holds it, ENOLCK
   * when there are too many. With `isWaiting` the caller is going to wait: EDEADLK if that would never end.
   */
  set(owner: LockOwner, type: number, start: number, end: number, pid: number, isWaiting: boolean): 0 | Errno {
    waitsFor.delete(owner);
    if (type !== F_UNLCK) {
      const conflict = this.conflict(owner, type, start, end);
      if (conflict !== null) {
        if (!isWaiting) return -EAGAIN;
        if (waitsForever(owner, conflict.owner)) return -EDEADLK;
        waitsFor.set(owner, conflict.owner);
        return -EAGAIN;
      }
      if (this.#ranges.length + 2 > RANGE_LOCK_COUNT_MAX) return -ENOLCK;
    }
    this.#replace(owner, type, start, end, pid);
    return 0;
  }

  /** `owner` gave up waiting. */
  stopWaiting(owner: LockOwner): void {
    waitsFor.delete(owner);
  }

  /** Gives back all ranges of `owner`: a process closed the file, or exited. */
  releaseRanges(owner: LockOwner): void {
    waitsFor.delete(owner);
    const rest = this.#ranges.filter((lock) => lock.owner !== owner);
    if (rest.length === this.#ranges.length) return;
    this.#ranges = rest;
    this.waiters.notify(LOCKS_CHANGED);
  }

  /** Gives back everything of an open file that is closed. */
  releaseOwner(owner: LockOwner): void {
    this.releaseRanges(owner);
    this.setWhole(owner, F_UNLCK);
  }

  /** flock(2): `type` is F_RDLCK (LOCK_SH), F_WRLCK (LOCK_EX) or F_UNLCK. Returns 0. Errors: EAGAIN. */
  setWhole(owner: LockOwner, type: number): 0 | Errno {
    const hadShared = this.#shared.delete(owner);
    const hadExclusive = this.#exclusive === owner;
    if (hadExclusive) this.#exclusive = null;
    if (type !== F_UNLCK && (this.#exclusive !== null || (type === F_WRLCK && this.#shared.size > 0))) {
      // A conversion that fails has lost the old lock, as flock(2) says.
      if (hadShared || hadExclusive) this.waiters.notify(LOCKS_CHANGED);
      return -EAGAIN;
    }
    if (type === F_RDLCK) this.#shared.add(owner);
    else if (type === F_WRLCK) this.#exclusive = owner;
    if ((hadShared && type !== F_RDLCK) || (hadExclusive && type !== F_WRLCK)) this.waiters.notify(LOCKS_CHANGED);
    return 0;
  }

  /** The flock(2) lock of `owner`: F_RDLCK, F_WRLCK or F_UNLCK. */
  wholeLockOf(owner: LockOwner): number {
    if (this.#exclusive === owner) return F_WRLCK;
    return this.#shared.has(owner) ? F_RDLCK : F_UNLCK;
  }

  #replace(owner: LockOwner, type: number, start: number, end: number, pid: number): void {
    const kept: RangeLock[] = [];
    let from = start;
    let to = end;
    let isWeaker = false;
    for (const lock of this.#ranges) {
      const isApart = lock.end < start || lock.start > end;
      if (lock.owner !== owner || isApart || (lock.type !== type && (lock.end === start || lock.start === end))) {
        kept.push(lock);
      } else if (lock.type === type) {
        from = Math.min(from, lock.start);
        to = Math.max(to, lock.end);
      } else {
        if (lock.type === F_WRLCK || type === F_UNLCK) isWeaker = true;
        if (lock.start < start) kept.push({ ...lock, end: start });
        if (lock.end > end) kept.push({ ...lock, start: end });
      }
    }
    if (type !== F_UNLCK) kept.push({ owner, type, start: from, end: to, pid });
    this.#ranges = kept.sort((a, b) => a.start - b.start);
    if (isWeaker) this.waiters.notify(LOCKS_CHANGED);
  }
}

/** The locks of `inode`, made when first asked for. */
export function locksOf(inode: Inode): FileLocks {
  inode.locks ??= new FileLocks();
  return inode.locks;
}

function waitsForever(owner: LockOwner, holder: LockOwner): boolean {
  for (let each: LockOwner | undefined = holder; each !== undefined; each = waitsFor.get(each)) {
    if (each === owner) return true;
  }
  return false;
}
