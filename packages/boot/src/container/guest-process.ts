import type { ThreadGroup } from '@tsv/kernel';
import type { Terminal } from '../terminal.js';
import type { StandIn } from './stand-in.js';
import { exitStatusOf } from './wait-status.js';

/** A process of a container that boot has started: its first one, or one that was executed in it. */
export class GuestProcess {
  readonly threadGroup: ThreadGroup;
  readonly terminal: Terminal | null;
  readonly standIn: StandIn | null;
  /** Resolves with the wait status, wait(2). */
  readonly exited: Promise<number>;
  /** Wait status, or null while it runs. */
  status: number | null = null;
  #settle!: (status: number) => void;

  constructor(threadGroup: ThreadGroup, terminal: Terminal | null, standIn: StandIn | null) {
    this.threadGroup = threadGroup;
    this.terminal = terminal;
    this.standIn = standIn;
    this.exited = new Promise((resolve) => {
      this.#settle = resolve;
    });
  }

  /** It has exited: the last output goes out before anybody is told. */
  finish(status: number): void {
    if (this.status !== null) return;
    this.status = status;
    this.terminal?.close();
    this.standIn?.exit(exitStatusOf(status));
    this.#settle(status);
  }
}
