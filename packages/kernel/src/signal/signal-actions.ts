import {
  NSIG,
  SA_ONSTACK,
  SIGCHLD,
  SIGCONT,
  SIGKILL,
  SIGSTOP,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGWINCH,
  SIG_DFL,
  SIG_IGN,
} from '@tsv/abi';
import { lowSignals } from './sig-set.js';

/** What a process does on one signal, `struct kernel_sigaction`. */
export class SigAction {
  /** SIG_DFL, SIG_IGN or the handler's address. */
  handlerAddr = SIG_DFL;
  flags = 0;
  restorerAddr = 0;
  /** Signals blocked while the handler runs. */
  maskLow = 0;
  maskHigh = 0;

  copyFrom(other: SigAction): void {
    this.handlerAddr = other.handlerAddr;
    this.flags = other.flags;
    this.restorerAddr = other.restorerAddr;
    this.maskLow = other.maskLow;
    this.maskHigh = other.maskHigh;
  }

  reset(): void {
    this.handlerAddr = SIG_DFL;
    this.flags = 0;
    this.restorerAddr = 0;
    this.maskLow = 0;
    this.maskHigh = 0;
  }
}

/** The signal dispositions of a process; tasks cloned with CLONE_SIGHAND share one. */
export class SignalActions {
  readonly #actions: SigAction[] = Array.from({ length: NSIG + 1 }, () => new SigAction());
  refCount = 1;

  get(signo: number): SigAction {
    return this.#actions[signo]!;
  }

  /** A copy, for fork(2). */
  fork(): SignalActions {
    const copy = new SignalActions();
    for (let signo = 1; signo <= NSIG; signo++) copy.get(signo).copyFrom(this.get(signo));
    return copy;
  }

  /** Handlers become SIG_DFL, ignored signals stay ignored, execve(2). */
  resetForExec(): void {
    for (let signo = 1; signo <= NSIG; signo++) {
      const action = this.get(signo);
      const isIgnored = action.handlerAddr === SIG_IGN;
      action.reset();
      if (isIgnored) action.handlerAddr = SIG_IGN;
    }
  }

  /** Everything but SIG_IGN becomes SIG_DFL, CLONE_CLEAR_SIGHAND of clone3(2). */
  clearHandlers(): void {
    this.resetForExec();
  }

  /** Whether `signo` is thrown away when it arrives: ignored, or by default nothing. */
  isIgnored(signo: number): boolean {
    const handlerAddr = this.get(signo).handlerAddr;
    return handlerAddr === SIG_IGN || (handlerAddr === SIG_DFL && isDefaultIgnored(signo));
  }
}

const DEFAULT_IGNORED = lowSignals(SIGCONT, SIGCHLD, SIGWINCH, SIGURG);
const DEFAULT_STOP = lowSignals(SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU);

/** Signals that no mask blocks and no action catches. */
export const UNBLOCKABLE_LOW = lowSignals(SIGKILL, SIGSTOP);

/** Whether the default action of `signo` is none, signal(7). */
export function isDefaultIgnored(signo: number): boolean {
  return signo <= 32 && ((DEFAULT_IGNORED >>> (signo - 1)) & 1) !== 0;
}

/** Whether the default action of `signo` is to stop. */
export function isDefaultStop(signo: number): boolean {
  return signo <= 32 && ((DEFAULT_STOP >>> (signo - 1)) & 1) !== 0;
}

/** Whether the handler runs on the alternate stack if there is one. */
export function usesAltStack(action: SigAction): boolean {
  return (action.flags & SA_ONSTACK) !== 0;
}
