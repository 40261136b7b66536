import { ERESTARTSYS } from '@tsv/abi';
import type { Context, ContextPage } from '@tsv/platform';
import type { Caller, VfsPath } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import type { Credentials } from '../cred/credentials.js';
import type { FdTable } from '../fd/fd-table.js';
import type { Kernel } from '../kernel.js';
import type { Mm } from '../mm/mm.js';
import type { UserIo } from '../mm/user-io.js';
import type { TaskSignals } from '../signal/task-signals.js';
import { SyscallArgs } from '../syscalls/syscall-args.js';
import { BLOCKED } from '../syscalls/syscall.js';
import type { FsContext } from './fs-context.js';
import { RestartState } from './restart-state.js';
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
  /** Stopped by a signal or a tracer. */
  STOPPED: 3,
  /** Exited, not yet reaped. */
  ZOMBIE: 4,
  /** Gone. */
  DEAD: 5,
} as const;
export type TaskState = (typeof TaskState)[keyof typeof TaskState];

/** What a new task starts with; it takes over one reference of each. */
export interface TaskInit {
  readonly kernel: Kernel;
  readonly tid: number;
  readonly threadGroup: ThreadGroup;
  readonly context: Context;
  readonly mm: Mm;
  readonly fds: FdTable;
  readonly fs: FsContext;
  readonly creds: Credentials;
  readonly signals: TaskSignals;
  readonly comm: string;
}

/** A thread of the guest. */
export class Task implements Caller {
  readonly kernel: Kernel;
  /** Thread ID in the root PID namespace. */
  readonly tid: number;
  readonly threadGroup: ThreadGroup;
  context: Context;
  page: ContextPage;
  readonly args: SyscallArgs;
  mm: Mm;
  fds: FdTable;
  fs: FsContext;
  creds: Credentials;
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
  exitCode = 0;

  constructor(init: TaskInit, io: UserIo) {
    this.kernel = init.kernel;
    this.tid = init.tid;
    this.threadGroup = init.threadGroup;
    this.context = init.context;
    this.page = init.context.page;
    this.args = new SyscallArgs(init.context.page);
    this.mm = init.mm;
    this.fds = init.fds;
    this.fs = init.fs;
    this.creds = init.creds;
    this.signals = init.signals;
    this.comm = init.comm;
    this.wait = new TaskWait(this);
    this.io = io;
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
    this.state = TaskState.BLOCKED;
    this.restart.tryCount++;
    return BLOCKED;
  }

  /** Ends a wait: the handler will run again. Nothing happens to a task that does not wait. */
  wake(): void {
    if (this.state !== TaskState.BLOCKED) return;
    this.wait.clear();
    this.state = TaskState.WOKEN;
    this.kernel.enqueueWoken(this);
  }
}
