import { EBUSY, EINVAL, EISDIR, ENOENT, ENOTDIR, ENOTEMPTY, type Errno } from '@tsv/abi';
import type { Caller } from '../caller.js';
import type { Dentry } from '../dentry/dentry.js';
import { IN_DELETE, notifyChild } from '../notify/file-watch.js';
import type { VirtualFileSystem } from '../virtual-file-system.js';
import { LastType, type PathWalk } from './path-walk.js';
import { checkDelete, checkMountWritable } from './permission.js';
import type { VfsPath } from './vfs-path.js';

/** unlink(2). */
export function unlinkFrom(vfs: VirtualFileSystem, caller: Caller, start: VfsPath, path: string): 0 | Errno {
  const walk = vfs.walk(caller, start, 0);
  let error = walk.toParent(path);
  if (error === 0) error = walk.lastType === LastType.NAME ? unlinkHere(vfs, caller, walk) : -EISDIR;
  walk.done();
  return error;
}

/** rmdir(2). */
export function rmdirFrom(vfs: VirtualFileSystem, caller: Caller, start: VfsPath, path: string): 0 | Errno {
  const walk = vfs.walk(caller, start, 0);
  let error = walk.toParent(path);
  if (error === 0) {
    if (walk.lastType === LastType.DOT) error = -EINVAL;
    else if (walk.lastType === LastType.DOT_DOT) error = -ENOTEMPTY;
    else error = walk.lastType === LastType.ROOT ? -EBUSY : rmdirHere(vfs, caller, walk);
  }
  walk.done();
  return error;
}

function unlinkHere(vfs: VirtualFileSystem, caller: Caller, walk: PathWalk): 0 | Errno {
  const victim = walk.lookup(walk.lastName);
  if (typeof victim === 'number') return victim;
  if (victim.inode === null) return -ENOENT;
  if (walk.hasTrailingSlash) return victim.inode.isDirectory ? -EISDIR : -ENOTDIR;
  const error = checkMountWritable(walk.mount) || checkDelete(walk.dentry, victim, false, caller);
  if (error < 0) return error;
  if (walk.mount.namespace?.isMountpoint(victim) === true) return -EBUSY;
  const { inode } = victim;
  const failed = walk.dentry.inode!.unlink(walk.lastName, inode, caller);
  return failed < 0 ? failed : removed(vfs, walk, victim);
}

function rmdirHere(vfs: VirtualFileSystem, caller: Caller, walk: PathWalk): 0 | Errno {
  const victim = walk.lookup(walk.lastName);
  if (typeof victim === 'number') return victim;
  if (victim.inode === null) return -ENOENT;
  const error = checkMountWritable(walk.mount) || checkDelete(walk.dentry, victim, true, caller);
  if (error < 0) return error;
  if (walk.mount.namespace?.isMountpoint(victim) === true) return -EBUSY;
  const failed = walk.dentry.inode!.rmdir(walk.lastName, victim.inode, caller);
  return failed < 0 ? failed : removed(vfs, walk, victim);
}

function removed(vfs: VirtualFileSystem, walk: PathWalk, victim: Dentry): 0 {
  const inode = victim.inode!;
  inode.incRef();
  if (!inode.isDirectory) vfs.unlinked(inode);
  vfs.nameRemoved(victim);
  notifyChild(walk.dentry.inode!, walk.lastName, inode.isDirectory, IN_DELETE);
  inode.decRef();
  return 0;
}
