import { WaitEntry } from '@tsv/waiter';

/** Calls back at once when the socket that it waits for has become ready. */
export class Readable extends WaitEntry {
  readonly #run: () => void;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  notified(): void {
    this.#run();
  }
}
