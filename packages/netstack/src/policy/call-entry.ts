import { WaitEntry } from '@tsv/waiter';

/** Calls back at once when the sockets that it waits for have become ready. */
export class CallEntry extends WaitEntry {
  readonly #call: () => void;

  constructor(call: () => void) {
    super();
    this.#call = call;
  }

  notified(): void {
    this.#call();
  }
}
