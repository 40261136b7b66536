import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW, EBADF, ENOENT, ENOTDIR, type Errno } from '@tsv/abi';
import { LOOKUP_EMPTY, LOOKUP_FOLLOW, type OpenFile, type VfsPath } from '@tsv/vfs';
import type { Task } from '../task/task.js';

const SLASH = 0x2f;

/** Where `path` begins: the working directory, or the file of `dirfd`, which must be one with a place. Borrowed. */
export function startOf(t: Task, dirfd: number, path: string): VfsPath | Errno {
  if (dirfd === AT_FDCWD || path.charCodeAt(0) === SLASH) return t.cwd;
  const file = t.fds.get(dirfd);
  if (file === undefined) return -EBADF;
  return file.path ?? -ENOTDIR;
}

/** The LOOKUP_* flags for `AT_*` flags of calls that follow links unless told otherwise. */
export function lookupOf(atFlags: number): number {
  let lookup = (atFlags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0;
  if ((atFlags & AT_EMPTY_PATH) !== 0) lookup |= LOOKUP_EMPTY;
  return lookup;
}

/** The file at the path in guest memory at `pathAddr`; a reference is the caller's. Errors: EFAULT and path_resolution(7). */
export function pathAt(t: Task, dirfd: number, pathAddr: number, lookup: number): VfsPath | Errno {
  const path = t.mm.copyInPath(pathAddr);
  if (typeof path === 'number') return path;
  if (path.length === 0 && (lookup & LOOKUP_EMPTY) === 0) return -ENOENT;
  const start = startOf(t, dirfd, path);
  if (typeof start === 'number') return start === -ENOTDIR && path.length === 0 ? anonymousPath(t, dirfd) : start;
  return t.kernel.vfs.resolve(t, start, path, lookup);
}

/** The path of the file `fd` refers to; a reference is the caller's. Errors: EBADF, also for O_PATH files. */
export function pathOfFd(t: Task, fd: number): VfsPath | Errno {
  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  return pathOfFile(t, file);
}

/** The path of an open file, made up for one without a place; a reference is the caller's. */
export function pathOfFile(t: Task, file: OpenFile): VfsPath {
  if (file.path === null) return t.kernel.vfs.anonymousPath(file.inode);
  file.path.incRef();
  return file.path;
}

function anonymousPath(t: Task, fd: number): VfsPath | Errno {
  const file = t.fds.get(fd);
  return file === undefined ? -EBADF : pathOfFile(t, file);
}
