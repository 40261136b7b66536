import {
  CAP_IPC_LOCK,
  EACCES,
  EAGAIN,
  EBADF,
  EINVAL,
  ENODEV,
  ENOMEM,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  MAP_32BIT,
  MAP_ANONYMOUS,
  MAP_DENYWRITE,
  MAP_EXECUTABLE,
  MAP_FIXED,
  MAP_FIXED_NOREPLACE,
  MAP_GROWSDOWN,
  MAP_HUGETLB,
  MAP_LOCKED,
  MAP_NONBLOCK,
  MAP_NORESERVE,
  MAP_POPULATE,
  MAP_PRIVATE,
  MAP_SHARED,
  MAP_SHARED_VALIDATE,
  MAP_STACK,
  MAP_TYPE,
  PROT_EXEC,
  PROT_WRITE,
  RLIMIT_MEMLOCK,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { TmpfsFile, type Mappable, type OpenFile } from '@tsv/vfs';
import { Placement } from '../mm/map-request.js';
import { pageCeil } from '../mm/pma.js';
import { SharedAnonymous } from '../mm/shared-anonymous.js';
import { VM_GROWSDOWN, VM_LOCKED, VM_LOCKONFAULT, VM_NOEXEC, VM_NORESERVE, VM_NOWRITE, VM_SHARED } from '../mm/vma.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** What MAP_SHARED_VALIDATE accepts, mmap(2): of a file all but MAP_SYNC. */
const VALID_FLAGS =
  MAP_TYPE |
  MAP_FIXED |
  MAP_ANONYMOUS |
  MAP_32BIT |
  MAP_GROWSDOWN |
  MAP_DENYWRITE |
  MAP_EXECUTABLE |
  MAP_LOCKED |
  MAP_NORESERVE |
  MAP_POPULATE |
  MAP_NONBLOCK |
  MAP_STACK |
  MAP_HUGETLB |
  MAP_FIXED_NOREPLACE;
/** Differs: offsets beyond what is exact, which no file reaches, are refused as those that overflow are. */
const OFFSET_MAX = 2 ** 53;

/**
 * mmap(2). Errors: EACCES, EAGAIN, EBADF, EEXIST, EINVAL, ENODEV, ENOMEM, EOPNOTSUPP, EOVERFLOW, EPERM. Differs: there
 * are no huge pages to ask for, as on a host that has set none aside.
 */
export function sysMmap(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const length = a.u64(1);
  const prot = a.u32(2);
  const flags = a.u32(3);
  const fd = a.i32(4);
  const offset = a.u64(5);

  if (offset % PAGE_BYTES !== 0) return -EINVAL;
  const isAnonymous = (flags & MAP_ANONYMOUS) !== 0;
  const file = isAnonymous ? null : (t.fds.get(fd) ?? null);
  if (!isAnonymous && file === null) return -EBADF;
  if ((flags & MAP_HUGETLB) !== 0) return isAnonymous ? -ENOMEM : -EINVAL;
  if (length === 0) return -EINVAL;
  const len = pageCeil(length);
  if (!(len <= t.mm.layout.maxAddr)) return -ENOMEM;
  if (!(offset + len <= OFFSET_MAX)) return -EOVERFLOW;
  const vmFlags = vmFlagsOf(flags, file, prot, t);
  if (vmFlags < 0) return vmFlags;
  const lockError = checkLockable(t, vmFlags, len);
  if (lockError < 0) return lockError;
  return mapPages(t, addr, len, prot, flags, vmFlags, file, offset);
}

/** munmap(2). Errors: EINVAL, ENOMEM. */
export function sysMunmap(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const length = a.u64(1);
  return t.mm.unmap(addr, length);
}

/** Whether `len` bytes more may be locked. Errors: EAGAIN. */
export function checkLockable(t: Task, vmFlags: number, len: number): 0 | Errno {
  if ((vmFlags & VM_LOCKED) === 0 || t.creds.hasCap(CAP_IPC_LOCK)) return 0;
  return t.mm.lockedBytes + len > t.threadGroup.limits.soft(RLIMIT_MEMLOCK) ? -EAGAIN : 0;
}

function mapPages(
  t: Task,
  addr: number,
  len: number,
  prot: number,
  flags: number,
  vmFlags: number,
  file: OpenFile | null,
  offset: number,
): number {
  t.mm.limits = t.threadGroup.limits;
  const isShared = (vmFlags & VM_SHARED) !== 0;
  let mappable: Mappable | Errno | null = null;
  if (file !== null) mappable = file.mappable();
  else if (isShared) mappable = new SharedAnonymous(t.kernel.memoryFile, len);
  if (typeof mappable === 'number') return mappable;
  return t.mm.map({
    addr,
    len,
    prot: prot & PROT_BITS,
    flags: vmFlags,
    placement: placementOf(flags),
    mappable,
    file,
    offset: file === null ? 0 : offset,
    name: file === null && isShared ? '/dev/zero (deleted)' : '',
    mustPopulate: (flags & (MAP_POPULATE | MAP_NONBLOCK)) === MAP_POPULATE,
  });
}

const PROT_BITS = 7;

/** The VM_* flags of a mapping. Errors: EACCES, EINVAL, ENODEV, EOPNOTSUPP, EPERM. */
function vmFlagsOf(flags: number, file: OpenFile | null, prot: number, t: Task): number {
  const type = flags & MAP_TYPE;
  if (type !== MAP_SHARED && type !== MAP_PRIVATE && type !== MAP_SHARED_VALIDATE) return -EINVAL;
  if (type === MAP_SHARED_VALIDATE && file === null) return -EINVAL;
  if (type === MAP_SHARED_VALIDATE && (flags & ~VALID_FLAGS) !== 0) return -EOPNOTSUPP;
  if ((flags & MAP_LOCKED) !== 0 && !mayLock(t)) return -EPERM;
  const isShared = type !== MAP_PRIVATE;
  let vmFlags = (isShared ? VM_SHARED : 0) | t.mm.futureLock;
  if ((flags & MAP_LOCKED) !== 0) vmFlags = (vmFlags | VM_LOCKED) & ~VM_LOCKONFAULT;
  if ((flags & MAP_NORESERVE) !== 0) vmFlags |= VM_NORESERVE;
  if ((flags & MAP_GROWSDOWN) !== 0) {
    if (isShared || file !== null) return -EINVAL;
    vmFlags |= VM_GROWSDOWN;
  }
  return file === null ? vmFlags : fileFlags(file, prot, isShared, vmFlags);
}

function fileFlags(file: OpenFile, prot: number, isShared: boolean, vmFlags: number): number {
  let result = vmFlags;
  if (isShared && (prot & PROT_WRITE) !== 0 && !file.isWritable) return -EACCES;
  if (!file.isReadable) return -EACCES;
  if (isShared && !file.isWritable) result |= VM_NOWRITE;
  if (isShared && file.inode instanceof TmpfsFile && file.inode.isSealedAgainstWriting) {
    if ((prot & PROT_WRITE) !== 0) return -EPERM;
    result |= VM_NOWRITE;
  }
  if (file.path?.mount.isNoExec === true) {
    if ((prot & PROT_EXEC) !== 0) return -EPERM;
    result |= VM_NOEXEC;
  }
  return file.inode.isDirectory ? -ENODEV : result;
}

/** Whether locking memory is allowed at all, mlock(2). */
export function mayLock(t: Task): boolean {
  return t.threadGroup.limits.soft(RLIMIT_MEMLOCK) > 0 || t.creds.hasCap(CAP_IPC_LOCK);
}

function placementOf(flags: number): Placement {
  if ((flags & MAP_FIXED_NOREPLACE) !== 0) return Placement.FIXED_NOREPLACE;
  if ((flags & MAP_FIXED) !== 0) return Placement.FIXED;
  return (flags & MAP_32BIT) !== 0 ? Placement.BELOW_2GIB : Placement.ANYWHERE;
}
