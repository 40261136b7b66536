import { EIOCBQUEUED, ENOSYS, ERESTARTSYS, ERESTART_RESTARTBLOCK } from '@tsv/abi';
import { REASON_DEAD, REASON_FAULT, REASON_SYSCALL, REG_ORIG_RAX, REG_RAX, type Platform } from '@tsv/platform';
import type { Kernel } from './kernel.js';
import { prepareTracedRun, stopsAtEntry, stopsAtExit, takeTrapFlagBack } from './ptrace/trace-stop.js';
import { TraceNext } from './ptrace/tracing.js';
import { filterSyscall, type SeccompFilter } from './seccomp/seccomp-filter.js';
import { deliverSignals, Leave } from './signal/deliver.js';
import type { NetStacks } from './socket/inet/net-stacks.js';
import { BLOCKED, REGISTERS_SET, TASK_GONE, type SyscallHandler } from './syscalls/syscall.js';
import { TaskState, type Task } from './task/task.js';

/** Served stops between two looks at the clock. */
const STOPS_PER_CLOCK_LOOK = 32;

/** What a tracer puts in place of a system call's number to have none made: -1. */
const NO_SYSCALL = 0x8000_0000;

/** Takes guest stops from the platform and has the kernel answer them. */
export class Dispatcher {
  readonly #kernel: Kernel;
  readonly #platform: Platform;
  readonly #netStacks: NetStacks;
  readonly #handlers: readonly SyscallHandler[];
  /** Stops that were answered, modulo 2^32: whether guests have done something. */
  stopCount = 0;
  /** Monotonic milliseconds at the last look at the clock: CPU time is counted in its steps. */
  #nowMs: number;

  constructor(kernel: Kernel, platform: Platform, handlers: readonly SyscallHandler[]) {
    this.#kernel = kernel;
    this.#platform = platform;
    this.#netStacks = kernel.netStacks;
    this.#handlers = handlers;
    this.#nowMs = kernel.clock.monotonicMs();
  }

  /** Lets a new task run that comes from outside of {@link pump}. */
  start(task: Task): void {
    this.#nowMs = this.#kernel.clock.monotonicMs();
    this.resume(task);
  }

  /**
   * Serves stops, woken tasks and due timers until nothing is left to do or `budgetMs` have passed. Returns the
   * monotonic deadline until which there is nothing to do: 0 when the budget ended first, Infinity for none.
   */
  pump(budgetMs: number): number {
    const kernel = this.#kernel;
    this.#nowMs = kernel.clock.monotonicMs();
    const endMs = this.#nowMs + budgetMs;
    let untilLook = STOPS_PER_CLOCK_LOOK;
    for (;;) {
      this.#runWoken();
      const index = this.#platform.next();
      if (index >= 0) {
        const task = kernel.taskOfContext(index);
        if (task !== null) this.serve(task);
        if (--untilLook > 0) continue;
      } else if (kernel.hasWoken) {
        continue;
      }
      untilLook = STOPS_PER_CLOCK_LOOK;
      const nowMs = kernel.clock.monotonicMs();
      this.#nowMs = nowMs;
      const firedCount = kernel.timers.run(nowMs);
      if (index < 0 && firedCount === 0) return kernel.timers.nextDeadlineMs;
      if (nowMs >= endMs) return 0;
    }
  }

  /** Answers the stop of `task`. */
  serve(task: Task): void {
    task.isInGuest = false;
    this.stopCount = (this.stopCount + 1) | 0;
    task.times.userMs += this.#nowMs - task.resumedMs;
    const page = task.page;
    const reason = page.reason;
    if (reason === REASON_SYSCALL) {
      task.restart.clear();
      task.syscallNr = page.low(REG_ORIG_RAX);
      if (task.tracing !== null && stopsAtEntry(task, task.tracing)) return;
      if (task.seccomp === null) this.#runHandler(task);
      else this.#runFiltered(task, task.seccomp);
    } else if (reason === REASON_FAULT) {
      if (task.tracing !== null) takeTrapFlagBack(task, task.tracing);
      this.#kernel.handleFault(task);
      this.#leaveKernel(task);
    } else if (reason === REASON_DEAD) {
      this.#kernel.contextDied(task);
    } else {
      if (task.tracing !== null) takeTrapFlagBack(task, task.tracing);
      this.#leaveKernel(task);
    }
    if (this.#netStacks.isUnsettled) this.#netStacks.settle();
  }

  #runWoken(): void {
    for (let task = this.#kernel.dequeueWoken(); task !== null; task = this.#kernel.dequeueWoken()) {
      if (task.state !== TaskState.WOKEN) continue;
      task.state = TaskState.RUNNING;
      if (task.traceNext !== null) this.#leaveTraceStop(task, task.traceNext);
      else if (task.syscallNr >= 0 && !task.isLeaving) this.#runHandler(task);
      else this.#leaveKernel(task);
      if (this.#netStacks.isUnsettled) this.#netStacks.settle();
    }
  }

  /** Takes a task on that its tracer has let go, ptrace(2). */
  #leaveTraceStop(task: Task, next: TraceNext): void {
    task.traceNext = null;
    if (next === TraceNext.LEAVE || task.threadGroup.isExiting) return this.#leaveKernel(task);
    if (next === TraceNext.FINISH) return this.#finishTraced(task);
    // The tracer may have put another number in place of a call that was not made yet, or -1 for none.
    if (task.restart.phase === 0) task.syscallNr = task.page.low(REG_ORIG_RAX);
    if (task.syscallNr >= NO_SYSCALL) return this.finish(task, REGISTERS_SET);
    if (task.seccomp === null || task.restart.phase !== 0) this.#runHandler(task);
    else this.#runFiltered(task, task.seccomp);
  }

  #finishTraced(task: Task): void {
    if (task.tracing === null || !stopsAtExit(task, task.tracing)) this.#leaveKernel(task);
  }

  #runHandler(task: Task): void {
    this.finish(task, this.#call(task));
  }

  /** Runs the handler if the filters of the task let it, seccomp(2). */
  #runFiltered(task: Task, filter: SeccompFilter): void {
    const verdict = filterSyscall(task, filter);
    if (verdict === null) this.#runHandler(task);
    else this.finish(task, verdict);
  }

  #call(task: Task): number {
    const nr = task.syscallNr;
    const handler = this.#handlers[nr];
    const { strace } = this.#kernel;
    this.#kernel.current = task;
    if (strace !== null && task.restart.tryCount === 0) strace.enter(task);
    let result = handler === undefined ? this.#unknown(task) : handler(task, task.args);
    if (result === -EIOCBQUEUED) result = task.awaitWork(this.#nowMs);
    if (strace !== null && result !== BLOCKED) strace.exit(task, nr, result === TASK_GONE ? null : result);
    if (result !== BLOCKED && task.restart.file !== null) task.restart.dropFile();
    return result;
  }

  /** Ends the system call of `task` with what its handler returned. */
  finish(task: Task, result: number): void {
    if (result === BLOCKED || result === TASK_GONE) return;
    this.#store(task, result);
    if (task.tracing === null) this.#leaveKernel(task);
    else this.#finishTraced(task);
  }

  /** Writes a result to the guest's register, or notes that a signal has interrupted the call. */
  #store(task: Task, result: number): void {
    if (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK) task.signals.restartCode = -result;
    else if (result !== REGISTERS_SET) task.page.set(REG_RAX, result);
  }

  /** Back to the guest, by way of signals, stops and exit; an interrupted call may begin anew. */
  #leaveKernel(task: Task): void {
    while (task.signals.needsAttention) {
      const next = deliverSignals(task);
      if (next === Leave.PARKED) return;
      if (next === Leave.RESUME) break;
      const result = this.#call(task);
      if (result === BLOCKED || result === TASK_GONE) return;
      this.#store(task, result);
    }
    this.resume(task);
  }

  /** Lets a task go on that its process's freezing has held back. */
  release(task: Task): void {
    task.isHeld = false;
    this.#nowMs = this.#kernel.clock.monotonicMs();
    this.#leaveKernel(task);
    if (this.#netStacks.isUnsettled) this.#netStacks.settle();
  }

  /** Lets the guest of `task` run. */
  resume(task: Task): void {
    task.syscallNr = -1;
    if (task.threadGroup.frozenBy !== 0) {
      task.isHeld = true;
      return;
    }
    if (task.tracing !== null) prepareTracedRun(task, task.tracing);
    task.isInGuest = true;
    task.resumedMs = this.#nowMs;
    task.context.resume();
  }

  #unknown(task: Task): number {
    this.#kernel.unimplemented.record(task.syscallNr, task.comm);
    return -ENOSYS;
  }
}
