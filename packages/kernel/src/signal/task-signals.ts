import { SS_AUTODISARM, SS_DISABLE } from '@tsv/abi';
import type { ThreadGroup } from '../task/thread-group.js';
import type { SigInfo } from './sig-info.js';
import { SigSet } from './sig-set.js';
import { UNBLOCKABLE_LOW } from './signal-actions.js';
import { SignalQueue } from './signal-queue.js';

/** What a task knows of signals: mask, pending ones, alternate stack, and whether the kernel must act on its exit. */
export class TaskSignals {
  readonly threadGroup: ThreadGroup;
  /** Signals sent to this thread alone. */
  readonly pending = new SignalQueue();
  /** The signal mask. Changed through {@link setBlocked}. */
  readonly blocked = new SigSet();
  /** The mask to come back to, while {@link hasSavedMask}: sigsuspend(2), ppoll(2). */
  readonly saved = new SigSet();
  hasSavedMask = false;
  /** Positive ERESTART* code of the call that a signal has interrupted, 0 for none. Written by the dispatcher. */
  restartCode = 0;
  /** Whether a signal can be delivered, or a stop or the end of the process is due: waits end then. */
  isInterruptPending = false;
  /** The tracer wants something of the task, ptrace(2). */
  isTraceDue = false;
  /** sigaltstack(2). */
  altStackAddr = 0;
  altStackBytes = 0;
  altStackFlags = 0;
  /** What the last fault left for `struct sigcontext`. */
  faultError = 0;
  faultTrapno = 0;
  faultAddr = 0;
  /** Signals that rt_sigtimedwait(2) waits for; empty otherwise. */
  readonly awaited = new SigSet();

  constructor(threadGroup: ThreadGroup) {
    this.threadGroup = threadGroup;
  }

  /** Whether leaving the kernel takes more than a resume. */
  get needsAttention(): boolean {
    return this.isInterruptPending || this.restartCode !== 0 || this.hasSavedMask;
  }

  /** Whether the process is about to end: waits that no other signal interrupts end too. */
  get isKillPending(): boolean {
    return this.threadGroup.isExiting;
  }

  /** Whether a signal of these halves is pending for the thread or its process. */
  hasPending(low: number, high: number): boolean {
    const own = this.pending.set;
    const shared = this.threadGroup.pending.set;
    return ((own.low | shared.low) & low) !== 0 || ((own.high | shared.high) & high) !== 0;
  }

  /** Brings {@link isInterruptPending} up to date. */
  recalculate(): void {
    this.isInterruptPending =
      this.hasPending(~this.blocked.low, ~this.blocked.high) ||
      this.threadGroup.stopSignal !== 0 ||
      this.threadGroup.isExiting ||
      this.isTraceDue;
  }

  /** Sets the signal mask; SIGKILL and SIGSTOP cannot be blocked. */
  setBlocked(low: number, high: number): void {
    this.blocked.set(low & ~UNBLOCKABLE_LOW, high);
    this.recalculate();
  }

  /** Sets a mask for the length of one system call; the old one comes back when the task leaves the kernel. */
  setTemporaryMask(low: number, high: number): void {
    if (!this.hasSavedMask) {
      this.saved.copyFrom(this.blocked);
      this.hasSavedMask = true;
    }
    this.setBlocked(low, high);
  }

  /** Comes back from a temporary mask at once: the call has ended without a signal. */
  restoreMask(): void {
    if (!this.hasSavedMask) return;
    this.hasSavedMask = false;
    this.setBlocked(this.saved.low, this.saved.high);
  }

  /** Takes the next signal that the mask lets through, the thread's own first; null for none. */
  take(): SigInfo | null {
    const { low, high } = this.blocked;
    return this.pending.take(low, high) ?? this.threadGroup.pending.take(low, high);
  }

  /** Takes a pending signal of the two halves, blocked or not: sigtimedwait(2), signalfd(2); null for none. */
  takeOf(low: number, high: number): SigInfo | null {
    const info = this.pending.take(~low, ~high) ?? this.threadGroup.pending.take(~low, ~high);
    if (info !== null) this.recalculate();
    return info;
  }

  /** Whether the stack pointer lies on the alternate stack. With SS_AUTODISARM nothing counts as on it. */
  isOnAltStack(stackPointer: number): boolean {
    if ((this.altStackFlags & SS_AUTODISARM) !== 0) return false;
    return this.isInAltStack(stackPointer);
  }

  isInAltStack(stackPointer: number): boolean {
    return stackPointer > this.altStackAddr && stackPointer - this.altStackAddr <= this.altStackBytes;
  }

  copyAltStack(from: TaskSignals): void {
    this.altStackAddr = from.altStackAddr;
    this.altStackBytes = from.altStackBytes;
    this.altStackFlags = from.altStackFlags;
  }

  resetAltStack(): void {
    this.altStackAddr = 0;
    this.altStackBytes = 0;
    this.altStackFlags = SS_DISABLE;
  }
}
