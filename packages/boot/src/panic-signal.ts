import { constants } from 'node:os';
import { SandboxError } from './sandbox-error.js';

/** Calls `panic` when this process is sent the signal `signo`. */
export class PanicSignal {
  readonly #name: NodeJS.Signals;
  readonly #handler: () => void;

  /** Throws {@link SandboxError} for a signal that cannot be caught. */
  constructor(signo: number, panic: () => void) {
    const entry = Object.entries(constants.signals).find(([, number]) => number === signo);
    if (entry === undefined || entry[0] === 'SIGKILL' || entry[0] === 'SIGSTOP') {
      throw new SandboxError(`Cannot use signal ${signo} for --panic-signal: it cannot be caught`);
    }
    this.#name = entry[0] as NodeJS.Signals;
    this.#handler = panic;
    process.on(this.#name, panic);
  }

  /** The signal means what it meant before. */
  stop(): void {
    process.off(this.#name, this.#handler);
  }
}
