import {
  AT_FDCWD,
  EBADF,
  EFBIG,
  EINVAL,
  EISDIR,
  ENODEV,
  EOPNOTSUPP,
  ESPIPE,
  ETXTBSY,
  FALLOC_FL_COLLAPSE_RANGE,
  FALLOC_FL_INSERT_RANGE,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  FALLOC_FL_UNSHARE_RANGE,
  FALLOC_FL_ZERO_RANGE,
  S_IFIFO,
  S_IFMT,
  type SysResult,
} from '@tsv/abi';
import { FILE_BYTES_MAX, IN_MODIFY, LOOKUP_FOLLOW, notifyFile, truncatePath } from '@tsv/vfs';
import { checkNewSize } from '../fd/file-size-limit.js';
import type { Task } from '../task/task.js';
import { pathAt } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

const FALLOC_FLAGS =
  FALLOC_FL_KEEP_SIZE |
  FALLOC_FL_PUNCH_HOLE |
  FALLOC_FL_COLLAPSE_RANGE |
  FALLOC_FL_ZERO_RANGE |
  FALLOC_FL_INSERT_RANGE |
  FALLOC_FL_UNSHARE_RANGE;

/** truncate(2). Errors: EACCES, EFAULT, EFBIG, EINVAL, EISDIR, ENOENT, ENOTDIR, EROFS, ETXTBSY. */
export function sysTruncate(t: Task, a: SyscallArgs): SysResult {
  const pathname = a.u64(0);
  const length = a.i64(1);

  if (length < 0) return -EINVAL;
  const path = pathAt(t, AT_FDCWD, pathname, LOOKUP_FOLLOW);
  if (typeof path === 'number') return path;
  const result = checkNewSize(t, path.inode, length) || truncatePath(t, path, length);
  path.decRef();
  return result;
}

/** ftruncate(2). Errors: EBADF, EFBIG, EINVAL, EPERM, ETXTBSY. */
export function sysFtruncate(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const length = a.i64(1);

  if (length < 0) return -EINVAL;
  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if (!file.inode.isRegular || !file.isWritable) return -EINVAL;
  if (file.inode.executionCount > 0) return -ETXTBSY;
  const result = checkNewSize(t, file.inode, length) || file.truncate(length, t);
  if (result === 0) notifyFile(file, IN_MODIFY);
  return result;
}

/** fallocate(2). Errors: EBADF, EFBIG, EINVAL, EISDIR, ENODEV, ENOSPC, EOPNOTSUPP, EPERM, ESPIPE. */
export function sysFallocate(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const mode = a.u32(1);
  const offset = a.i64(2);
  const len = a.i64(3);

  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if (offset < 0 || len <= 0) return -EINVAL;
  if ((mode & ~FALLOC_FLAGS) !== 0) return -EOPNOTSUPP;
  // A hole leaves the size as it is; so do not all combinations exist.
  if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0 && (mode & FALLOC_FL_KEEP_SIZE) === 0) return -EOPNOTSUPP;
  if (!file.isWritable) return -EBADF;
  const { inode } = file;
  if ((inode.mode & S_IFMT) === S_IFIFO) return -ESPIPE;
  if (inode.isDirectory) return -EISDIR;
  if (!inode.isRegular) return -ENODEV;
  if (offset + len > FILE_BYTES_MAX) return -EFBIG;
  const newSize = (mode & FALLOC_FL_KEEP_SIZE) === 0 ? offset + len : 0;
  const result = checkNewSize(t, inode, newSize) || file.allocate(mode, offset, len, t);
  if (result === 0) notifyFile(file, IN_MODIFY);
  return result;
}
