import {
  EBUSY,
  EISDIR,
  ENOENT,
  ENOTDIR,
  EPERM,
  EROFS,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_ISVTX,
  type Errno,
} from '@tsv/abi';
import type { Caller, FsCredentials } from '../caller.js';
import type { Dentry } from '../dentry/dentry.js';
import { hasCapOver, type Inode } from '../inode.js';
import type { Mount } from '../mount/mount.js';
import type { VfsPath } from './vfs-path.js';

/** Access to check, access(2). */
export const MAY_EXEC = 1;
export const MAY_WRITE = 2;
export const MAY_READ = 4;

const CAP_FOWNER = 3;

/** Whether `creds` may use the file at `path` in the ways of `mask`. Errors: EACCES, EROFS. */
export function checkPathAccess(path: VfsPath, mask: number, creds: FsCredentials): 0 | Errno {
  const inode = path.inode;
  if ((mask & MAY_WRITE) !== 0) {
    const type = inode.mode & S_IFMT;
    if ((type === S_IFREG || type === S_IFDIR || type === S_IFLNK) && path.mount.isReadOnly) return -EROFS;
  }
  return inode.checkAccess(mask, creds);
}

/** Whether something on `mount` may be changed. Errors: EROFS. */
export function checkMountWritable(mount: Mount): 0 | Errno {
  return mount.isReadOnly ? -EROFS : 0;
}

/** Whether `caller` owns `inode` or may act as if. */
export function isOwnerOrCapable(inode: Inode, creds: FsCredentials): boolean {
  return creds.fsuid === inode.uid || hasCapOver(inode, creds, CAP_FOWNER);
}

/** Whether `caller` may make a name in `dir`. Errors: EACCES, ENOENT for a directory that was removed. */
export function checkCreate(dir: Dentry, caller: Caller): 0 | Errno {
  const inode = dir.inode;
  if (inode === null || dir.isUnlinked) return -ENOENT;
  return inode.checkAccess(MAY_WRITE | MAY_EXEC, caller.creds);
}

/** Whether `caller` may remove or rename `victim`. Errors: EACCES, EPERM (sticky), ENOTDIR, EISDIR, EBUSY, ENOENT. */
export function checkDelete(dir: Dentry, victim: Dentry, mustBeDirectory: boolean, caller: Caller): 0 | Errno {
  const dirInode = dir.inode;
  const inode = victim.inode;
  if (dirInode === null || inode === null) return -ENOENT;
  const error = dirInode.checkAccess(MAY_WRITE | MAY_EXEC, caller.creds);
  if (error < 0) return error;
  if (isSticky(dirInode, inode, caller.creds)) return -EPERM;
  if (mustBeDirectory) {
    if (!inode.isDirectory) return -ENOTDIR;
    if (victim.parent === null) return -EBUSY;
  } else if (inode.isDirectory) return -EISDIR;
  return dir.isUnlinked ? -ENOENT : 0;
}

/** The sticky bit of inode(7): only the owner of the file or the directory may take the name away. */
function isSticky(dir: Inode, victim: Inode, creds: FsCredentials): boolean {
  if ((dir.mode & S_ISVTX) === 0 || creds.fsuid === victim.uid || creds.fsuid === dir.uid) return false;
  return !hasCapOver(victim, creds, CAP_FOWNER);
}
