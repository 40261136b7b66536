import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_NO_AUTOMOUNT,
  AT_STATX_SYNC_TYPE,
  AT_SYMLINK_NOFOLLOW,
  EBADF,
  EINVAL,
  ENOENT,
  SIZEOF_STAT,
  SIZEOF_STATX,
  STATX__RESERVED,
  storeStat,
  storeStatOwner,
  storeStatx,
  storeStatxOwner,
  type SysResult,
} from '@tsv/abi';
import { LOOKUP_EMPTY, LOOKUP_FOLLOW, type Inode, type VfsPath } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { lookupOf, pathAt, pathOfFile, startOf } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

const STAT_FLAGS = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH;

/** stat(2). Errors: EACCES, EFAULT, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR. */
export function sysStat(t: Task, a: SyscallArgs): SysResult {
  const pathname = a.u64(0);
  const statbuf = a.u64(1);

  return statAt(t, AT_FDCWD, pathname, statbuf, LOOKUP_FOLLOW);
}

/** lstat(2). Errors: those of stat(2). */
export function sysLstat(t: Task, a: SyscallArgs): SysResult {
  const pathname = a.u64(0);
  const statbuf = a.u64(1);

  return statAt(t, AT_FDCWD, pathname, statbuf, 0);
}

/** fstat(2). Errors: EBADF, EFAULT. */
export function sysFstat(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const statbuf = a.u64(1);

  const file = t.fds.get(fd);
  return file === undefined ? -EBADF : putStat(t, file.inode, statbuf);
}

/** newfstatat(2). Errors: those of stat(2), EBADF, EINVAL. */
export function sysNewfstatat(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathname = a.u64(1);
  const statbuf = a.u64(2);
  const flags = a.u32(3);

  if ((flags & ~STAT_FLAGS) !== 0) return -EINVAL;
  return statAt(t, dirfd, pathname, statbuf, lookupOf(flags));
}

/** statx(2). Errors: those of stat(2), EBADF, EINVAL. */
export function sysStatx(t: Task, a: SyscallArgs): SysResult {
  const dirfd = a.i32(0);
  const pathname = a.u64(1);
  const flags = a.u32(2);
  const mask = a.u32(3);
  const statxbuf = a.u64(4);

  if (mask >= STATX__RESERVED) return -EINVAL;
  if ((flags & AT_STATX_SYNC_TYPE) === AT_STATX_SYNC_TYPE) return -EINVAL;
  if ((flags & ~(STAT_FLAGS | AT_STATX_SYNC_TYPE)) !== 0) return -EINVAL;
  const path = statxPath(t, dirfd, pathname, flags);
  if (typeof path === 'number') return path;
  const result = putStatx(t, path, statxbuf);
  path.decRef();
  return result;
}

/** A null path with AT_EMPTY_PATH is an empty one, since Linux 6.11. */
function statxPath(t: Task, dirfd: number, pathAddr: number, flags: number): VfsPath | SysResult {
  if (pathAddr !== 0 || (flags & AT_EMPTY_PATH) === 0 || dirfd === AT_FDCWD) {
    return pathAt(t, dirfd, pathAddr, lookupOf(flags));
  }
  const file = t.fds.get(dirfd);
  return file === undefined ? -EBADF : pathOfFile(t, file);
}

/** Holds nothing of the file: it is looked at before anything else happens. */
function statAt(t: Task, dirfd: number, pathAddr: number, statbuf: number, lookup: number): SysResult {
  const path = t.mm.copyInPath(pathAddr);
  if (typeof path === 'number') return path;
  if (path.length === 0) {
    if ((lookup & LOOKUP_EMPTY) === 0) return -ENOENT;
    const file = dirfd === AT_FDCWD ? t.cwd : t.fds.get(dirfd);
    return file === undefined ? -EBADF : putStat(t, file.inode, statbuf);
  }
  const start = startOf(t, dirfd, path);
  if (typeof start === 'number') return start;
  const walk = t.kernel.vfs.walk(t, start, 0);
  const error = walk.toFile(path, lookup);
  const result = error < 0 ? error : putStat(t, walk.dentry.inode!, statbuf);
  walk.done();
  return result;
}

function putStat(t: Task, inode: Inode, addr: number): SysResult {
  const error = inode.refresh();
  if (error < 0) return error;
  const { mm, kernel } = t;
  const { userNs } = t.creds;
  const view = mm.viewToWrite(addr, SIZEOF_STAT);
  const mem = view ?? kernel.scratchView;
  const at = view === null ? 0 : mm.segAt;
  storeStat(mem, at, inode, inode.fs.dev);
  storeStatOwner(mem, at, userNs.uidInside(inode.uid), userNs.gidInside(inode.gid));
  return view === null ? mm.copyOut(addr, kernel.scratch, 0, SIZEOF_STAT) : 0;
}

function putStatx(t: Task, path: VfsPath, addr: number): SysResult {
  const { inode, mount, dentry } = path;
  const error = inode.refresh();
  if (error < 0) return error;
  storeStatx(t.kernel.scratchView, 0, inode, inode.fs.dev, mount.id, dentry === mount.root);
  const { userNs } = t.creds;
  storeStatxOwner(t.kernel.scratchView, 0, userNs.uidInside(inode.uid), userNs.gidInside(inode.gid));
  return t.mm.copyOut(addr, t.kernel.scratch, 0, SIZEOF_STATX);
}
