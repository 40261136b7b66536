import {
  EFAULT,
  EINVAL,
  ENAMETOOLONG,
  EOPNOTSUPP,
  F_SEAL_EXEC,
  F_SEAL_SEAL,
  MFD_ALLOW_SEALING,
  MFD_CLOEXEC,
  MFD_EXEC,
  MFD_HUGETLB,
  MFD_HUGE_MASK,
  MFD_HUGE_SHIFT,
  MFD_NOEXEC_SEAL,
  O_RDWR,
  type SysResult,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** Longest name, without the prefix `memfd:` that makes it NAME_MAX. */
const NAME_BYTES_MAX = 249;
const FLAGS = MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC;
const HUGETLB_FLAGS = MFD_HUGETLB | (MFD_HUGE_MASK << MFD_HUGE_SHIFT);

/** memfd_create(2). Errors: EFAULT, EINVAL, EMFILE, EOPNOTSUPP for MFD_HUGETLB. */
export function sysMemfdCreate(t: Task, a: SyscallArgs): SysResult {
  const uname = a.u64(0);
  const flags = a.u32(1);

  if ((flags & ~(FLAGS | HUGETLB_FLAGS)) !== 0) return -EINVAL;
  if ((flags & MFD_HUGETLB) === 0 && (flags & ~FLAGS) !== 0) return -EINVAL;
  if ((flags & MFD_EXEC) !== 0 && (flags & MFD_NOEXEC_SEAL) !== 0) return -EINVAL;
  const name = t.mm.copyInString(uname, NAME_BYTES_MAX + 1);
  if (typeof name === 'number') return name === -ENAMETOOLONG ? -EINVAL : -EFAULT;
  if ((flags & MFD_HUGETLB) !== 0) return -EOPNOTSUPP;

  const isNoExec = (flags & MFD_NOEXEC_SEAL) !== 0;
  const { vfs, memfds } = t.kernel;
  const inode = memfds.createUnnamedFile(isNoExec ? 0o666 : 0o777);
  inode.uid = t.creds.fsuid;
  inode.gid = t.creds.fsgid;
  if (isNoExec) inode.seals = F_SEAL_EXEC;
  else if ((flags & MFD_ALLOW_SEALING) !== 0) inode.seals = 0;
  else inode.seals = F_SEAL_SEAL;
  const path = vfs.anonymousPath(inode, `memfd:${name}`);
  const file = inode.open(path, O_RDWR, t);
  path.decRef();
  inode.decRef();
  if (typeof file === 'number') return file;
  // Nobody has opened it: programs are run from such files while their descriptor is open, fexecve(3).
  file.leaveWriters();
  return t.fds.install(file, 0, (flags & MFD_CLOEXEC) !== 0);
}
