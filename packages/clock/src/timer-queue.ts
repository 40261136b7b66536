/** A timer: armed in a {@link TimerQueue}, it fires once at its deadline. Made once by its owner and used again. */
export abstract class Timer {
  /** Monotonic deadline in milliseconds; meaningful while armed. Written by {@link TimerQueue}. */
  deadlineMs = Infinity;
  /** Place in the queue's heap, -1 while not armed. Written by {@link TimerQueue}. */
  heapIndex = -1;

  get isArmed(): boolean {
    return this.heapIndex >= 0;
  }

  /** Called once when the deadline has passed; the timer is disarmed then and may be armed again. */
  abstract fired(nowMs: number): void;
}

/** Timers by deadline: a binary heap, O(log n) to arm and disarm, O(1) to ask for the next deadline. */
export class TimerQueue {
  readonly #heap: Timer[] = [];

  get count(): number {
    return this.#heap.length;
  }

  /** Deadline of the first timer, Infinity when none is armed. */
  get nextDeadlineMs(): number {
    return this.#heap.length === 0 ? Infinity : this.#heap[0]!.deadlineMs;
  }

  /** Arms `timer` for `deadlineMs`, or moves it there if it is armed. Infinity disarms it. */
  arm(timer: Timer, deadlineMs: number): void {
    if (deadlineMs === Infinity) return this.disarm(timer);
    if (Number.isNaN(deadlineMs)) throw new RangeError('TimerQueue.arm: the deadline is not a number');
    timer.deadlineMs = deadlineMs;
    if (timer.heapIndex < 0) {
      timer.heapIndex = this.#heap.length;
      this.#heap.push(timer);
    }
    this.#siftUp(timer.heapIndex);
    this.#siftDown(timer.heapIndex);
  }

  /** Disarms `timer`; nothing happens if it is not armed. */
  disarm(timer: Timer): void {
    const index = timer.heapIndex;
    if (index < 0) return;
    const last = this.#heap.pop()!;
    if (last !== timer) {
      this.#heap[index] = last;
      last.heapIndex = index;
      this.#siftUp(index);
      this.#siftDown(last.heapIndex);
    }
    timer.heapIndex = -1;
    timer.deadlineMs = Infinity;
  }

  /** Fires the timers whose deadline is `nowMs` or earlier, in order. Returns how many fired. */
  run(nowMs: number): number {
    let count = 0;
    while (this.#heap.length > 0 && this.#heap[0]!.deadlineMs <= nowMs) {
      const timer = this.#heap[0]!;
      this.disarm(timer);
      count++;
      timer.fired(nowMs);
    }
    return count;
  }

  #siftUp(from: number): void {
    const heap = this.#heap;
    const timer = heap[from]!;
    let index = from;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex]!;
      if (parent.deadlineMs <= timer.deadlineMs) break;
      heap[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    heap[index] = timer;
    timer.heapIndex = index;
  }

  #siftDown(from: number): void {
    const heap = this.#heap;
    const timer = heap[from]!;
    let index = from;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      if (childIndex + 1 < heap.length && heap[childIndex + 1]!.deadlineMs < heap[childIndex]!.deadlineMs) childIndex++;
      const child = heap[childIndex]!;
      if (child.deadlineMs >= timer.deadlineMs) break;
      heap[index] = child;
      child.heapIndex = index;
      index = childIndex;
    }
    heap[index] = timer;
    timer.heapIndex = index;
  }
}
