import { SIGCHLD } from '@tsv/abi';
import { WaitQueue } from '@tsv/waiter';
import type { Cgroup } from '../cgroup/cgroup.js';
import type { Kernel } from '../kernel.js';
import type { PidNamespace } from '../namespace/pid-namespace.js';
import type { EndedTracee } from '../ptrace/tracing.js';
import type { SignalActions } from '../signal/signal-actions.js';
import { SignalQueue } from '../signal/signal-queue.js';
import type { CpuTimer } from '../time/cpu-timer.js';
import type { IntervalTimers } from '../time/interval-timers.js';
import type { PosixTimers } from '../time/posix-timers.js';
import { CpuTimes } from './cpu-times.js';
import type { ResourceLimits } from './resource-limits.js';
import type { ProcessGroup, Session } from './session.js';
import type { Task } from './task.js';

/** A process: threads that share an ID, signal actions, limits and children. */
export class ThreadGroup {
  readonly kernel: Kernel;
  /** The thread whose ID is the process ID. Set when the first task is made, changed by execve(2). */
  leader!: Task;
  /** Threads that have not exited; the leader stays here as a zombie until the last other one is gone. */
  readonly tasks: Task[] = [];
  parent: ThreadGroup | null = null;
  readonly children = new Set<ThreadGroup>();
  /** Tasks that its threads trace, ptrace(2). */
  readonly tracees = new Set<Task>();
  /** Traced threads that have ended and that wait(2) has not told of. */
  readonly endedTracees: EndedTracee[] = [];
  /** Set by {@link ProcessGroup.add}. */
  processGroup!: ProcessGroup;
  signalActions: SignalActions;
  /** Signals for the process, taken by any of its threads. */
  readonly pending = new SignalQueue();
  readonly limits: ResourceLimits;
  /** Told (POLLIN) when a child exits, stops or continues. */
  readonly childExited = new WaitQueue();
  /** Told (POLLIN) when this process becomes a zombie: pidfds. */
  readonly exited = new WaitQueue();
  /** Told (POLLIN) when a signal for the process or one of its threads became pending: signalfds. */
  readonly signalArrived = new WaitQueue();
  /** Signal for the parent at exit, 0 for none, clone(2). */
  exitSignal = SIGCHLD;
  /** All threads are to exit with {@link exitStatus}. */
  isExiting = false;
  /** Status for wait(2), once exiting. */
  exitStatus = 0;
  /** All threads have exited; waits to be reaped. */
  isZombie = false;
  /** Reaped, or never to be waited for. */
  isReaped = false;
  /** Signal that stops, or has stopped, the threads; 0 while they run. */
  stopSignal = 0;
  /** Threads parked by the stop. */
  stoppedCount = 0;
  /** A stop that wait(2) has not reported: its signal, or 0. */
  unreportedStop = 0;
  /** Whether a SIGCONT was not reported by wait(2). */
  hasUnreportedContinue = false;
  /** execve(2) was called since fork: setpgid(2) by the parent is too late. */
  hasExeced = false;
  /** prctl(2) PR_SET_CHILD_SUBREAPER. */
  isSubreaper = false;
  /** The container that it belongs to, which children inherit; boot gives the names. */
  containerId = '';
  /** Why its tasks do not go back to the guest, {@link FrozenBy}. Written by the freezer, inherited by children. */
  frozenBy = 0;
  /** Where it is in the tree of control groups, cgroups(7). Written by {@link Cgroup.move}. */
  cgroup: Cgroup;
  /** Whether it dies of nothing it has no handler for: process 1 of a PID namespace. */
  isNamespaceInit = false;
  /** prctl(2) PR_SET_DUMPABLE. */
  dumpable = 1;
  /** /proc/PID/oom_score_adj. */
  oomScoreAdj = 0;
  /** Monotonic milliseconds at its start. */
  readonly startMs: number;
  /** CPU time of threads that have exited, and of children that were waited for. */
  readonly exitedTimes = new CpuTimes();
  readonly childTimes = new CpuTimes();
  /** Waits of threads that have exited, and of children that were waited for. */
  exitedSwitchCount = 0;
  childSwitchCount = 0;
  /** Largest resident set in bytes, of it and of its children. */
  maxRssBytes = 0;
  childMaxRssBytes = 0;
  /** setitimer(2); made when first used. */
  intervalTimers: IntervalTimers | null = null;
  /** RLIMIT_CPU; made when it is limited. */
  cpuLimit: CpuTimer | null = null;
  /** timer_create(2); made when first used. */
  posixTimers: PosixTimers | null = null;

  constructor(kernel: Kernel, signalActions: SignalActions, limits: ResourceLimits) {
    this.kernel = kernel;
    this.signalActions = signalActions;
    this.limits = limits;
    this.startMs = kernel.clock.monotonicMs();
    this.cgroup = kernel.rootCgroup;
  }

  /** Process ID in the root PID namespace. */
  get pid(): number {
    return this.leader.threadPid.rootNumber;
  }

  /** Process ID as `ns` sees it, 0 when it does not. */
  pidIn(ns: PidNamespace): number {
    return this.leader.threadPid.in(ns);
  }

  get pidNs(): PidNamespace {
    return this.leader.threadPid.ns;
  }

  get session(): Session {
    return this.processGroup.session;
  }

  get isSessionLeader(): boolean {
    return this.session.leader === this;
  }

  /** Whether every thread is parked by a stop signal. */
  get isStopped(): boolean {
    return this.stopSignal !== 0 && this.stoppedCount >= this.liveCount;
  }

  /** Threads that have not exited. */
  get liveCount(): number {
    return this.tasks.length - (this.leader.hasExited ? 1 : 0);
  }
}
