import {
  BPF_MAXINSNS,
  CAP_SYS_ADMIN,
  EACCES,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  ESRCH,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH,
  SECCOMP_GET_ACTION_AVAIL,
  SECCOMP_MODE_DISABLED,
  SECCOMP_MODE_FILTER,
  SECCOMP_MODE_STRICT,
  SECCOMP_SET_MODE_FILTER,
  SECCOMP_SET_MODE_STRICT,
  SIZEOF_SOCK_FILTER,
  SIZEOF_SOCK_FPROG,
  loadU64,
  type SysResult,
} from '@tsv/abi';
import { BpfProgram } from '../seccomp/bpf-program.js';
import { SeccompFilter, isActionAvailable } from '../seccomp/seccomp-filter.js';
import { strictProgram } from '../seccomp/strict-program.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const FLAGS =
  SECCOMP_FILTER_FLAG_TSYNC |
  SECCOMP_FILTER_FLAG_LOG |
  SECCOMP_FILTER_FLAG_SPEC_ALLOW |
  SECCOMP_FILTER_FLAG_TSYNC_ESRCH;

/** seccomp(2). Errors: EACCES, EFAULT, EINVAL, ENOMEM, EOPNOTSUPP, ESRCH. */
export function sysSeccomp(t: Task, a: SyscallArgs): SysResult {
  const operation = a.u32(0);
  const flags = a.u32(1);
  const argAddr = a.u64(2);
  switch (operation) {
    case SECCOMP_SET_MODE_STRICT:
      return flags !== 0 || argAddr !== 0 ? -EINVAL : setSeccompMode(t, SECCOMP_MODE_STRICT, 0);
    case SECCOMP_SET_MODE_FILTER:
      return installFilter(t, flags, argAddr);
    case SECCOMP_GET_ACTION_AVAIL: {
      if (flags !== 0) return -EINVAL;
      const action = t.mm.load32(argAddr);
      if (Number.isNaN(action)) return -EFAULT;
      return isActionAvailable(action) ? 0 : -EOPNOTSUPP;
    }
    default:
      return -EINVAL;
  }
}

/** prctl(2) PR_SET_SECCOMP. Errors: as seccomp(2). */
export function setSeccompMode(t: Task, mode: number, programAddr: number): SysResult {
  if (mode === SECCOMP_MODE_FILTER) return installFilter(t, 0, programAddr);
  if (mode !== SECCOMP_MODE_STRICT || seccompMode(t) === SECCOMP_MODE_FILTER) return -EINVAL;
  const filter = SeccompFilter.install(strictProgram(), null);
  if (typeof filter === 'number') return filter;
  t.seccomp = filter;
  t.isSeccompStrict = true;
  return 0;
}

/** prctl(2) PR_GET_SECCOMP, and /proc/PID/status. */
export function seccompMode(t: Task): number {
  if (t.seccomp === null) return SECCOMP_MODE_DISABLED;
  return t.isSeccompStrict ? SECCOMP_MODE_STRICT : SECCOMP_MODE_FILTER;
}

function installFilter(t: Task, flags: number, programAddr: number): SysResult {
  if ((flags & ~FLAGS) !== 0 || t.isSeccompStrict) return -EINVAL;
  const program = loadProgram(t, programAddr);
  if (typeof program === 'number') return program;
  if (!t.hasNoNewPrivs && !t.creds.hasCap(CAP_SYS_ADMIN)) return -EACCES;
  const isForAll = (flags & SECCOMP_FILTER_FLAG_TSYNC) !== 0;
  const stray = isForAll ? findStray(t) : null;
  if (stray !== null) return (flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH) !== 0 ? -ESRCH : stray.threadPid.in(t.pidNs);
  const filter = SeccompFilter.install(program, t.seccomp);
  if (typeof filter === 'number') return filter;
  if (isForAll) {
    for (const other of t.threadGroup.tasks) {
      other.seccomp = filter;
      other.hasNoNewPrivs ||= t.hasNoNewPrivs;
    }
  }
  t.seccomp = filter;
  return 0;
}

/** A thread with a filter of its own, which those of `t` cannot replace; null for none. */
function findStray(t: Task): Task | null {
  for (const other of t.threadGroup.tasks) {
    if (other === t || other.hasExited || other.seccomp === null) continue;
    if (other.isSeccompStrict || t.seccomp === null || !t.seccomp.hasBelow(other.seccomp)) return other;
  }
  return null;
}

function loadProgram(t: Task, addr: number): BpfProgram | SysResult {
  const { scratch, scratchView: mem } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_SOCK_FPROG) < 0) return -EFAULT;
  const count = mem.getUint16(0, true);
  const filterAddr = loadU64(mem, 8);
  if (count === 0 || count > BPF_MAXINSNS) return -EINVAL;
  if (t.mm.copyIn(scratch, 0, filterAddr, count * SIZEOF_SOCK_FILTER) < 0) return -EFAULT;
  return BpfProgram.parse(mem, count);
}
