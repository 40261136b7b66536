import { TaskState, type Task } from '../../task/task.js';

/** A message of a POSIX queue, mq_send(3). */
export interface MqMessage {
  readonly priority: number;
  readonly bytes: Uint8Array;
}

/**
 * A task that waits to send (`message` is what it brings) or to receive (`message` is what it was given): the
 * `restart.object` of its call.
 */
export class MqWait {
  readonly task: Task;
  message: MqMessage | null;
  /** Whether the message has changed hands: the call has succeeded. */
  isDone = false;

  constructor(task: Task, message: MqMessage | null) {
    this.task = task;
    this.message = message;
  }

  /** The message has changed hands: the task goes on. */
  finish(): void {
    this.isDone = true;
    this.task.wake();
  }

  get isWaiting(): boolean {
    const { state, restart } = this.task;
    return restart.object === this && (state === TaskState.BLOCKED || state === TaskState.WOKEN);
  }
}

/** The tasks that wait at one end of a queue, first come first served. Differs: their priority does not count. */
export class MqWaiters {
  #waits: MqWait[] = [];

  add(wait: MqWait): void {
    this.#waits = this.#waits.filter((other) => other.isWaiting);
    this.#waits.push(wait);
  }

  remove(wait: MqWait): void {
    this.#waits = this.#waits.filter((other) => other !== wait);
  }

  /** Takes the first out that still waits; null for none. */
  takeFirst(): MqWait | null {
    for (let wait = this.#waits.shift(); wait !== undefined; wait = this.#waits.shift()) {
      if (wait.isWaiting) return wait;
    }
    return null;
  }
}
