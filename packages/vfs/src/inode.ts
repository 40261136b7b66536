import {
  EINVAL,
  ENODATA,
  ENOTDIR,
  EOPNOTSUPP,
  EPERM,
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Errno,
} from '@tsv/abi';
import type { Caller, FsCredentials } from './caller.js';
import type { Dentry } from './dentry/dentry.js';
import type { FileSystem } from './file-system.js';
import type { OpenFile } from './file/open-file.js';
import type { FileLocks } from './lock/file-locks.js';
import type { FileWatch } from './notify/file-watch.js';
import type { VfsPath } from './path/vfs-path.js';

/** What setattr changes: fields set to a value; undefined stays. Times are whole nanoseconds split in two. */
export interface SetAttributes {
  mode?: number;
  uid?: number;
  gid?: number;
  sizeBytes?: number;
  /** Seconds and nanoseconds; `'now'` for the time of the call. */
  atime?: TimeValue | 'now';
  mtime?: TimeValue | 'now';
}

/** A point in time of a file. */
export interface TimeValue {
  sec: number;
  nsec: number;
}

/**
 * What a file is, whatever its names: attributes and the operations on them. A filesystem subclasses it; operations
 * that it does not offer fail as Linux fails them. Names are byte strings (one character a byte). Permission to act
 * in a directory was checked before an operation is called. Objects returned as Inode carry a reference for the caller.
 */
export abstract class Inode {
  readonly fs: FileSystem;
  readonly ino: number;
  /** Type and permission bits. */
  mode: number;
  uid = 0;
  gid = 0;
  nlink = 1;
  /** Device number of a device file, as makedev(3) packs it for stat(2). */
  rdev = 0;
  sizeBytes = 0;
  /** 512-byte blocks in use. */
  blockCount = 0;
  blockBytes = 4096;
  atime: TimeValue;
  mtime: TimeValue;
  ctime: TimeValue;
  btime: TimeValue;
  /** Who is told of events, inotify(7); null for nobody. Written by `addWatch` and `removeWatch`. */
  watches: readonly FileWatch[] | null = null;
  /** The cached name of a directory, or null. Written by `DentryCache`. */
  directoryDentry: Dentry | null = null;
  /** Processes that run it as their program: it cannot be opened for writing then, ETXTBSY. Written by who runs it. */
  executionCount = 0;
  /** Open files with a path that may write: it cannot be executed then, ETXTBSY. Written by {@link OpenFile}. */
  writerCount = 0;
  /** Advisory locks, or null while there never were any. Written by `locksOf`. */
  locks: FileLocks | null = null;
  /** The inode in use that stands for it in the first overlay of which it is in a layer. Written by `OverlayFileSystem`. */
  cover: Inode | null = null;

  /** Its times are those of `times`, for an inode that stands for another one. */
  constructor(fs: FileSystem, ino: number, mode: number, times: Inode | null = null) {
    this.fs = fs;
    this.ino = ino;
    this.mode = mode;
    this.atime = times?.atime ?? { sec: 0, nsec: 0 };
    this.mtime = times?.mtime ?? { sec: 0, nsec: 0 };
    this.ctime = times?.ctime ?? { sec: 0, nsec: 0 };
    this.btime = times?.btime ?? { sec: 0, nsec: 0 };
  }

  get isDirectory(): boolean {
    return (this.mode & S_IFMT) === S_IFDIR;
  }
  get isSymlink(): boolean {
    return (this.mode & S_IFMT) === S_IFLNK;
  }
  get isRegular(): boolean {
    return (this.mode & S_IFMT) === S_IFREG;
  }

  /** Whether it is a device or FIFO: opening it is the business of whom it is registered to. */
  get isSpecial(): boolean {
    const type = this.mode & S_IFMT;
    return type === S_IFCHR || type === S_IFBLK || type === S_IFIFO;
  }
  /** Whether {@link open} is called for devices and FIFOs too, in place of the registered drivers (host devices, ptys). */
  get opensSpecial(): boolean {
    return false;
  }

  /** Brings the attribute fields up to date, stat(2). Returns 0. */
  refresh(): number {
    return 0;
  }

  /** chmod(2), chown(2), truncate(2), utimensat(2); the caller's right to do so was checked. */
  setAttributes(_change: SetAttributes, _caller: Caller): number {
    return -EPERM;
  }

  /** The child called `name`. Errors: ENOENT, ENOTDIR. */
  lookup(_name: string): Inode | Errno {
    return -ENOTDIR;
  }

  /**
   * Whether `name` in this directory still leads to `child`, null for nothing. Asked about a cached name when
   * {@link FileSystem.mustRevalidate}.
   */
  isCurrent(name: string, child: Inode | null): boolean {
    const found = this.lookup(name);
    if (typeof found === 'number') return child === null;
    found.decRef();
    return found === child;
  }

  /** Opens it; creation, truncation and permission were dealt with. */
  abstract open(path: VfsPath | null, flags: number, caller: Caller): OpenFile | Errno;

  /** A new regular file, socket, FIFO or device in this directory, mknod(2). Errors: EEXIST, EPERM, ENOSPC, EROFS. */
  mknod(_name: string, _mode: number, _rdev: number, _caller: Caller): Inode | Errno {
    return -EPERM;
  }

  mkdir(_name: string, _mode: number, _caller: Caller): Inode | Errno {
    return -EPERM;
  }

  /** A new regular file without a name, O_TMPFILE; {@link link} can give it one. Errors: EOPNOTSUPP. */
  tmpfile(_mode: number, _caller: Caller): Inode | Errno {
    return -EOPNOTSUPP;
  }

  symlink(_name: string, _target: string, _caller: Caller): Inode | Errno {
    return -EPERM;
  }

  /** A further name for `inode`, link(2). */
  link(_name: string, _inode: Inode, _caller: Caller): number {
    return -EPERM;
  }

  unlink(_name: string, _child: Inode, _caller: Caller): number {
    return -EPERM;
  }

  rmdir(_name: string, _child: Inode, _caller: Caller): number {
    return -EPERM;
  }

  /** renameat2(2) from this directory; `flags` are RENAME_*; `replaced` is what `newName` named, or null. */
  rename(
    _name: string,
    _child: Inode,
    _newDir: Inode,
    _newName: string,
    _replaced: Inode | null,
    _flags: number,
    _caller: Caller,
  ): number {
    return -EPERM;
  }

  /** Target of a symbolic link. */
  readlink(_caller: Caller): string | Errno {
    return -EINVAL;
  }

  /**
   * Where a magic link (proc(5): /proc/PID/{exe,cwd,root,fd/N}) leads, in place of its text; null for others. The
   * returned path carries a reference.
   */
  followMagic(_caller: Caller): VfsPath | Errno | null {
    return null;
  }

  /**
   * Whether `creds` may access it in the ways of `mask` (4 read, 2 write, 1 execute); 0, or -EACCES. Mode bits,
   * ownership and capabilities unless a filesystem knows better.
   */
  checkAccess(mask: number, creds: FsCredentials): number {
    return checkModeBits(this, mask, creds);
  }

  getXattr(_name: string): Uint8Array | Errno {
    return -EOPNOTSUPP;
  }
  /** `flags` are XATTR_CREATE, XATTR_REPLACE. */
  setXattr(_name: string, _value: Uint8Array, _flags: number): number {
    return -EOPNOTSUPP;
  }
  listXattrs(): string[] | Errno {
    return [];
  }
  removeXattr(_name: string): number {
    return -ENODATA;
  }

  /** A name of it entered the dentry cache or a file of it was opened; the opposite is {@link decRef}. */
  incRef(): void {
    // Filesystems that count override both.
  }
  decRef(): void {
    // See incRef.
  }
}

const EACCES = 13;
const CAP_DAC_OVERRIDE = 1;
const CAP_DAC_READ_SEARCH = 2;

/** Whether capability `cap` of `creds` counts for `inode`, user_namespaces(7). */
export function hasCapOver(inode: Inode, creds: FsCredentials, cap: number): boolean {
  return creds.hasCap(cap) && (creds.mapsIds === undefined || creds.mapsIds(inode.uid, inode.gid));
}

/** The mode-bit rule of path_resolution(7) with the capabilities of capabilities(7). Returns 0 or -EACCES. */
export function checkModeBits(inode: Inode, mask: number, creds: FsCredentials): number {
  const mode = inode.mode;
  let granted = mode & 7;
  if (creds.fsuid === inode.uid) granted = (mode >> 6) & 7;
  else if (creds.inGroup(inode.gid)) granted = (mode >> 3) & 7;
  if ((mask & ~granted) === 0) return 0;
  if (inode.isDirectory) {
    if ((mask & 2) === 0 && hasCapOver(inode, creds, CAP_DAC_READ_SEARCH)) return 0;
    return hasCapOver(inode, creds, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
  }
  if (mask === 4 && hasCapOver(inode, creds, CAP_DAC_READ_SEARCH)) return 0;
  const mayExecute = (mode & 0o111) !== 0;
  return ((mask & 1) === 0 || mayExecute) && hasCapOver(inode, creds, CAP_DAC_OVERRIDE) ? 0 : -EACCES;
}
