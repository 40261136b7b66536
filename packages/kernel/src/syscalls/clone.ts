import {
  CLONE_ARGS_CGROUP,
  CLONE_ARGS_CHILD_TID,
  CLONE_ARGS_EXIT_SIGNAL,
  CLONE_ARGS_FLAGS,
  CLONE_ARGS_PARENT_TID,
  CLONE_ARGS_PIDFD,
  CLONE_ARGS_SET_TID,
  CLONE_ARGS_SET_TID_SIZE,
  CLONE_ARGS_SIZE_VER0,
  CLONE_ARGS_STACK,
  CLONE_ARGS_STACK_SIZE,
  CLONE_ARGS_TLS,
  CLONE_CLEAR_SIGHAND_HIGH,
  CLONE_DETACHED,
  CLONE_INTO_CGROUP_HIGH,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_PTRACE,
  CLONE_THREAD,
  CLONE_UNTRACED,
  CLONE_VFORK,
  CLONE_VM,
  CSIGNAL,
  E2BIG,
  EBADF,
  EFAULT,
  EINVAL,
  ENOENT,
  EPERM,
  CAP_CHECKPOINT_RESTORE,
  CAP_SYS_ADMIN,
  NSIG,
  PTRACE_EVENT_VFORK_DONE,
  PTRACE_O_TRACEVFORKDONE,
  SIGCHLD,
  loadU64,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { MAY_WRITE } from '@tsv/vfs';
import type { Cgroup } from '../cgroup/cgroup.js';
import { CgroupDirectory } from '../cgroup/cgroup-file-system.js';
import { checkMove } from '../cgroup/move-process.js';
import { PID_MAX } from '../namespace/pid-namespace.js';
import { cloneTask, type CloneArgs } from '../task/clone.js';
import { attachChild, cloneEvent } from '../ptrace/attach.js';
import { stopForEvent } from '../ptrace/trace-stop.js';
import { TraceNext } from '../ptrace/tracing.js';
import { TaskState, type Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

const NO_TIDS: readonly number[] = [];
/** `restart.phase` once the child is made: the parent waits in vfork(2), or tells its tracer. */
const PHASE_VFORK = 1;
const PAGE_BYTES = 4096;
const INT_MAX = 0x7fffffff;

const cloneArgs: CloneArgs = {
  flags: 0,
  flagsHigh: 0,
  exitSignal: 0,
  stackPointer: 0,
  tls: 0,
  pidfdAddr: 0,
  parentTidAddr: 0,
  childTidAddr: 0,
  cgroup: null,
  setTids: NO_TIDS,
};

/** clone(2). Errors: EAGAIN, EINVAL, ENOMEM, ENOSPC, EPERM. */
export function sysClone(t: Task, a: SyscallArgs): SysResult {
  const flags = a.u32(0);
  const stackPointer = a.u64(1);
  const parentTidAddr = a.u64(2);
  const childTidAddr = a.u64(3);
  const tls = a.u64(4);
  if (t.restart.phase === PHASE_VFORK) return waitForVforkChild(t);
  if ((flags & CLONE_PIDFD) !== 0 && (flags & (CLONE_PARENT_SETTID | CLONE_DETACHED)) !== 0) return -EINVAL;

  cloneArgs.flags = (flags & ~CSIGNAL) >>> 0;
  cloneArgs.flagsHigh = 0;
  cloneArgs.exitSignal = (flags & CLONE_THREAD) !== 0 ? 0 : flags & CSIGNAL;
  cloneArgs.stackPointer = stackPointer;
  cloneArgs.tls = tls;
  cloneArgs.pidfdAddr = parentTidAddr;
  cloneArgs.parentTidAddr = parentTidAddr;
  cloneArgs.childTidAddr = childTidAddr;
  cloneArgs.cgroup = null;
  cloneArgs.setTids = NO_TIDS;
  return start(t);
}

/** fork(2). Errors: as clone(2). */
export function sysFork(t: Task): SysResult {
  return t.restart.phase === PHASE_VFORK ? waitForVforkChild(t) : plainClone(t, 0);
}

/** vfork(2). Errors: as clone(2). */
export function sysVfork(t: Task): SysResult {
  return t.restart.phase === PHASE_VFORK ? waitForVforkChild(t) : plainClone(t, CLONE_VFORK | CLONE_VM);
}

/** clone3(2). Errors: E2BIG, EAGAIN, EEXIST, EFAULT, EINVAL, ENOMEM, ENOSPC, EPERM. */
export function sysClone3(t: Task, a: SyscallArgs): SysResult {
  const argsAddr = a.u64(0);
  const argsBytes = a.u64(1);
  if (t.restart.phase === PHASE_VFORK) return waitForVforkChild(t);
  if (argsBytes > PAGE_BYTES) return -E2BIG;
  if (argsBytes < CLONE_ARGS_SIZE_VER0) return -EINVAL;
  const result = loadCloneArgs(t, argsAddr, argsBytes);
  return result === 0 ? start(t) : result;
}

function plainClone(t: Task, flags: number): SysResult {
  cloneArgs.flags = flags;
  cloneArgs.flagsHigh = 0;
  cloneArgs.exitSignal = SIGCHLD;
  cloneArgs.stackPointer = 0;
  cloneArgs.tls = 0;
  cloneArgs.pidfdAddr = 0;
  cloneArgs.parentTidAddr = 0;
  cloneArgs.childTidAddr = 0;
  cloneArgs.cgroup = null;
  cloneArgs.setTids = NO_TIDS;
  return start(t);
}

function start(t: Task): SysResult {
  const child = cloneTask(t, cloneArgs);
  if (typeof child === 'number') return child;
  const tid = child.threadPid.in(t.pidNs);
  const isVfork = (cloneArgs.flags & CLONE_VFORK) !== 0;
  if (isVfork) child.vforkParent = t;
  const event = t.tracing === null ? 0 : traceChild(t, child);
  if (child.tracing === null) t.kernel.dispatcher.resume(child);
  if (!isVfork && event === 0) return tid;
  t.restart.phase = PHASE_VFORK;
  t.restart.object = child;
  t.restart.value = tid;
  // Whether there is a vfork(2) to wait for: plain tasks come back here only to tell of an event.
  t.restart.moved = isVfork ? 1 : 0;
  if (event === 0) return t.blockKillable();
  stopForEvent(t, t.tracing!, event, TraceNext.HANDLER);
  return BLOCKED;
}

/** Has the child of a traced task traced too, if its tracer wants that. Returns the event to tell it of, 0 for none. */
function traceChild(t: Task, child: Task): number {
  const tracing = t.tracing!;
  if ((cloneArgs.flags & CLONE_UNTRACED) !== 0) return 0;
  const event = cloneEvent(t, cloneArgs.flags, cloneArgs.exitSignal);
  if (event === 0 && (cloneArgs.flags & CLONE_PTRACE) === 0) return 0;
  attachChild(t, child);
  child.state = TaskState.WOKEN;
  child.traceNext = TraceNext.LEAVE;
  t.kernel.enqueueWoken(child);
  tracing.eventMessage = child.threadPid.in(tracing.tracer.pidNs);
  return event;
}

/** The parent of vfork(2) waits until the child no longer uses its memory. */
function waitForVforkChild(t: Task): SysResult {
  const child = t.restart.object as Task;
  if (child.vforkParent !== t) return vforkDone(t);
  const result = t.blockKillable();
  if (t.signals.isKillPending) child.vforkParent = null;
  return result;
}

/** The child has its own memory: a tracer that wants to know is told. */
function vforkDone(t: Task): SysResult {
  const { tracing, restart } = t;
  const wasVfork = restart.moved !== 0;
  if (wasVfork && tracing !== null && (tracing.options & PTRACE_O_TRACEVFORKDONE) !== 0) {
    tracing.pendingEvent = PTRACE_EVENT_VFORK_DONE;
  }
  return restart.value;
}

/** Reads `struct clone_args` into {@link cloneArgs}. */
function loadCloneArgs(t: Task, addr: number, bytes: number): SysResult {
  const { scratch, scratchView: mem } = t.kernel;
  const known = CLONE_ARGS_CGROUP + 8;
  scratch.fill(0, 0, Math.max(bytes, known));
  if (t.mm.copyIn(scratch, 0, addr, bytes) < 0) return -EFAULT;
  for (let i = known; i < bytes; i++) if (scratch[i] !== 0) return -E2BIG;
  const flags = mem.getUint32(CLONE_ARGS_FLAGS, true);
  const flagsHigh = mem.getUint32(CLONE_ARGS_FLAGS + 4, true);
  const exitSignal = loadU64(mem, CLONE_ARGS_EXIT_SIGNAL);
  const stackAddr = loadU64(mem, CLONE_ARGS_STACK);
  const stackBytes = loadU64(mem, CLONE_ARGS_STACK_SIZE);
  if ((flagsHigh & ~(CLONE_CLEAR_SIGHAND_HIGH | CLONE_INTO_CGROUP_HIGH)) !== 0) return -EINVAL;
  if ((flags & (CLONE_DETACHED | CSIGNAL)) !== 0) return -EINVAL;
  if (exitSignal > NSIG) return -EINVAL;
  if ((flags & (CLONE_THREAD | CLONE_PARENT)) !== 0 && exitSignal !== 0) return -EINVAL;
  if ((stackAddr === 0) !== (stackBytes === 0)) return -EINVAL;
  cloneArgs.flags = flags;
  cloneArgs.flagsHigh = flagsHigh;
  cloneArgs.exitSignal = exitSignal;
  cloneArgs.stackPointer = stackAddr + stackBytes;
  cloneArgs.tls = loadU64(mem, CLONE_ARGS_TLS);
  cloneArgs.pidfdAddr = loadU64(mem, CLONE_ARGS_PIDFD);
  cloneArgs.parentTidAddr = loadU64(mem, CLONE_ARGS_PARENT_TID);
  cloneArgs.childTidAddr = loadU64(mem, CLONE_ARGS_CHILD_TID);
  const cgroup = (flagsHigh & CLONE_INTO_CGROUP_HIGH) === 0 ? null : cgroupOf(t, loadU64(mem, CLONE_ARGS_CGROUP));
  if (typeof cgroup === 'number') return cgroup;
  cloneArgs.cgroup = cgroup;
  return loadSetTids(t, loadU64(mem, CLONE_ARGS_SET_TID), loadU64(mem, CLONE_ARGS_SET_TID_SIZE));
}

/** The cgroup of CLONE_INTO_CGROUP, whose directory `fd` refers to. Errors: EACCES, EBADF, EBUSY, EINVAL, ENOENT. */
function cgroupOf(t: Task, fd: number): Cgroup | Errno {
  if (fd > INT_MAX) return -EINVAL;
  const directory = t.fds.get(fd)?.inode;
  if (!(directory instanceof CgroupDirectory)) return -EBADF;
  const { fs, cgroup } = directory;
  if (cgroup.isRemoved) return -ENOENT;
  const procs = directory.fileOf('cgroup.procs');
  const denied = procs === null ? 0 : procs.checkAccess(MAY_WRITE, t.creds);
  return denied || checkMove(fs, t.threadGroup.cgroup, cgroup, t) || cgroup;
}

/** Reads the IDs that clone3(2)'s `set_tid` asks for: those of the innermost namespaces first. */
function loadSetTids(t: Task, addr: number, count: number): SysResult {
  cloneArgs.setTids = NO_TIDS;
  if ((addr === 0) !== (count === 0)) return -EINVAL;
  if (count === 0) return 0;
  if (count > t.ns.pidForChildren.level + 1) return -EINVAL;
  const tids: number[] = [];
  let ns = t.ns.pidForChildren;
  for (let i = 0; i < count; i++) {
    const tid = t.mm.load32(addr + 4 * i) | 0;
    if (tid < 1 || tid >= PID_MAX) return -EINVAL;
    if (tid !== 1 && ns.init === null) return -EINVAL;
    if (!t.creds.hasCapIn(ns.userNs, CAP_CHECKPOINT_RESTORE) && !t.creds.hasCapIn(ns.userNs, CAP_SYS_ADMIN)) {
      return -EPERM;
    }
    tids.push(tid);
    ns = ns.parent ?? ns;
  }
  cloneArgs.setTids = tids;
  return 0;
}
