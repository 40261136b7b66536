import type { Mm } from '../mm/mm.js';
import type { Task } from '../task/task.js';

/** One thread waiting for one futex. Its owner keeps it and uses it again. */
export class FutexWaiter {
  readonly task: Task;
  /** Address space of a private futex, null for a shared one. */
  mm: Mm | null = null;
  key = 0;
  bitset = ~0;
  /** Whether a wake has reached it. */
  isWoken = false;
  isQueued = false;
  /** For a PI futex: where its word is in the waiter's memory, and who holds the lock. */
  piAddr = 0;
  piOwner: Task | null = null;
  prev: FutexWaiter | null = null;
  next: FutexWaiter | null = null;

  constructor(task: Task) {
    this.task = task;
  }
}

/** A power of two. */
const BUCKET_COUNT = 256;

/** Who waits for which futex word, futex(2). Waiters are kept by key in first-come order. */
export class FutexTable {
  readonly #heads: (FutexWaiter | null)[] = new Array<FutexWaiter | null>(BUCKET_COUNT).fill(null);
  readonly #tails: (FutexWaiter | null)[] = new Array<FutexWaiter | null>(BUCKET_COUNT).fill(null);
  /** Waiters of PI futexes, all together. */
  piWaiterCount = 0;

  /** Queues `waiter` for the word `key`, of `mm` if that is private to it. */
  add(waiter: FutexWaiter, mm: Mm | null, key: number, bitset: number): void {
    waiter.mm = mm;
    waiter.key = key;
    waiter.bitset = bitset;
    waiter.isWoken = false;
    waiter.isQueued = true;
    const bucket = bucketOf(key);
    const tail = this.#tails[bucket] ?? null;
    waiter.prev = tail;
    waiter.next = null;
    if (tail === null) this.#heads[bucket] = waiter;
    else tail.next = waiter;
    this.#tails[bucket] = waiter;
  }

  remove(waiter: FutexWaiter): void {
    if (!waiter.isQueued) return;
    const bucket = bucketOf(waiter.key);
    if (waiter.prev === null) this.#heads[bucket] = waiter.next;
    else waiter.prev.next = waiter.next;
    if (waiter.next === null) this.#tails[bucket] = waiter.prev;
    else waiter.next.prev = waiter.prev;
    waiter.prev = null;
    waiter.next = null;
    waiter.isQueued = false;
    if (waiter.piOwner !== null) {
      waiter.piOwner = null;
      this.piWaiterCount--;
    }
  }

  /** Who waits longest for a word, or null. */
  first(mm: Mm | null, key: number): FutexWaiter | null {
    for (let w = this.#heads[bucketOf(key)] ?? null; w !== null; w = w.next) if (w.key === key && w.mm === mm) return w;
    return null;
  }

  /** Who waits longest for a lock that `owner` holds, or null. */
  firstPiWaiterFor(owner: Task): FutexWaiter | null {
    for (const head of this.#heads) {
      for (let w = head; w !== null; w = w.next) if (w.piOwner === owner) return w;
    }
    return null;
  }

  /** Tells the waiters of a word who holds the lock now. Returns whether there is one. */
  setPiOwner(mm: Mm | null, key: number, owner: Task): boolean {
    let isAny = false;
    for (let w = this.#heads[bucketOf(key)] ?? null; w !== null; w = w.next) {
      if (w.key !== key || w.mm !== mm || w.piOwner === null) continue;
      w.piOwner = owner;
      isAny = true;
    }
    return isAny;
  }

  /** Wakes up to `countMax` waiters of the word whose bitset meets `bitset`. Returns how many. */
  wake(mm: Mm | null, key: number, countMax: number, bitset: number): number {
    let count = 0;
    let waiter: FutexWaiter | null = this.#heads[bucketOf(key)] ?? null;
    while (waiter !== null && count < countMax) {
      const next: FutexWaiter | null = waiter.next;
      if (waiter.key === key && waiter.mm === mm && (waiter.bitset & bitset) !== 0) {
        this.#wakeOne(waiter);
        count++;
      }
      waiter = next;
    }
    return count;
  }

  /** Moves up to `countMax` waiters of one word to another. Returns how many. */
  requeue(mm: Mm | null, key: number, toMm: Mm | null, toKey: number, countMax: number): number {
    if (mm === toMm && key === toKey) return 0;
    let count = 0;
    let waiter: FutexWaiter | null = this.#heads[bucketOf(key)] ?? null;
    while (waiter !== null && count < countMax) {
      const next: FutexWaiter | null = waiter.next;
      if (waiter.key === key && waiter.mm === mm) {
        this.remove(waiter);
        this.add(waiter, toMm, toKey, waiter.bitset);
        count++;
      }
      waiter = next;
    }
    return count;
  }

  /** Number of waiters of a word. */
  waiterCount(mm: Mm | null, key: number): number {
    let count = 0;
    for (let w = this.#heads[bucketOf(key)] ?? null; w !== null; w = w.next) if (w.key === key && w.mm === mm) count++;
    return count;
  }

  #wakeOne(waiter: FutexWaiter): void {
    this.remove(waiter);
    waiter.isWoken = true;
    waiter.task.wake();
  }
}

function bucketOf(key: number): number {
  const word = Math.floor(key / 4);
  return (word ^ (word / BUCKET_COUNT)) & (BUCKET_COUNT - 1);
}
