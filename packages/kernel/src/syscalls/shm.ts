import {
  CAP_IPC_LOCK,
  EFAULT,
  EINVAL,
  EIDRM,
  ENOMEM,
  ENOSPC,
  EPERM,
  IPC_CREAT,
  IPC_INFO,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
  RLIMIT_MEMLOCK,
  SHM_DEST,
  SHM_EXEC,
  SHM_HUGETLB,
  SHM_INFO,
  SHM_LOCK,
  SHM_LOCKED,
  SHM_RDONLY,
  SHM_REMAP,
  SHM_RND,
  SHM_STAT,
  SHM_STAT_ANY,
  SHM_UNLOCK,
  SIZEOF_IPC_PERM,
  SIZEOF_SHMID_DS,
  SIZEOF_SHMINFO,
  SIZEOF_SHM_INFO,
  storeI64,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { S_IRUGO, S_IWUGO, S_IXUGO } from '../ipc/ipc-object.js';
import { SHM_PAGES_MAX, SHM_SEGMENTS_MAX } from '../ipc/ipc-limits.js';
import { ShmAttachment, ShmSegment } from '../ipc/shm-segment.js';
import { Placement } from '../mm/map-request.js';
import { pageCeil } from '../mm/pma.js';
import { VM_SHARED } from '../mm/vma.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** SHMMAX: the largest segment. */
const SHM_BYTES_MAX = SHM_PAGES_MAX * PAGE_BYTES;

/** shmget(2). Errors: EACCES, EEXIST, EINVAL, ENOENT, ENOMEM for huge pages, ENOSPC. */
export function sysShmget(t: Task, a: SyscallArgs): SysResult {
  const key = a.i32(0);
  const size = a.u64(1);
  const flags = a.u32(2);

  const { shm } = t.ns.ipc;
  const make = (): ShmSegment | Errno => {
    if (size < 1 || size > SHM_BYTES_MAX) return -EINVAL;
    if (totalPages(t) + pageCeil(size) / PAGE_BYTES > SHM_PAGES_MAX) return -ENOSPC;
    if ((flags & SHM_HUGETLB) !== 0) return -ENOMEM;
    return new ShmSegment(t, shm, key, flags, size);
  };
  const segment = shm.get(t, key, flags & ~(SHM_HUGETLB & ~IPC_CREAT), make, (found) =>
    found.sizeBytes < size ? -EINVAL : 0,
  );
  return typeof segment === 'number' ? segment : segment.id;
}

/** shmat(2). Errors: EACCES, EIDRM, EINVAL, ENOMEM. */
export function sysShmat(t: Task, a: SyscallArgs): SysResult {
  const id = a.i32(0);
  const wanted = a.u64(1);
  const flags = a.u32(2);

  let addr = wanted;
  if (addr % PAGE_BYTES !== 0) {
    if ((flags & SHM_RND) === 0) return -EINVAL;
    addr -= addr % PAGE_BYTES;
  }
  if (addr === 0 && (flags & SHM_REMAP) !== 0) return -EINVAL;
  const isReadOnly = (flags & SHM_RDONLY) !== 0;
  const isExecutable = (flags & SHM_EXEC) !== 0;
  const segment = t.ns.ipc.shm.lookup(id);
  if (typeof segment === 'number') return segment;
  const denied = segment.checkAccess(t, S_IRUGO | (isReadOnly ? 0 : S_IWUGO) | (isExecutable ? S_IXUGO : 0));
  if (denied < 0) return denied;

  t.mm.limits = t.threadGroup.limits;
  const placement = addr === 0 ? Placement.ANYWHERE : remapPlacement(flags);
  const { kernel } = t;
  const mapped = t.mm.map({
    addr,
    len: segment.memory.sizeBytes,
    prot: PROT_READ | (isReadOnly ? 0 : PROT_WRITE) | (isExecutable ? PROT_EXEC : 0),
    flags: VM_SHARED | t.mm.futureLock,
    placement,
    mappable: new ShmAttachment(segment, () => kernel.current),
    file: null,
    offset: 0,
    name: `/SYSV${(segment.key >>> 0).toString(16).padStart(8, '0')} (deleted)`,
    mustPopulate: false,
  });
  return placement === Placement.FIXED_NOREPLACE && mapped < 0 && mapped !== -ENOMEM ? -EINVAL : mapped;
}

function remapPlacement(flags: number): Placement {
  return (flags & SHM_REMAP) !== 0 ? Placement.FIXED : Placement.FIXED_NOREPLACE;
}

/** shmdt(2): unmaps what is left of the attachment that began at the address. Errors: EINVAL. */
export function sysShmdt(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  if (addr % PAGE_BYTES !== 0) return -EINVAL;
  const ranges: [number, number][] = [];
  let attachment: ShmAttachment | null = null;
  for (const vma of t.mm.vmas()) {
    const { mappable } = vma;
    if (!(mappable instanceof ShmAttachment) || vma.start - vma.offset !== addr) continue;
    attachment ??= mappable;
    if (mappable === attachment) ranges.push([vma.start, vma.end]);
  }
  if (attachment === null) return -EINVAL;
  for (const [start, end] of ranges) {
    const status = t.mm.unmap(start, end - start);
    if (status < 0) return status;
  }
  return 0;
}

/** shmctl(2). Errors: EACCES, EFAULT, EIDRM, EINVAL, ENOMEM, EPERM. */
export function sysShmctl(t: Task, a: SyscallArgs): SysResult {
  const id = a.i32(0);
  const cmd = a.i32(1);
  const bufAddr = a.u64(2);
  if (id < 0 || cmd < 0) return -EINVAL;

  if (cmd === IPC_INFO || cmd === SHM_INFO) return tellLimits(t, cmd, bufAddr);
  const isByIndex = cmd === SHM_STAT || cmd === SHM_STAT_ANY;
  const segment = isByIndex ? t.ns.ipc.shm.at(id) : t.ns.ipc.shm.lookup(id);
  if (typeof segment === 'number') return segment;
  switch (cmd) {
    case IPC_STAT:
    case SHM_STAT:
    case SHM_STAT_ANY:
      return stat(t, segment, cmd, bufAddr);
    case IPC_SET:
      return set(t, segment, bufAddr);
    case IPC_RMID:
      return segment.checkOwner(t) || remove(segment);
    case SHM_LOCK:
    case SHM_UNLOCK:
      return lock(t, segment, cmd === SHM_LOCK);
    default:
      return -EINVAL;
  }
}

function remove(segment: ShmSegment): 0 | Errno {
  if ((segment.mode & SHM_DEST) !== 0 && segment.isRemoved) return -EIDRM;
  segment.markForRemoval();
  return 0;
}

function stat(t: Task, segment: ShmSegment, cmd: number, bufAddr: number): SysResult {
  const denied = cmd === SHM_STAT_ANY ? 0 : segment.checkAccess(t, S_IRUGO);
  if (denied < 0) return denied;
  const { scratch, scratchView } = t.kernel;
  scratch.fill(0, 0, SIZEOF_SHMID_DS);
  segment.store(t, scratchView, 0);
  if (t.mm.copyOut(bufAddr, scratch, 0, SIZEOF_SHMID_DS) < 0) return -EFAULT;
  return cmd === IPC_STAT ? 0 : segment.id;
}

function set(t: Task, segment: ShmSegment, bufAddr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, bufAddr, SIZEOF_IPC_PERM) < 0) return -EFAULT;
  return segment.checkOwner(t) || segment.loadPerm(t, scratchView, 0);
}

/** SHM_LOCK and SHM_UNLOCK. Memory here is never swapped: only the mode bit changes. */
function lock(t: Task, segment: ShmSegment, isLocked: boolean): SysResult {
  const { euid } = t.creds;
  if (!t.creds.hasCapIn(t.ns.ipc.userNs, CAP_IPC_LOCK)) {
    if (euid !== segment.uid && euid !== segment.creatorUid) return -EPERM;
    if (isLocked && t.threadGroup.limits.soft(RLIMIT_MEMLOCK) === 0) return -EPERM;
  }
  segment.mode = isLocked ? segment.mode | SHM_LOCKED : segment.mode & ~SHM_LOCKED;
  return 0;
}

function tellLimits(t: Task, cmd: number, bufAddr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  const len = cmd === IPC_INFO ? SIZEOF_SHMINFO : SIZEOF_SHM_INFO;
  scratch.fill(0, 0, len);
  const { shm } = t.ns.ipc;
  const fields =
    cmd === IPC_INFO
      ? [SHM_BYTES_MAX, 1, SHM_SEGMENTS_MAX, SHM_SEGMENTS_MAX, SHM_PAGES_MAX]
      : [shm.count, totalPages(t), totalPages(t)];
  for (const [index, value] of fields.entries()) storeI64(scratchView, index * 8, value);
  if (t.mm.copyOut(bufAddr, scratch, 0, len) < 0) return -EFAULT;
  return Math.max(shm.indexMax, 0);
}

function totalPages(t: Task): number {
  let pages = 0;
  for (const segment of t.ns.ipc.shm.all()) pages += segment.pageCount;
  return pages;
}
