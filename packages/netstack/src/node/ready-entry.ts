import { WaitEntry } from '@tsv/waiter';

/** Calls back once in a microtask after the sockets that it waits for have become ready. */
export class ReadyEntry extends WaitEntry {
  readonly #run: () => void;
  #isQueued = false;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  notified(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    queueMicrotask(() => {
      this.#isQueued = false;
      this.#run();
    });
  }
}
