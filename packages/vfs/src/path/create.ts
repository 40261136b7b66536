import {
  EEXIST,
  EINVAL,
  ENAMETOOLONG,
  ENOENT,
  EPERM,
  EXDEV,
  PATH_MAX,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISVTX,
  type Errno,
} from '@tsv/abi';
import type { Caller } from '../caller.js';
import type { Inode } from '../inode.js';
import { IN_ATTRIB, IN_CREATE, notifyChild, notifyInode } from '../notify/file-watch.js';
import type { VirtualFileSystem } from '../virtual-file-system.js';
import { LastType, type PathWalk } from './path-walk.js';
import { checkCreate, checkMountWritable } from './permission.js';
import type { VfsPath } from './vfs-path.js';

const CAP_MKNOD = 27;

/**
 * Goes to where the new name `path` is to be; the walk is at its directory then. Errors: EEXIST, EROFS, EACCES,
 * ENOENT for a trailing slash if it will not be a directory, and those of path_resolution(7).
 */
function toNewName(walk: PathWalk, path: string, isDirectory: boolean, caller: Caller): 0 | Errno {
  const error = walk.toParent(path);
  if (error < 0) return error;
  if (walk.lastType !== LastType.NAME) return -EEXIST;
  const dentry = walk.lookup(walk.lastName);
  if (typeof dentry === 'number') return dentry;
  if (dentry.inode !== null) return -EEXIST;
  if (walk.hasTrailingSlash && !isDirectory) return -ENOENT;
  return checkMountWritable(walk.mount) || checkCreate(walk.dentry, caller);
}

/** Enters a created inode in the cache and tells the watches. Returns 0 or the error in its place. */
function added(vfs: VirtualFileSystem, walk: PathWalk, inode: Inode | Errno): 0 | Errno {
  if (typeof inode === 'number') return inode;
  vfs.nameAdded(walk.dentry, walk.lastName, inode);
  notifyChild(walk.dentry.inode!, walk.lastName, inode.isDirectory, IN_CREATE);
  return 0;
}

/** mkdirat(2). */
export function mkdirFrom(
  vfs: VirtualFileSystem,
  caller: Caller,
  start: VfsPath,
  path: string,
  mode: number,
): 0 | Errno {
  const walk = vfs.walk(caller, start, 0);
  let error = toNewName(walk, path, true, caller);
  if (error === 0) {
    const permissions = mode & (0o777 | S_ISVTX) & ~caller.umask;
    error = added(vfs, walk, walk.dentry.inode!.mkdir(walk.lastName, permissions, caller));
  }
  walk.done();
  return error;
}

/** Makes the node that is to be `name` of the directory `dir`, of this type and these permissions. */
export type NodeMaker = (dir: Inode, name: string, mode: number, rdev: number, caller: Caller) => Inode | Errno;

const makeNode: NodeMaker = (dir, name, mode, rdev, caller) => dir.mknod(name, mode, rdev, caller);

/** mknodat(2); `make` is asked for the node once everything is checked. */
export function mknodFrom(
  vfs: VirtualFileSystem,
  caller: Caller,
  start: VfsPath,
  path: string,
  mode: number,
  rdev: number,
  make = makeNode,
): 0 | Errno {
  const type = (mode & S_IFMT) === 0 ? S_IFREG : mode & S_IFMT;
  const isDevice = type === S_IFCHR || type === S_IFBLK;
  if (!isDevice && type !== S_IFREG && type !== S_IFIFO && type !== S_IFSOCK) {
    return type === S_IFDIR ? -EPERM : -EINVAL;
  }
  const walk = vfs.walk(caller, start, 0);
  let error = toNewName(walk, path, false, caller);
  // A character device 0:0 is a whiteout: anybody may make one, overlayfs needs it.
  const isWhiteout = type === S_IFCHR && rdev === 0;
  if (error === 0 && isDevice && !isWhiteout && !caller.creds.hasCap(CAP_MKNOD)) error = -EPERM;
  if (error === 0) {
    const full = type | (mode & 0o7777 & ~caller.umask);
    error = added(vfs, walk, make(walk.dentry.inode!, walk.lastName, full, isDevice ? rdev : 0, caller));
  }
  walk.done();
  return error;
}

/** symlinkat(2). */
export function symlinkFrom(
  vfs: VirtualFileSystem,
  caller: Caller,
  target: string,
  start: VfsPath,
  path: string,
): 0 | Errno {
  if (target.length === 0) return -ENOENT;
  if (target.length >= PATH_MAX) return -ENAMETOOLONG;
  const walk = vfs.walk(caller, start, 0);
  let error = toNewName(walk, path, false, caller);
  if (error === 0) error = added(vfs, walk, walk.dentry.inode!.symlink(walk.lastName, target, caller));
  walk.done();
  return error;
}

/** linkat(2): a new name for the file at `old`. */
export function linkFrom(
  vfs: VirtualFileSystem,
  caller: Caller,
  old: VfsPath,
  start: VfsPath,
  path: string,
): 0 | Errno {
  const walk = vfs.walk(caller, start, 0);
  let error = toNewName(walk, path, false, caller);
  if (error === 0) error = linkHere(vfs, caller, walk, old);
  walk.done();
  return error;
}

function linkHere(vfs: VirtualFileSystem, caller: Caller, walk: PathWalk, old: VfsPath): 0 | Errno {
  const inode = old.inode;
  if (old.mount !== walk.mount) return -EXDEV;
  if (inode.isDirectory) return -EPERM;
  if (inode.nlink === 0 && !vfs.linkableTmpfiles.has(inode)) return -ENOENT;
  const error = walk.dentry.inode!.link(walk.lastName, inode, caller);
  if (error < 0) return error;
  vfs.linkableTmpfiles.delete(inode);
  inode.incRef();
  vfs.nameAdded(walk.dentry, walk.lastName, inode);
  notifyInode(inode, IN_ATTRIB);
  notifyChild(walk.dentry.inode!, walk.lastName, false, IN_CREATE);
  return 0;
}
