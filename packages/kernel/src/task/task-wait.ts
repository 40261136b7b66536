import { Timer } from '@tsv/clock';
import { WaitEntry, type WaitQueue } from '@tsv/waiter';
import type { Task } from './task.js';

class TaskWaitEntry extends WaitEntry {
  readonly #task: Task;
  constructor(task: Task) {
    super();
    this.#task = task;
  }
  notified(): void {
    this.#task.wake();
  }
}

class TaskTimer extends Timer {
  readonly #task: Task;
  constructor(task: Task) {
    super();
    this.#task = task;
  }
  fired(): void {
    this.#task.wake();
  }
}

/** What a task waits for: any number of queues and a deadline. Entries are kept for the next wait. */
export class TaskWait {
  readonly #task: Task;
  readonly #entries: TaskWaitEntry[] = [];
  #count = 0;
  readonly #timer: TaskTimer;

  constructor(task: Task) {
    this.#task = task;
    this.#timer = new TaskTimer(task);
  }

  /** Adds `queue` to what wakes the task. */
  on(queue: WaitQueue, mask: number): void {
    let entry = this.#entries[this.#count];
    if (entry === undefined) {
      entry = new TaskWaitEntry(this.#task);
      this.#entries.push(entry);
    }
    this.#count++;
    queue.add(entry, mask);
  }

  /** Wakes the task at `deadlineMs`, monotonic; Infinity for never. */
  until(deadlineMs: number): void {
    this.#task.kernel.timers.arm(this.#timer, deadlineMs);
  }

  /** Leaves all queues. */
  clear(): void {
    for (let i = 0; i < this.#count; i++) this.#entries[i]!.leave();
    this.#count = 0;
    if (this.#timer.isArmed) this.#task.kernel.timers.disarm(this.#timer);
  }

  /** Number of queues waited on. */
  get count(): number {
    return this.#count;
  }

  /** Deadline, Infinity for none. */
  get deadlineMs(): number {
    return this.#timer.deadlineMs;
  }
}
