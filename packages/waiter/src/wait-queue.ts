/**
 * Wait queues: a file, a child list, a futex keeps one; whoever wants to hear of it puts an entry on it. Entries are
 * intrusive list nodes that their owner makes once and uses again, so that waiting allocates nothing.
 */

/** One waiter on at most one queue. Subclasses say what a notification does. */
export abstract class WaitEntry {
  /** Poll events (poll(2) `POLL*` bits) that the waiter wants; POLLERR and POLLHUP are always told. */
  mask = 0;
  /** The queue that holds this entry, or null. Written by {@link WaitQueue}. */
  queue: WaitQueue | null = null;
  /** Neighbours in the queue. Written by {@link WaitQueue}. */
  prev: WaitEntry | null = null;
  next: WaitEntry | null = null;

  /**
   * Called when an event of `mask` happened. It may remove entries of any queue, but add none to this one. It must
   * not run the awaited operation: it marks its owner as ready, and the owner looks again.
   */
  abstract notified(mask: number): void;

  /** Leaves the queue, if on one. */
  leave(): void {
    if (this.queue !== null) this.queue.remove(this);
  }
}

/** POLLERR | POLLHUP: delivered whether asked for or not, poll(2). */
const ALWAYS = 0x0008 | 0x0010;

/** The waiters of one object, first come first told. */
export class WaitQueue {
  #head: WaitEntry | null = null;
  #tail: WaitEntry | null = null;
  /** The entry that the running {@link notifySome} comes to next: it may be removed before. */
  #cursor: WaitEntry | null = null;

  get isEmpty(): boolean {
    return this.#head === null;
  }

  /** Appends `entry`, which is on no queue, to be told of the events in `mask`. */
  add(entry: WaitEntry, mask: number): void {
    if (entry.queue !== null) throw new Error('WaitQueue.add: the entry is on a queue already');
    entry.mask = mask;
    entry.queue = this;
    entry.prev = this.#tail;
    entry.next = null;
    if (this.#tail === null) this.#head = entry;
    else this.#tail.next = entry;
    this.#tail = entry;
  }

  /** Removes `entry`, which is on this queue. */
  remove(entry: WaitEntry): void {
    if (entry.queue !== this) throw new Error('WaitQueue.remove: the entry is not on this queue');
    if (entry.prev === null) this.#head = entry.next;
    else entry.prev.next = entry.next;
    if (entry.next === null) this.#tail = entry.prev;
    else entry.next.prev = entry.prev;
    if (entry === this.#cursor) this.#cursor = entry.next;
    entry.queue = null;
    entry.prev = null;
    entry.next = null;
  }

  /** Tells every waiter that wants one of the events in `mask`. */
  notify(mask: number): void {
    this.notifySome(mask, Infinity);
  }

  /** Tells the first `countMax` waiters that want one of the events in `mask`; returns how many were told. */
  notifySome(mask: number, countMax: number): number {
    if (this.#head === null) return 0;
    let told = 0;
    let entry: WaitEntry | null = this.#head;
    while (entry !== null && told < countMax) {
      this.#cursor = entry.next;
      if ((mask & (entry.mask | ALWAYS)) !== 0) {
        told++;
        entry.notified(mask);
      }
      entry = this.#cursor;
    }
    this.#cursor = null;
    return told;
  }
}
