import {
  EACCES,
  EEXIST,
  EINVAL,
  EISDIR,
  ELOOP,
  ENOENT,
  ENOTDIR,
  ENXIO,
  EPERM,
  ETXTBSY,
  O_ACCMODE,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_LARGEFILE,
  O_NOATIME,
  O_NOCTTY,
  O_NOFOLLOW,
  O_PATH,
  O_RDONLY,
  O_TMPFILE,
  O_TRUNC,
  O_WRONLY,
  S_IFBLK,
  S_IFCHR,
  S_IFIFO,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  __O_TMPFILE,
  type Errno,
} from '@tsv/abi';
import type { Caller } from '../caller.js';
import { OpenFile } from '../file/open-file.js';
import { IN_CREATE, IN_MODIFY, IN_OPEN, notifyChild, notifyDentry, notifyFile } from '../notify/file-watch.js';
import type { VirtualFileSystem } from '../virtual-file-system.js';
import { LOOKUP_DIRECTORY, LOOKUP_EMPTY, LOOKUP_FOLLOW, LastType, type PathWalk } from './path-walk.js';
import {
  MAY_READ,
  MAY_WRITE,
  checkCreate,
  checkMountWritable,
  checkPathAccess,
  isOwnerOrCapable,
} from './permission.js';
import { VfsPath } from './vfs-path.js';

/** Flags that mean something at open only; F_GETFL does not show them. */
const CREATION_FLAGS = O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC;
const O_PATH_FLAGS = O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC;

/** openat2(2) from `start`; `mode` without the umask taken off. */
export function openFrom(
  vfs: VirtualFileSystem,
  caller: Caller,
  start: VfsPath,
  path: string,
  flags: number,
  mode: number,
  resolve: number,
): OpenFile | Errno {
  let f = flags | O_LARGEFILE;
  if ((f & O_PATH) !== 0) f &= O_PATH_FLAGS;
  const error = checkFlags(f);
  if (error < 0) return error;
  const walk = vfs.walk(caller, start, resolve);
  let result: OpenFile | Errno;
  if ((f & __O_TMPFILE) !== 0) result = openTmpfile(vfs, caller, walk, path, f, mode);
  else if ((f & O_CREAT) !== 0) result = openCreating(vfs, caller, walk, path, f, mode);
  else result = openExisting(vfs, caller, walk, path, f);
  walk.done();
  return result;
}

/** Opens the file at `path`, whose permission is checked as open(2) does. Creation flags but O_TRUNC mean nothing. */
export function openPath(vfs: VirtualFileSystem, caller: Caller, path: VfsPath, flags: number): OpenFile | Errno {
  const inode = path.inode;
  if ((flags & O_PATH) !== 0) return openAsPath(path, flags);
  if ((flags & O_DIRECTORY) !== 0 && !inode.isDirectory) return -ENOTDIR;
  let f = flags;
  const type = inode.mode & S_IFMT;
  if (inode.isSymlink) return -ELOOP;
  if (type === S_IFCHR || type === S_IFBLK || type === S_IFIFO || type === S_IFSOCK) f &= ~O_TRUNC;
  if (inode.isDirectory && accessMask(f) & MAY_WRITE) return -EISDIR;
  if ((type === S_IFCHR || type === S_IFBLK) && path.mount.isNoDev) return -EACCES;
  const error = checkPathAccess(path, accessMask(f), caller.creds);
  if (error < 0) return error;
  if ((f & O_NOATIME) !== 0 && !isOwnerOrCapable(inode, caller.creds)) return -EPERM;
  return openInode(vfs, caller, path, f);
}

function checkFlags(flags: number): 0 | Errno {
  if ((flags & __O_TMPFILE) !== 0) {
    if ((flags & O_TMPFILE) !== O_TMPFILE || (flags & O_CREAT) !== 0) return -EINVAL;
    return (flags & O_ACCMODE) === O_RDONLY ? -EINVAL : 0;
  }
  return (flags & (O_CREAT | O_DIRECTORY)) === (O_CREAT | O_DIRECTORY) ? -EINVAL : 0;
}

/** What open(2) with `flags` needs of the file. Access mode 3 needs both and gives neither (for ioctls). */
function accessMask(flags: number): number {
  const mode = flags & O_ACCMODE;
  const mask = mode === O_RDONLY ? MAY_READ : mode === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  return (flags & O_TRUNC) !== 0 ? mask | MAY_WRITE : mask;
}

function openExisting(
  vfs: VirtualFileSystem,
  caller: Caller,
  walk: PathWalk,
  name: string,
  flags: number,
): OpenFile | Errno {
  let lookup = (flags & O_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0;
  if ((flags & O_DIRECTORY) !== 0) lookup |= LOOKUP_DIRECTORY;
  const error = walk.toFile(name, lookup);
  return error < 0 ? error : openHere(vfs, caller, walk, flags);
}

function openCreating(
  vfs: VirtualFileSystem,
  caller: Caller,
  walk: PathWalk,
  name: string,
  flags: number,
  mode: number,
): OpenFile | Errno {
  let error = walk.toParent(name);
  for (;;) {
    if (error < 0) return error;
    if (walk.lastType !== LastType.NAME || walk.hasTrailingSlash) return -EISDIR;
    const dentry = walk.lookup(walk.lastName);
    if (typeof dentry === 'number') return dentry;
    if (dentry.inode === null) return createHere(vfs, caller, walk, flags, mode);
    if ((flags & O_EXCL) !== 0) return -EEXIST;
    if (!dentry.inode.isSymlink) {
      error = walk.descend(dentry);
      if (error < 0) return error;
      return walk.dentry.inode!.isDirectory ? -EISDIR : openHere(vfs, caller, walk, flags);
    }
    if ((flags & O_NOFOLLOW) !== 0) return -ELOOP;
    error = walk.followLast(dentry);
    if (error === 0 && walk.isAtMagicTarget) {
      return walk.dentry.inode!.isDirectory ? -EISDIR : openHere(vfs, caller, walk, flags);
    }
  }
}

function openHere(vfs: VirtualFileSystem, caller: Caller, walk: PathWalk, flags: number): OpenFile | Errno {
  const path = walk.hold();
  const file = openPath(vfs, caller, path, flags);
  path.decRef();
  return file;
}

function createHere(
  vfs: VirtualFileSystem,
  caller: Caller,
  walk: PathWalk,
  flags: number,
  mode: number,
): OpenFile | Errno {
  const { mount, dentry: dir, lastName } = walk;
  const error = checkMountWritable(mount) || checkCreate(dir, caller);
  if (error < 0) return error;
  const dirInode = dir.inode!;
  const inode = dirInode.mknod(lastName, S_IFREG | (mode & 0o7777 & ~caller.umask), 0, caller);
  if (typeof inode === 'number') return inode;
  const dentry = vfs.nameAdded(dir, lastName, inode);
  const path = new VfsPath(mount, dentry);
  path.incRef();
  notifyChild(dirInode, lastName, false, IN_CREATE);
  const file = openInode(vfs, caller, path, flags & ~O_TRUNC);
  path.decRef();
  return file;
}

function openTmpfile(
  vfs: VirtualFileSystem,
  caller: Caller,
  walk: PathWalk,
  name: string,
  flags: number,
  mode: number,
): OpenFile | Errno {
  const error =
    walk.toFile(name, LOOKUP_FOLLOW | LOOKUP_DIRECTORY) ||
    checkMountWritable(walk.mount) ||
    checkCreate(walk.dentry, caller);
  if (error < 0) return error;
  const inode = walk.dentry.inode!.tmpfile(S_IFREG | (mode & 0o7777 & ~caller.umask), caller);
  if (typeof inode === 'number') return inode;
  const dentry = vfs.dentries.addAnonymous(inode.fs, `#${inode.ino}`, inode);
  const path = new VfsPath(walk.mount, dentry);
  path.incRef();
  dentry.decRef();
  const isLinkable = (flags & O_EXCL) === 0;
  if (isLinkable) vfs.linkableTmpfiles.add(inode);
  const file = openInode(vfs, caller, path, flags & ~(O_DIRECTORY | O_TRUNC));
  path.decRef();
  return file;
}

/** Opens without checks but those that concern other openers. */
function openInode(vfs: VirtualFileSystem, caller: Caller, path: VfsPath, flags: number): OpenFile | Errno {
  const inode = path.inode;
  if ((inode.mode & S_IFMT) === S_IFSOCK) return -ENXIO;
  if (accessMask(flags) & MAY_WRITE && inode.isRegular && inode.executionCount > 0) return -ETXTBSY;
  if ((flags & O_TRUNC) !== 0 && inode.isRegular) {
    const error = inode.setAttributes({ sizeBytes: 0 }, caller);
    if (error < 0) return error;
    notifyDentry(path.dentry, IN_MODIFY);
  }
  // Terminals must know of O_NOCTTY; no open file keeps it.
  const fileFlags = flags & ~(CREATION_FLAGS & ~O_NOCTTY);
  const file =
    inode.isSpecial && !inode.opensSpecial
      ? vfs.devices.open(inode, path, fileFlags, caller)
      : inode.open(path, fileFlags, caller);
  if (typeof file === 'number') return file;
  file.flags &= ~O_NOCTTY;
  notifyFile(file, IN_OPEN);
  return file;
}

function openAsPath(path: VfsPath, flags: number): OpenFile | Errno {
  if ((flags & O_DIRECTORY) !== 0 && !path.inode.isDirectory) return -ENOTDIR;
  return new PathFile(path.inode, path, flags & ~O_CLOEXEC);
}

/** A file that only stands for its place, O_PATH of open(2). */
class PathFile extends OpenFile {
  override readiness(): number {
    return 0;
  }
}

/** The path of the file at `name` from `start`, with a reference; a null name or AT_EMPTY_PATH gives `start`. */
export function resolveFrom(
  vfs: VirtualFileSystem,
  caller: Caller,
  start: VfsPath,
  name: string,
  lookup: number,
  resolve: number,
): VfsPath | Errno {
  if (name.length === 0) {
    if ((lookup & LOOKUP_EMPTY) === 0) return -ENOENT;
    if ((lookup & LOOKUP_DIRECTORY) !== 0 && !start.inode.isDirectory) return -ENOTDIR;
    start.incRef();
    return start;
  }
  const walk = vfs.walk(caller, start, resolve);
  const error = walk.toFile(name, lookup);
  const path = error < 0 ? error : walk.hold();
  walk.done();
  return path;
}
