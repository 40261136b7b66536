import {
  E2BIG,
  EAGAIN,
  EFAULT,
  EFBIG,
  EIDRM,
  EINTR,
  EINVAL,
  ENOSPC,
  ERANGE,
  GETALL,
  GETNCNT,
  GETPID,
  GETVAL,
  GETZCNT,
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  POLLIN,
  SEM_FLG,
  SEM_INFO,
  SEM_NUM,
  SEM_OP,
  SEM_STAT,
  SEM_STAT_ANY,
  SEM_UNDO,
  SETALL,
  SETVAL,
  SIZEOF_IPC_PERM,
  SIZEOF_SEMBUF,
  SIZEOF_SEMID_DS,
  SIZEOF_SEMINFO,
  SIZEOF_TIMESPEC,
  loadTimespecMs,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import {
  SEMAPHORES_MAX,
  SEMAPHORES_PER_SET_MAX,
  SEMAPHORE_OPERATIONS_MAX,
  SEMAPHORE_SETS_MAX,
} from '../ipc/ipc-limits.js';
import { S_IRUGO, S_IWUGO, nowSeconds } from '../ipc/ipc-object.js';
import {
  SEMAPHORE_VALUE_MAX,
  SemaphoreSet,
  type SemaphoreOperation,
  type SemaphoreWait,
} from '../ipc/semaphore-set.js';
import { semaphoreUndoOf } from '../ipc/semaphore-undo.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** semget(2). Errors: EACCES, EEXIST, EINVAL, ENOENT, ENOSPC. */
export function sysSemget(t: Task, a: SyscallArgs): SysResult {
  const key = a.i32(0);
  const nsems = a.i32(1);
  const flags = a.u32(2);
  if (nsems < 0 || nsems > SEMAPHORES_PER_SET_MAX) return -EINVAL;

  const make = (): SemaphoreSet | Errno => {
    if (nsems === 0) return -EINVAL;
    return totalSemaphores(t) + nsems > SEMAPHORES_MAX ? -ENOSPC : new SemaphoreSet(t, key, flags, nsems);
  };
  const set = t.ns.ipc.sem.get(t, key, flags, make, (found) => (nsems > found.count ? -EINVAL : 0));
  return typeof set === 'number' ? set : set.id;
}

/** semop(2). Errors: as {@link sysSemtimedop}. */
export function sysSemop(t: Task, a: SyscallArgs): SysResult {
  return operate(t, a.i32(0), a.u64(1), a.u32(2), 0);
}

/** semtimedop(2). Errors: E2BIG, EACCES, EAGAIN, EFAULT, EFBIG, EIDRM, EINTR, EINVAL, ERANGE. */
export function sysSemtimedop(t: Task, a: SyscallArgs): SysResult {
  return operate(t, a.i32(0), a.u64(1), a.u32(2), a.u64(3));
}

function operate(t: Task, id: number, sopsAddr: number, nsops: number, timeoutAddr: number): SysResult {
  const { restart } = t;
  const wait = restart.object as SemaphoreWait | null;
  if (wait?.set.isRemoved === true) return -EIDRM;
  if (nsops < 1 || id < 0) return -EINVAL;
  if (nsops > SEMAPHORE_OPERATIONS_MAX) return -E2BIG;
  const ops = loadOperations(t, sopsAddr, nsops);
  if (typeof ops === 'number') return ops;
  if (restart.tryCount === 0) {
    const status = loadDeadline(t, timeoutAddr);
    if (status < 0) return status;
  }
  const set = t.ns.ipc.sem.lookup(id);
  if (typeof set === 'number') return set;
  if (ops.some(({ num }) => num >= set.count)) return -EFBIG;
  const denied = set.checkAccess(t, ops.some(({ op }) => op !== 0) ? S_IWUGO : S_IRUGO);
  if (denied < 0) return denied;

  const undo = ops.some(({ flags }) => (flags & SEM_UNDO) !== 0) ? semaphoreUndoOf(t) : null;
  const newWait: SemaphoreWait = { set, num: 0, isForZero: false };
  const status = set.operate(t, ops, undo, newWait);
  if (status !== -EAGAIN || newWait.num < 0) return status;
  if (restart.deadlineMs <= t.kernel.clock.monotonicMs()) return -EAGAIN;
  restart.object = newWait;
  set.addWaiter(t);
  t.wait.on(set.changed, POLLIN);
  t.wait.until(restart.deadlineMs);
  return t.block(EINTR);
}

function loadOperations(t: Task, addr: number, count: number): SemaphoreOperation[] | Errno {
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, count * SIZEOF_SEMBUF) < 0) return -EFAULT;
  return Array.from({ length: count }, (_, index) => ({
    num: scratchView.getUint16(index * SIZEOF_SEMBUF + SEM_NUM, true),
    op: scratchView.getInt16(index * SIZEOF_SEMBUF + SEM_OP, true),
    flags: scratchView.getInt16(index * SIZEOF_SEMBUF + SEM_FLG, true),
  }));
}

function loadDeadline(t: Task, addr: number): 0 | Errno {
  t.restart.deadlineMs = Infinity;
  if (addr === 0) return 0;
  const { scratch, scratchView, clock } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_TIMESPEC) < 0) return -EFAULT;
  const timeoutMs = loadTimespecMs(scratchView, 0);
  if (Number.isNaN(timeoutMs)) return -EINVAL;
  t.restart.deadlineMs = clock.monotonicMs() + timeoutMs;
  return 0;
}

/** semctl(2). Errors: EACCES, EFAULT, EIDRM, EINVAL, EPERM, ERANGE. */
export function sysSemctl(t: Task, a: SyscallArgs): SysResult {
  const id = a.i32(0);
  const num = a.i32(1);
  const cmd = a.i32(2);
  if (id < 0) return -EINVAL;

  if (cmd === IPC_INFO || cmd === SEM_INFO) return tellLimits(t, cmd, a.u64(3));
  const isByIndex = cmd === SEM_STAT || cmd === SEM_STAT_ANY;
  const set = isByIndex ? t.ns.ipc.sem.at(id) : t.ns.ipc.sem.lookup(id);
  if (typeof set === 'number') return set;
  switch (cmd) {
    case IPC_STAT:
    case SEM_STAT:
    case SEM_STAT_ANY:
      return stat(t, set, cmd, a.u64(3));
    case IPC_SET:
      return setOwner(t, set, a.u64(3));
    case IPC_RMID:
      return set.checkOwner(t) || remove(t, set);
    case GETALL:
      return getAll(t, set, a.u64(3));
    case SETALL:
      return setAll(t, set, a.u64(3));
    case SETVAL:
      return setValue(t, set, num, a.i32(3));
    default:
      return ask(t, set, num, cmd);
  }
}

/** The commands that return something of one semaphore. */
function ask(t: Task, set: SemaphoreSet, num: number, cmd: number): SysResult {
  if (cmd !== GETVAL && cmd !== GETPID && cmd !== GETNCNT && cmd !== GETZCNT) return -EINVAL;
  const denied = set.checkAccess(t, S_IRUGO);
  if (denied < 0) return denied;
  if (num < 0 || num >= set.count) return -EINVAL;
  if (cmd === GETVAL) return set.values[num]!;
  if (cmd === GETPID) return set.lastPids[num]?.in(t.pidNs) ?? 0;
  return set.waiterCount(num, cmd === GETZCNT);
}

function setValue(t: Task, set: SemaphoreSet, num: number, value: number): SysResult {
  if (value < 0 || value > SEMAPHORE_VALUE_MAX) return -ERANGE;
  if (num < 0 || num >= set.count) return -EINVAL;
  const denied = set.checkAccess(t, S_IWUGO);
  if (denied < 0) return denied;
  set.setValue(t, num, value);
  set.changedAt = nowSeconds(t);
  set.changed.notify(POLLIN);
  return 0;
}

function getAll(t: Task, set: SemaphoreSet, addr: number): SysResult {
  const denied = set.checkAccess(t, S_IRUGO);
  if (denied < 0) return denied;
  const bytes = new Uint8Array(set.values.buffer);
  return t.mm.copyOut(addr, bytes, 0, bytes.length) < 0 ? -EFAULT : 0;
}

function setAll(t: Task, set: SemaphoreSet, addr: number): SysResult {
  const denied = set.checkAccess(t, S_IWUGO);
  if (denied < 0) return denied;
  const values = new Uint16Array(set.count);
  if (t.mm.copyIn(new Uint8Array(values.buffer), 0, addr, values.byteLength) < 0) return -EFAULT;
  if (values.some((value) => value > SEMAPHORE_VALUE_MAX)) return -ERANGE;
  for (const [num, value] of values.entries()) set.setValue(t, num, value);
  set.changedAt = nowSeconds(t);
  set.changed.notify(POLLIN);
  return 0;
}

function stat(t: Task, set: SemaphoreSet, cmd: number, bufAddr: number): SysResult {
  const denied = cmd === SEM_STAT_ANY ? 0 : set.checkAccess(t, S_IRUGO);
  if (denied < 0) return denied;
  const { scratch, scratchView } = t.kernel;
  scratch.fill(0, 0, SIZEOF_SEMID_DS);
  set.store(t, scratchView, 0);
  if (t.mm.copyOut(bufAddr, scratch, 0, SIZEOF_SEMID_DS) < 0) return -EFAULT;
  return cmd === IPC_STAT ? 0 : set.id;
}

function setOwner(t: Task, set: SemaphoreSet, bufAddr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, bufAddr, SIZEOF_IPC_PERM) < 0) return -EFAULT;
  return set.checkOwner(t) || set.loadPerm(t, scratchView, 0);
}

function remove(t: Task, set: SemaphoreSet): 0 {
  t.ns.ipc.sem.remove(set);
  for (const undo of set.undos) undo.forgetSet(set);
  set.undos.clear();
  set.changed.notify(POLLIN);
  return 0;
}

function tellLimits(t: Task, cmd: number, bufAddr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  const { sem } = t.ns.ipc;
  const isInfo = cmd === SEM_INFO;
  const fields = [
    SEMAPHORES_MAX,
    SEMAPHORE_SETS_MAX,
    SEMAPHORES_MAX,
    SEMAPHORES_MAX,
    SEMAPHORES_PER_SET_MAX,
    SEMAPHORE_OPERATIONS_MAX,
    SEMAPHORE_OPERATIONS_MAX,
    isInfo ? sem.count : UNDO_STRUCT_BYTES,
    SEMAPHORE_VALUE_MAX,
    isInfo ? totalSemaphores(t) : SEMAPHORE_VALUE_MAX,
  ];
  for (const [index, value] of fields.entries()) scratchView.setInt32(index * 4, value, true);
  if (t.mm.copyOut(bufAddr, scratch, 0, SIZEOF_SEMINFO) < 0) return -EFAULT;
  return Math.max(sem.indexMax, 0);
}

/** SEMUSZ. */
const UNDO_STRUCT_BYTES = 20;

function totalSemaphores(t: Task): number {
  let count = 0;
  for (const set of t.ns.ipc.sem.all()) count += set.count;
  return count;
}
