import { constants } from 'node:os';
import { kernelSignal, sendSignal, type Kernel, type ThreadGroup } from '@tsv/kernel';

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

/** Gives the signals that the host sends us to the container: to its first process, or to the terminal's foreground. */
export class SignalForwarding {
  readonly #handlers = new Map<NodeJS.Signals, () => void>();

  constructor(kernel: Kernel, init: ThreadGroup, hasTerminal: boolean) {
    for (const name of FORWARDED) {
      if (hasTerminal && name === 'SIGWINCH') continue; // The terminal tells its size itself.
      const handler = (): void => {
        const target = hasTerminal ? (init.session.foregroundGroup ?? init) : init;
        sendSignal(target, kernelSignal(constants.signals[name]));
        kernel.platform.wake();
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
