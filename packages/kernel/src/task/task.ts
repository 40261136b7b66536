import { EIOCBQUEUED, ERESTARTSYS, POLLIN } from '@tsv/abi';
import type { Context, ContextPage } from '@tsv/platform';
import type { Caller, VfsPath } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import type { Credentials } from '../cred/credentials.js';
import type { FdTable } from '../fd/fd-table.js';
import type { FutexWaiter } from '../futex/futex-table.js';
import type { SemaphoreUndo } from '../ipc/semaphore-undo.js';
import type { Kernel } from '../kernel.js';
import type { TaskKeyrings } from '../keys/task-keyrings.js';
import type { Mm } from '../mm/mm.js';
import type { UserIo } from '../mm/user-io.js';
import type { NsProxy } from '../namespace/ns-proxy.js';
import type { Pid } from '../namespace/pid.js';
import type { PidNamespace } from '../namespace/pid-namespace.js';
import { wakeFromTraceStop } from '../ptrace/trace-stop.js';
import type { TraceNext, Tracing } from '../ptrace/tracing.js';
import type { SeccompFilter } from '../seccomp/seccomp-filter.js';
import type { TaskSignals } from '../signal/task-signals.js';
import type { MemoryPolicy } from '../syscalls/mempolicy.js';
import { SyscallArgs } from '../syscalls/syscall-args.js';
import { BLOCKED } from '../syscalls/syscall.js';
import { CpuTimes } from './cpu-times.js';
import type { FsContext } from './fs-context.js';
import { RestartState } from './restart-state.js';
import { Scheduling } from './scheduling.js';
import { TaskWait } from './task-wait.js';
import type { ThreadGroup } from './thread-group.js';

/** What a task does now. */
export const TaskState = {
  /** The guest runs, or the kernel serves it. */
  RUNNING: 0,
  /** In a system call, waiting. */
  BLOCKED: 1,
  /** Woken; its handler runs again soon. */
  WOKEN: 2,
  /** Stopped by a signal. */
  STOPPED: 3,
  /** Stopped for its tracer. */
  TRACED: 4,
  /** Exited, not yet reaped. */
  ZOMBIE: 5,
  /** Gone. */
  DEAD: 6,
} as const;
export type TaskState = (typeof TaskState)[keyof typeof TaskState];

/** What a new task starts with; it takes over one reference of each. */
export interface TaskInit {
  readonly kernel: Kernel;
  readonly threadPid: Pid;
  readonly threadGroup: ThreadGroup;
  readonly context: Context;
  readonly mm: Mm;
  readonly fds: FdTable;
  readonly fs: FsContext;
  readonly creds: Credentials;
  readonly ns: NsProxy;
  readonly signals: TaskSignals;
  readonly comm: string;
}

/** A thread of the guest. */
export class Task implements Caller {
  readonly kernel: Kernel;
  /** Its ID; execve(2) gives the calling thread the leader's. */
  threadPid: Pid;
  readonly threadGroup: ThreadGroup;
  context: Context;
  page: ContextPage;
  readonly args: SyscallArgs;
  mm: Mm;
  fds: FdTable;
  fs: FsContext;
  #creds: Credentials;
  ns: NsProxy;
  readonly signals: TaskSignals;
  /** Command name, up to 15 bytes, prctl(2) PR_SET_NAME. */
  comm: string;
  state: TaskState = TaskState.RUNNING;
  /** Whether the guest thread runs now: from resume until its stop is served. Written by the dispatcher. */
  isInGuest = false;
  /** Number of the system call being served, -1 outside of one. */
  syscallNr = -1;
  readonly restart = new RestartState();
  readonly wait: TaskWait;
  /** Reused for read(2) and write(2) and their kin. */
  readonly io: UserIo;
  /** Where to clear and wake a futex at exit, set_tid_address(2). */
  clearChildTid = 0;
  /** set_robust_list(2). */
  robustListAddr = 0;
  /** Its places in futex queues: made at the first futex(2) and futex_waitv(2) wait. */
  futexWaiter: FutexWaiter | null = null;
  futexVector: FutexWaiter[] | null = null;
  /** What semop(2) has to undo at exit; null for nothing. */
  semaphoreUndo: SemaphoreUndo | null = null;
  exitCode = 0;
  /** Parked at the exit of the kernel: no handler runs when the task goes on. Written by signal delivery. */
  isLeaving = false;
  /** Would run in the guest if its process were not frozen. Written by the dispatcher. */
  isHeld = false;
  #tracing: Tracing | null = null;
  /** Where it goes on after a trace stop; null once it does. */
  traceNext: TraceNext | null = null;
  /** prctl(2) PR_SET_NO_NEW_PRIVS. */
  hasNoNewPrivs = false;
  #seccomp: SeccompFilter | null = null;
  /** SECCOMP_SET_MODE_STRICT. */
  isSeccompStrict = false;
  /** personality(2). */
  personality = 0;
  /** set_mempolicy(2); null for the default. */
  memoryPolicy: MemoryPolicy | null = null;
  /** keyrings(7); made when the first is asked for. */
  keyrings: TaskKeyrings | null = null;
  /** prctl(2) PR_SET_PDEATHSIG, 0 for none. */
  parentDeathSignal = 0;
  /** prctl(2) PR_SET_TIMERSLACK. */
  timerSlackNs = 50_000;
  /** The task that waits in vfork(2) for this one to exec or exit. */
  vforkParent: Task | null = null;
  /** Last fault of which the platform could not say what was tried, or -1. Written by the fault handler. */
  unknownFaultAddr = -1;
  unknownFaultIp = -1;
  readonly scheduling = new Scheduling();
  readonly times = new CpuTimes();
  /** Monotonic milliseconds at which the guest last began to run. Written by the dispatcher. */
  resumedMs = 0;
  /** Monotonic milliseconds at its start. */
  readonly startMs: number;
  /** Waits that ended the CPU's use, for getrusage(2). */
  voluntarySwitchCount = 0;

  constructor(init: TaskInit, io: UserIo) {
    this.kernel = init.kernel;
    this.threadPid = init.threadPid;
    this.threadGroup = init.threadGroup;
    this.context = init.context;
    this.page = init.context.page;
    this.args = new SyscallArgs(init.context.page);
    this.mm = init.mm;
    this.fds = init.fds;
    this.fs = init.fs;
    this.#creds = init.creds;
    this.ns = init.ns;
    this.signals = init.signals;
    this.comm = init.comm;
    this.wait = new TaskWait(this);
    this.io = io;
    this.startMs = init.kernel.clock.monotonicMs();
  }

  get creds(): Credentials {
    return this.#creds;
  }
  set creds(creds: Credentials) {
    this.#creds = creds;
    this.context.forgetAnswers?.();
  }

  /** The filters of its system calls, seccomp(2); null for none. */
  get seccomp(): SeccompFilter | null {
    return this.#seccomp;
  }
  set seccomp(filter: SeccompFilter | null) {
    this.#seccomp = filter;
    this.context.forgetAnswers?.();
  }

  /** ptrace(2); null while nobody traces it. */
  get tracing(): Tracing | null {
    return this.#tracing;
  }
  set tracing(tracing: Tracing | null) {
    this.#tracing = tracing;
    this.context.forgetAnswers?.();
  }

  /**
   * Lets the platform give `result` for call `nr` by itself from now on: until {@link creds}, {@link seccomp} or
   * {@link tracing} change, or somebody tells the context to forget it. Returns `result`.
   */
  answer(nr: number, result: number): number {
    const isUnseen = this.#seccomp === null && this.#tracing === null && this.kernel.strace === null;
    if (isUnseen) this.context.answer?.(nr, result);
    return result;
  }

  /** Thread ID in the root PID namespace. */
  get tid(): number {
    return this.threadPid.rootNumber;
  }
  /** The PID namespace that the task is in. */
  get pidNs(): PidNamespace {
    return this.threadPid.ns;
  }
  get hasExited(): boolean {
    return this.state >= TaskState.ZOMBIE;
  }
  get isLeader(): boolean {
    return this.threadGroup.leader === this;
  }

  get umask(): number {
    return this.fs.umask;
  }
  get root(): VfsPath {
    return this.fs.root;
  }
  get cwd(): VfsPath {
    return this.fs.cwd;
  }
  get memory(): Mm {
    return this.mm;
  }

  /** Goes on in another guest thread, execve(2). */
  enterContext(context: Context): void {
    this.context = context;
    this.page = context.page;
    this.args.attach(context.page);
  }

  /** Its ID is another thread's now: execve(2) of a thread that was not the leader. */
  retire(): void {
    this.state = TaskState.DEAD;
  }

  /** Waits for an event of `mask` on `queue`. Returns what the handler must return. */
  waitOn(queue: WaitQueue, mask: number): number {
    this.wait.on(queue, mask);
    return this.block();
  }

  /**
   * Ends the handler's try: the task sleeps until what was given to `wait` happens or a signal comes. Returns BLOCKED,
   * or the negated `interrupted` code when a signal is pending: the handler returns either.
   */
  block(interrupted: number = ERESTARTSYS): number {
    if (this.signals.isInterruptPending) {
      this.wait.clear();
      return -interrupted;
    }
    return this.#sleep();
  }

  /** As {@link block}, but only the end of the process interrupts the wait. */
  blockKillable(): number {
    if (this.signals.isKillPending) {
      this.wait.clear();
      return -ERESTARTSYS;
    }
    return this.#sleep();
  }

  /** Has the handler run again, which returns -EIOCBQUEUED for that: an operation on files takes longer, `Caller`. */
  comeAgain(waiters: WaitQueue | null): number | null {
    if (this.syscallNr < 0) return null;
    this.restart.work = waiters;
    return -EIOCBQUEUED;
  }

  /** After -EIOCBQUEUED. Returns BLOCKED, or what ends the call of a task that is killed. */
  awaitWork(nowMs: number): number {
    const { work } = this.restart;
    this.restart.work = null;
    if (work === null) this.wait.until(nowMs);
    else this.wait.on(work, POLLIN);
    return this.blockKillable();
  }

  /** Ends a wait: the handler will run again. Nothing happens to a task that does not wait. */
  wake(): void {
    if (this.state !== TaskState.BLOCKED) return;
    this.wait.clear();
    this.state = TaskState.WOKEN;
    this.kernel.enqueueWoken(this);
  }

  /** Makes the task look at its signals: a wait ends, and a running guest stops. */
  interrupt(): void {
    if (this.state === TaskState.BLOCKED) this.wake();
    else if (this.state === TaskState.STOPPED || this.state === TaskState.TRACED) this.#unparkForExit();
    else if (this.isInGuest) this.context.interrupt();
  }

  /** Ends a stop. Nothing happens to a task that is not stopped. */
  unpark(): void {
    if (this.state !== TaskState.STOPPED) return;
    this.signals.recalculate();
    this.state = TaskState.WOKEN;
    this.kernel.enqueueWoken(this);
  }

  #unparkForExit(): void {
    if (!this.threadGroup.isExiting) return;
    if (this.tracing !== null) wakeFromTraceStop(this, this.tracing);
    this.unpark();
  }

  #sleep(): number {
    this.state = TaskState.BLOCKED;
    this.restart.tryCount++;
    this.voluntarySwitchCount++;
    return BLOCKED;
  }
}
