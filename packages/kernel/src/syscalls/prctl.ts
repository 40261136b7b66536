import {
  ARCH_GET_CPUID,
  ARCH_GET_FS,
  ARCH_GET_GS,
  ARCH_SET_CPUID,
  ARCH_SET_FS,
  ARCH_SET_GS,
  CAP_LAST_CAP,
  CAP_SETPCAP,
  CAP_SYS_RESOURCE,
  EFAULT,
  EINVAL,
  ENODEV,
  EPERM,
  NSIG,
  PR_CAPBSET_DROP,
  PR_CAPBSET_READ,
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_CLEAR_ALL,
  PR_CAP_AMBIENT_IS_SET,
  PR_CAP_AMBIENT_LOWER,
  PR_CAP_AMBIENT_RAISE,
  PR_GET_CHILD_SUBREAPER,
  PR_GET_DUMPABLE,
  PR_GET_IO_FLUSHER,
  PR_GET_KEEPCAPS,
  PR_GET_NAME,
  PR_GET_NO_NEW_PRIVS,
  PR_GET_PDEATHSIG,
  PR_GET_SECCOMP,
  PR_GET_SECUREBITS,
  PR_GET_SPECULATION_CTRL,
  PR_GET_THP_DISABLE,
  PR_GET_TID_ADDRESS,
  PR_GET_TIMERSLACK,
  PR_GET_TIMING,
  PR_GET_TSC,
  PR_SET_CHILD_SUBREAPER,
  PR_SET_DUMPABLE,
  PR_SET_KEEPCAPS,
  PR_SET_NAME,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
  PR_SET_SECCOMP,
  PR_SET_SECUREBITS,
  PR_SET_SPECULATION_CTRL,
  PR_SET_THP_DISABLE,
  PR_SET_TIMERSLACK,
  PR_SET_TIMING,
  PR_TSC_ENABLE,
  SECBIT_KEEP_CAPS,
  SECBIT_KEEP_CAPS_LOCKED,
  SECBIT_NO_CAP_AMBIENT_RAISE,
  type SysResult,
} from '@tsv/abi';
import { REG_FS_BASE, REG_GS_BASE } from '@tsv/platform';
import { CapSet } from '../cred/cap-set.js';
import type { Task } from '../task/task.js';
import { seccompMode, setSeccompMode } from './seccomp.js';
import type { SyscallArgs } from './syscall-args.js';

const COMM_BYTES = 16;
const TIMER_SLACK_DEFAULT_NS = 50_000;
/** Every second securebit locks the one below it. */
const SECURE_ALL_BITS = 0x55;
const SECURE_ALL_LOCKS = 0xaa;

/** prctl(2). Errors: EACCES, EFAULT, EINVAL, ENODEV, EPERM. */
export function sysPrctl(t: Task, a: SyscallArgs): SysResult {
  const option = a.i32(0);
  const arg2 = a.u64(1);
  const group = t.threadGroup;
  switch (option) {
    case PR_SET_PDEATHSIG:
      if (arg2 > NSIG) return -EINVAL;
      t.parentDeathSignal = arg2;
      return 0;
    case PR_GET_PDEATHSIG:
      return t.mm.store32(arg2, t.parentDeathSignal);
    case PR_GET_DUMPABLE:
      return group.dumpable;
    case PR_SET_DUMPABLE:
      if (arg2 > 1) return -EINVAL;
      group.dumpable = arg2;
      return 0;
    case PR_SET_NAME:
      return setName(t, arg2);
    case PR_GET_NAME:
      return getName(t, arg2);
    case PR_SET_CHILD_SUBREAPER:
      group.isSubreaper = arg2 !== 0;
      return 0;
    case PR_GET_CHILD_SUBREAPER:
      return t.mm.store32(arg2, group.isSubreaper ? 1 : 0);
    case PR_SET_TIMERSLACK:
      t.timerSlackNs = arg2 > 0 ? arg2 : TIMER_SLACK_DEFAULT_NS;
      return 0;
    case PR_GET_TIMERSLACK:
      return t.timerSlackNs;
    case PR_GET_TID_ADDRESS:
      return t.mm.store64(arg2, t.clearChildTid);
    default:
      return prctlPrivileges(t, a, option);
  }
}

/** The options about privileges, and those that have one answer here. */
function prctlPrivileges(t: Task, a: SyscallArgs, option: number): SysResult {
  const arg2 = a.u64(1);
  switch (option) {
    case PR_GET_KEEPCAPS:
      return (t.creds.securebits & SECBIT_KEEP_CAPS) !== 0 ? 1 : 0;
    case PR_SET_KEEPCAPS:
      return setKeepCaps(t, arg2);
    case PR_GET_SECUREBITS:
      return t.creds.securebits;
    case PR_SET_SECUREBITS:
      return setSecurebits(t, arg2);
    case PR_CAPBSET_READ:
      return arg2 > CAP_LAST_CAP ? -EINVAL : t.creds.bounding.has(arg2) ? 1 : 0;
    case PR_CAPBSET_DROP:
      if (!t.creds.hasCap(CAP_SETPCAP)) return -EPERM;
      if (arg2 > CAP_LAST_CAP) return -EINVAL;
      t.creds = t.creds.with({ bounding: t.creds.bounding.withoutCap(arg2) });
      return 0;
    case PR_CAP_AMBIENT:
      return prctlAmbient(t, a);
    case PR_SET_NO_NEW_PRIVS:
      if (arg2 !== 1 || a.u64(2) !== 0 || a.u64(3) !== 0 || a.u64(4) !== 0) return -EINVAL;
      t.hasNoNewPrivs = true;
      return 0;
    case PR_GET_NO_NEW_PRIVS:
      if (arg2 !== 0 || a.u64(2) !== 0 || a.u64(3) !== 0 || a.u64(4) !== 0) return -EINVAL;
      return t.hasNoNewPrivs ? 1 : 0;
    case PR_GET_SPECULATION_CTRL:
    case PR_SET_SPECULATION_CTRL:
      return -ENODEV;
    case PR_GET_SECCOMP:
      return seccompMode(t);
    case PR_SET_SECCOMP:
      return setSeccompMode(t, arg2, a.u64(2));
    case PR_GET_TSC:
      return t.mm.store32(arg2, PR_TSC_ENABLE);
    case PR_GET_IO_FLUSHER:
      return t.creds.hasCap(CAP_SYS_RESOURCE) ? 0 : -EPERM;
    case PR_SET_TIMING:
    case PR_SET_THP_DISABLE:
      return arg2 === 0 ? 0 : -EINVAL;
    case PR_GET_TIMING:
    case PR_GET_THP_DISABLE:
      return 0;
    default:
      return -EINVAL;
  }
}

/** arch_prctl(2). Errors: EINVAL, ENODEV, EPERM, EFAULT. */
export function sysArchPrctl(t: Task, a: SyscallArgs): SysResult {
  const option = a.i32(0);
  const addr = a.u64(1);
  switch (option) {
    case ARCH_SET_FS:
    case ARCH_SET_GS:
      if (addr >= t.kernel.platform.maxUserAddr) return -EPERM;
      t.page.set(option === ARCH_SET_FS ? REG_FS_BASE : REG_GS_BASE, addr);
      return 0;
    case ARCH_GET_FS:
      return t.mm.store64(addr, t.page.get(REG_FS_BASE));
    case ARCH_GET_GS:
      return t.mm.store64(addr, t.page.get(REG_GS_BASE));
    case ARCH_GET_CPUID:
      return 1;
    case ARCH_SET_CPUID:
      return -ENODEV;
    default:
      return -EINVAL;
  }
}

function setName(t: Task, addr: number): SysResult {
  const { scratch } = t.kernel;
  let comm = '';
  for (let i = 0; i < COMM_BYTES - 1; i++) {
    if (t.mm.copyIn(scratch, 0, addr + i, 1) < 0) return -EFAULT;
    if (scratch[0] === 0) break;
    comm += String.fromCharCode(scratch[0]!);
  }
  t.comm = comm;
  return 0;
}

function getName(t: Task, addr: number): SysResult {
  const { scratch } = t.kernel;
  scratch.fill(0, 0, COMM_BYTES);
  for (let i = 0; i < t.comm.length; i++) scratch[i] = t.comm.charCodeAt(i);
  return t.mm.copyOut(addr, scratch, 0, COMM_BYTES);
}

function setKeepCaps(t: Task, value: number): SysResult {
  if (value > 1) return -EINVAL;
  const { securebits } = t.creds;
  if ((securebits & SECBIT_KEEP_CAPS_LOCKED) !== 0) return -EPERM;
  t.creds = t.creds.with({ securebits: value === 1 ? securebits | SECBIT_KEEP_CAPS : securebits & ~SECBIT_KEEP_CAPS });
  return 0;
}

function setSecurebits(t: Task, value: number): SysResult {
  const { securebits } = t.creds;
  if (value > (SECURE_ALL_BITS | SECURE_ALL_LOCKS)) return -EPERM;
  const locked = (securebits & SECURE_ALL_LOCKS) >> 1;
  const isLockRemoved = (securebits & SECURE_ALL_LOCKS & ~value) !== 0;
  if (((securebits ^ value) & locked) !== 0 || isLockRemoved || !t.creds.hasCap(CAP_SETPCAP)) return -EPERM;
  t.creds = t.creds.with({ securebits: value });
  return 0;
}

/** PR_CAP_AMBIENT of prctl(2). */
function prctlAmbient(t: Task, a: SyscallArgs): SysResult {
  const op = a.u64(1);
  const cap = a.u64(2);
  const { creds } = t;
  if (op === PR_CAP_AMBIENT_CLEAR_ALL) {
    if (cap !== 0 || a.u64(3) !== 0 || a.u64(4) !== 0) return -EINVAL;
    t.creds = creds.with({ ambient: CapSet.EMPTY });
    return 0;
  }
  if (cap > CAP_LAST_CAP || a.u64(3) !== 0 || a.u64(4) !== 0) return -EINVAL;
  if (op === PR_CAP_AMBIENT_IS_SET) return creds.ambient.has(cap) ? 1 : 0;
  if (op === PR_CAP_AMBIENT_LOWER) {
    t.creds = creds.with({ ambient: creds.ambient.withoutCap(cap) });
    return 0;
  }
  if (op !== PR_CAP_AMBIENT_RAISE) return -EINVAL;
  if (!creds.permitted.has(cap) || !creds.inheritable.has(cap)) return -EPERM;
  if ((creds.securebits & SECBIT_NO_CAP_AMBIENT_RAISE) !== 0) return -EPERM;
  t.creds = creds.with({ ambient: creds.ambient.withCap(cap) });
  return 0;
}
