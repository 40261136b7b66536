import { AT_EMPTY_PATH, AT_SYMLINK_NOFOLLOW, EACCES, ELOOP, ETXTBSY, O_RDONLY, type Errno } from '@tsv/abi';
import {
  LOOKUP_EMPTY,
  LOOKUP_FOLLOW,
  MAY_EXEC,
  checkPathAccess,
  type Caller,
  type OpenFile,
  type VfsPath,
} from '@tsv/vfs';
import type { Kernel } from '../kernel.js';

/**
 * Opens the program at `path` from `start`, execve(2): it needs execute permission, not read. `flags` are those of
 * execveat(2). Errors: EACCES, ELOOP, ETXTBSY, and what path_resolution(7) says.
 */
export function openExecutable(
  kernel: Kernel,
  caller: Caller,
  start: VfsPath,
  path: string,
  flags: number,
): OpenFile | Errno {
  const lookup =
    ((flags & AT_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0) | ((flags & AT_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0);
  const place = kernel.vfs.resolve(caller, start, path, lookup);
  if (typeof place === 'number') return place;
  const file = openPlace(caller, place);
  place.decRef();
  return file;
}

function openPlace(caller: Caller, place: VfsPath): OpenFile | Errno {
  const { inode } = place;
  if (inode.isSymlink) return -ELOOP;
  if (!inode.isRegular || place.mount.isNoExec) return -EACCES;
  const error = checkPathAccess(place, MAY_EXEC, caller.creds);
  if (error < 0) return error;
  return inode.writerCount > 0 ? -ETXTBSY : inode.open(place, O_RDONLY, caller);
}
