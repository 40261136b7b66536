import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_CLEAR_SIGHAND_HIGH,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWIPC,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
  EINVAL,
  ERESTARTNOINTR,
  type Errno,
} from '@tsv/abi';
import { REG_FS_BASE, REG_RAX, REG_RSP, type Context } from '@tsv/platform';
import type { Cgroup } from '../cgroup/cgroup.js';
import { inheritKeyrings } from '../keys/task-keyrings.js';
import type { Mm } from '../mm/mm.js';
import { UserIo } from '../mm/user-io.js';
import { changeNamespaces, type NamespaceChange } from '../namespace/change-namespaces.js';
import type { Pid } from '../namespace/pid.js';
import { leaveSemaphoreUndo, semaphoreUndoOf } from '../ipc/semaphore-undo.js';
import { TaskSignals } from '../signal/task-signals.js';
import { watchCpuLimit } from '../time/cpu-limit.js';
import { enroll } from './birth.js';
import { FrozenBy } from './freezer.js';
import { openPidfd } from './pid-file.js';
import { checkProcessLimit } from './process-limit.js';
import { Task } from './task.js';
import { ThreadGroup } from './thread-group.js';

/** What clone(2) and clone3(2) ask for. */
export interface CloneArgs {
  flags: number;
  /** CLONE_CLEAR_SIGHAND and above, shifted down by 32. */
  flagsHigh: number;
  exitSignal: number;
  /** Stack pointer of the child, 0 for the caller's. */
  stackPointer: number;
  tls: number;
  pidfdAddr: number;
  parentTidAddr: number;
  childTidAddr: number;
  /** Where the process begins, CLONE_INTO_CGROUP; null for where its parent is. */
  cgroup: Cgroup | null;
  /** Wanted IDs, innermost namespace first. */
  setTids: readonly number[];
}

/** What the steps that can fail have made, to be undone in reverse. */
interface Parts {
  readonly change: NamespaceChange;
  readonly pid: Pid;
  readonly mm: Mm;
  readonly context: Context;
}

/**
 * Makes a new thread or process as a copy of `parent`, clone(2). It is stopped still. Errors: EAGAIN, EEXIST, EINVAL,
 * EMFILE, ENOMEM, ENOSPC, EPERM, EUSERS, and ERESTARTNOINTR when a signal is due first.
 */
export function cloneTask(parent: Task, args: CloneArgs): Task | Errno {
  const invalid = checkFlags(parent, args);
  if (invalid !== 0) return invalid;
  if (parent.signals.isInterruptPending) return -ERESTARTNOINTR;
  const limited = checkProcessLimit(parent) || (args.cgroup ?? parent.threadGroup.cgroup).chargeTasks(1);
  if (limited !== 0) return limited;

  const change = changeNamespaces(parent, args.flags);
  if (typeof change === 'number') return change;
  const parts = makeParts(parent, args, change);
  if (typeof parts === 'number') {
    change.mountNs?.decRef();
    return parts;
  }
  const isThread = (args.flags & CLONE_THREAD) !== 0;
  const group = isThread ? parent.threadGroup : newThreadGroup(parent, args);
  const task = newTask(parent, args, parts, group);
  if ((args.flags & CLONE_PIDFD) !== 0) {
    const fd = openPidfd(parent, parts.pid, group, args.pidfdAddr);
    if (fd < 0) {
      discard(task);
      return fd;
    }
  }
  enroll(task);
  inheritKeyrings(parent, task);
  if (!isThread) joinFamily(parent, group, args.flags);
  storeTids(parent, task, args);
  return task;
}

function checkFlags(parent: Task, args: CloneArgs): number {
  const { flags, flagsHigh } = args;
  const has = (bits: number): boolean => (flags & bits) === bits;
  if (has(CLONE_NEWNS | CLONE_FS) || has(CLONE_NEWUSER | CLONE_FS)) return -EINVAL;
  if (has(CLONE_THREAD) && !has(CLONE_SIGHAND)) return -EINVAL;
  if (has(CLONE_SIGHAND) && !has(CLONE_VM)) return -EINVAL;
  if (has(CLONE_PARENT) && parent.threadGroup.isNamespaceInit) return -EINVAL;
  if (has(CLONE_NEWIPC | CLONE_SYSVSEM)) return -EINVAL;
  if (has(CLONE_THREAD)) {
    if ((flags & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_PIDFD)) !== 0) return -EINVAL;
    if (parent.ns.pidForChildren !== parent.pidNs) return -EINVAL;
  }
  if (has(CLONE_SIGHAND) && (flagsHigh & CLONE_CLEAR_SIGHAND_HIGH) !== 0) return -EINVAL;
  if (flagsHigh !== 0 && has(CLONE_NEWTIME)) return -EINVAL;
  return 0;
}

/** Takes the ID, the memory and the guest thread of the child: the steps that fail when something has run out. */
function makeParts(parent: Task, args: CloneArgs, change: NamespaceChange): Parts | Errno {
  const pid = change.ns.pidForChildren.allocate(args.setTids);
  if (typeof pid === 'number') return pid;
  const mm = (args.flags & CLONE_VM) !== 0 ? parent.mm : parent.mm.fork();
  if (typeof mm === 'number') {
    pid.releaseIfUnused();
    return mm;
  }
  if (mm === parent.mm) mm.incRef();
  const context = mm.addressSpace.createContext(parent.context);
  if (typeof context === 'number') {
    mm.decRef();
    pid.releaseIfUnused();
    return context;
  }
  return { change, pid, mm, context };
}

function newThreadGroup(parent: Task, args: CloneArgs): ThreadGroup {
  const from = parent.threadGroup;
  const actions = from.signalActions;
  const isShared = (args.flags & CLONE_SIGHAND) !== 0;
  if (isShared) actions.refCount++;
  const group = new ThreadGroup(parent.kernel, isShared ? actions : actions.fork(), from.limits.fork());
  if ((args.flagsHigh & CLONE_CLEAR_SIGHAND_HIGH) !== 0) group.signalActions.clearHandlers();
  group.exitSignal = (args.flags & CLONE_PARENT) !== 0 ? from.exitSignal : args.exitSignal;
  group.dumpable = from.dumpable;
  group.oomScoreAdj = from.oomScoreAdj;
  group.containerId = from.containerId;
  group.frozenBy = from.frozenBy & FrozenBy.PAUSE;
  group.cgroup = args.cgroup ?? from.cgroup;
  return group;
}

function newTask(parent: Task, args: CloneArgs, parts: Parts, group: ThreadGroup): Task {
  const { flags } = args;
  const { change, context } = parts;
  const signals = new TaskSignals(group);
  signals.blocked.copyFrom(parent.signals.hasSavedMask ? parent.signals.saved : parent.signals.blocked);
  if ((flags & CLONE_VM) === 0 || (flags & CLONE_VFORK) !== 0) signals.copyAltStack(parent.signals);
  const isSharingFiles = (flags & CLONE_FILES) !== 0;
  const isSharingFs = (flags & CLONE_FS) !== 0;
  if (isSharingFiles) parent.fds.incRef();
  if (isSharingFs) parent.fs.incRef();
  const task = new Task(
    {
      kernel: parent.kernel,
      threadPid: parts.pid,
      threadGroup: group,
      context,
      mm: parts.mm,
      fds: isSharingFiles ? parent.fds : parent.fds.fork(),
      fs: isSharingFs ? parent.fs : parent.fs.fork(),
      creds: change.creds,
      ns: change.ns,
      signals,
      comm: parent.comm,
    },
    new UserIo(),
  );
  if (change.mountNs !== null) task.fs.enterMountNamespace(change.mountNs);
  if (parts.mm !== parent.mm) parts.mm.limits = group.limits;
  inherit(parent, task);
  if ((flags & CLONE_SYSVSEM) !== 0) {
    task.semaphoreUndo = semaphoreUndoOf(parent);
    task.semaphoreUndo.userCount++;
  }
  const { page } = context;
  page.set(REG_RAX, 0);
  if (args.stackPointer !== 0) page.set(REG_RSP, args.stackPointer);
  if ((flags & CLONE_SETTLS) !== 0) page.set(REG_FS_BASE, args.tls);
  return task;
}

function inherit(parent: Task, task: Task): void {
  task.hasNoNewPrivs = parent.hasNoNewPrivs;
  task.seccomp = parent.seccomp;
  task.isSeccompStrict = parent.isSeccompStrict;
  task.personality = parent.personality;
  task.timerSlackNs = parent.timerSlackNs;
  task.memoryPolicy = parent.memoryPolicy;
  parent.scheduling.copyToChild(task.scheduling);
}

function joinFamily(parent: Task, group: ThreadGroup, flags: number): void {
  const from = parent.threadGroup;
  const { ns, number } = group.leader.threadPid;
  if (ns.init === null && number === 1) {
    ns.init = group;
    group.isNamespaceInit = true;
  }
  group.parent = (flags & CLONE_PARENT) !== 0 ? from.parent : from;
  group.parent?.children.add(group);
  watchCpuLimit(group);
  from.processGroup.add(group);
}

/** Tells parent and child the new ID; an address that cannot be written is passed over, as Linux does. */
function storeTids(parent: Task, task: Task, args: CloneArgs): void {
  const { flags } = args;
  if ((flags & CLONE_PARENT_SETTID) !== 0) parent.mm.store32(args.parentTidAddr, task.threadPid.in(parent.pidNs));
  if ((flags & CLONE_CHILD_SETTID) !== 0) task.mm.store32(args.childTidAddr, task.threadPid.number);
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) task.clearChildTid = args.childTidAddr;
}

/** Undoes a task that was not enrolled. */
function discard(task: Task): void {
  leaveSemaphoreUndo(task);
  task.fds.decRef(task);
  task.fs.decRef();
  task.context.release();
  task.mm.decRef();
  task.threadPid.releaseIfUnused();
}
