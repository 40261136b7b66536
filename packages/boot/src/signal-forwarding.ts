import { constants } from 'node:os';

/** Signals that mean the container, not us. SIGKILL and SIGSTOP cannot be caught; faults and SIGCHLD are our own. */
const FORWARDED: readonly NodeJS.Signals[] = [
  'SIGHUP',
  'SIGINT',
  'SIGQUIT',
  'SIGTERM',
  'SIGUSR2',
  'SIGALRM',
  'SIGCONT',
  'SIGTSTP',
  'SIGWINCH',
];

/** Passes the signals that the host sends us to `forward`, but for one. */
export class SignalForwarding {
  readonly #handlers = new Map<NodeJS.Signals, () => void>();

  constructor(forward: (signo: number) => void, except: number | null = null) {
    for (const name of FORWARDED) {
      if (constants.signals[name] === except) continue;
      const handler = (): void => {
        forward(constants.signals[name]);
      };
      this.#handlers.set(name, handler);
      process.on(name, handler);
    }
  }

  /** Signals mean us again. */
  stop(): void {
    for (const [name, handler] of this.#handlers) process.off(name, handler);
    this.#handlers.clear();
  }
}
