import {
  EBUSY,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOTDIR,
  ENOTEMPTY,
  EPERM,
  EXDEV,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RENAME_WHITEOUT,
  type Errno,
} from '@tsv/abi';
import type { Caller } from '../caller.js';
import type { Dentry } from '../dentry/dentry.js';
import type { Inode } from '../inode.js';
import { IN_MOVED_FROM, IN_MOVED_TO, IN_MOVE_SELF, notifyChild, notifyInode } from '../notify/file-watch.js';
import type { VirtualFileSystem } from '../virtual-file-system.js';
import { LastType, type PathWalk } from './path-walk.js';
import { MAY_WRITE, checkCreate, checkDelete, checkMountWritable } from './permission.js';
import type { VfsPath } from './vfs-path.js';

const CAP_MKNOD = 27;

/** renameat2(2). */
export function renameFrom(
  vfs: VirtualFileSystem,
  caller: Caller,
  oldStart: VfsPath,
  oldPath: string,
  newStart: VfsPath,
  newPath: string,
  flags: number,
): 0 | Errno {
  if ((flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  if ((flags & RENAME_EXCHANGE) !== 0 && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)) !== 0) return -EINVAL;
  if ((flags & RENAME_WHITEOUT) !== 0 && !caller.creds.hasCap(CAP_MKNOD)) return -EPERM;
  const from = vfs.walk(caller, oldStart, 0);
  let error = from.toParent(oldPath);
  if (error === 0) {
    // The second walk must not make the cache forget where the first one ended.
    const fromPath = from.hold();
    const to = vfs.walk(caller, newStart, 0);
    error = to.toParent(newPath);
    if (error === 0) {
      const toPath = to.hold();
      error = renameBetween(vfs, caller, from, to, flags);
      toPath.decRef();
    }
    to.done();
    fromPath.decRef();
  }
  from.done();
  return error;
}

function renameBetween(vfs: VirtualFileSystem, caller: Caller, from: PathWalk, to: PathWalk, flags: number): 0 | Errno {
  if (from.mount !== to.mount) return -EXDEV;
  if (from.lastType !== LastType.NAME) return -EBUSY;
  if (to.lastType !== LastType.NAME) return (flags & RENAME_NOREPLACE) !== 0 ? -EEXIST : -EBUSY;
  const readOnly = checkMountWritable(from.mount);
  if (readOnly < 0) return readOnly;
  const source = from.lookup(from.lastName);
  if (typeof source === 'number') return source;
  source.incRef();
  let error: 0 | Errno;
  const target = to.lookup(to.lastName);
  if (typeof target === 'number') {
    error = target;
  } else {
    target.incRef();
    error = checkNames(from, to, source, target, flags);
    if (error === 0 && source.inode !== target.inode)
      error = renameDentry(vfs, caller, from, to, source, target, flags);
    target.decRef();
  }
  source.decRef();
  return error;
}

function checkNames(from: PathWalk, to: PathWalk, source: Dentry, target: Dentry, flags: number): 0 | Errno {
  const isExchange = (flags & RENAME_EXCHANGE) !== 0;
  if (source.inode === null) return -ENOENT;
  if ((flags & RENAME_NOREPLACE) !== 0 && target.inode !== null) return -EEXIST;
  if (isExchange) {
    if (target.inode === null) return -ENOENT;
    if (!target.inode.isDirectory && to.hasTrailingSlash) return -ENOTDIR;
  }
  if (!source.inode.isDirectory && (from.hasTrailingSlash || (!isExchange && to.hasTrailingSlash))) return -ENOTDIR;
  if (to.dentry.isBelow(source)) return -EINVAL;
  if (from.dentry.isBelow(target)) return isExchange ? -EINVAL : -ENOTEMPTY;
  return 0;
}

function renameDentry(
  vfs: VirtualFileSystem,
  caller: Caller,
  from: PathWalk,
  to: PathWalk,
  source: Dentry,
  target: Dentry,
  flags: number,
): 0 | Errno {
  const child = source.inode!;
  const replaced = target.inode;
  const isExchange = (flags & RENAME_EXCHANGE) !== 0;
  let error = checkDelete(from.dentry, source, child.isDirectory, caller);
  if (error < 0) return error;
  if (replaced === null) error = checkCreate(to.dentry, caller);
  else error = checkDelete(to.dentry, target, isExchange ? replaced.isDirectory : child.isDirectory, caller);
  if (error < 0) return error;
  if (from.dentry !== to.dentry) {
    // The entry `..` of a directory that moves changes.
    if (child.isDirectory) error = child.checkAccess(MAY_WRITE, caller.creds);
    if (error === 0 && isExchange && replaced!.isDirectory) error = replaced!.checkAccess(MAY_WRITE, caller.creds);
    if (error < 0) return error;
  }
  const namespace = from.mount.namespace;
  if (namespace?.isMountpoint(source) === true || namespace?.isMountpoint(target) === true) return -EBUSY;
  const fromDir = from.dentry.inode!;
  const toDir = to.dentry.inode!;
  error = fromDir.rename(from.lastName, child, toDir, to.lastName, replaced, flags, caller);
  if (error < 0) return error;
  replaced?.incRef();
  if (isExchange) vfs.dentries.exchange(source, target);
  else vfs.nameMoved(source, target, to.dentry, to.lastName);
  tellWatches(vfs, from, to, child, replaced, isExchange);
  replaced?.decRef();
  return 0;
}

function tellWatches(
  vfs: VirtualFileSystem,
  from: PathWalk,
  to: PathWalk,
  child: Inode,
  replaced: Inode | null,
  isExchange: boolean,
): void {
  const fromDir = from.dentry.inode!;
  const toDir = to.dentry.inode!;
  const cookie = vfs.nextMoveCookie();
  notifyChild(fromDir, from.lastName, child.isDirectory, IN_MOVED_FROM, cookie);
  notifyChild(toDir, to.lastName, child.isDirectory, IN_MOVED_TO, cookie);
  notifyInode(child, IN_MOVE_SELF);
  if (replaced === null) return;
  if (!isExchange) {
    vfs.unlinked(replaced);
    return;
  }
  const secondCookie = vfs.nextMoveCookie();
  notifyChild(toDir, to.lastName, replaced.isDirectory, IN_MOVED_FROM, secondCookie);
  notifyChild(fromDir, from.lastName, replaced.isDirectory, IN_MOVED_TO, secondCookie);
  notifyInode(replaced, IN_MOVE_SELF);
}
