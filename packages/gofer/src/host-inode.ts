import { close, ftruncate } from '@tsv/host';
import * as abi from '@tsv/abi';
import { Inode, makedev, type Caller, type OpenFile, type SetAttributes, type TimeValue, type VfsPath } from '@tsv/vfs';
import {
  bindSocket,
  connectSocket,
  fchmodat,
  fchownat,
  linkat,
  mkdirat,
  mknodat,
  openat2,
  readlinkat,
  renameat2,
  reopen,
  symlinkat,
  unlinkat,
  utimensat,
} from './host-calls.js';
import { HostDirectoryFile } from './host-directory-file.js';
import type { HostFdWatcher } from './host-fd-watcher.js';
import { AT_EMPTY_PATH, RESOLVE_BENEATH_ONLY, type HostFileSystem } from './host-file-system.js';
import { HostHandle } from './host-handle.js';
import { HostRegularFile } from './host-regular-file.js';
import { HostStat } from './host-stat.js';
import { HostStream, type StreamInode } from './host-stream.js';
import { pathDescriptors } from './path-descriptors.js';

/** Shared by all inodes: each use ends before the next begins. */
const stat = new HostStat();
const linkBytes = new Uint8Array(4096);

/** UTIME_NOW and UTIME_OMIT, utimensat(2). */
const UTIME_NOW = 0x3fffffff;
const UTIME_OMIT = 0x3ffffffe;
const AT_REMOVEDIR = 0x200;

/**
 * A file of the host. It is reached by its parent and name; directories that were used lately, and files whose name may be
 * gone, keep an O_PATH descriptor. Held by dentries and open files; the last reference closes the descriptor.
 */
export class HostInode extends Inode implements StreamInode {
  declare readonly fs: HostFileSystem;
  #parent: HostInode | null;
  #name: string;
  #pathFd = -1;
  /** Whether its name leads to it: its descriptor is the only way otherwise. */
  #isNamed = true;
  /** For reading; null when there is none. Only where nobody else changes what a name means. */
  #readHandle: HostHandle | null = null;
  #refCount = 1;
  /** Number of the host's mount that it is on, or 0. */
  mountId = 0;
  /** Attributes may differ from the host's: ask again. */
  #isStale = false;
  /** What the symbolic link says, which never changes; null until it is asked. Only where nobody else changes files. */
  #target: string | null = null;

  constructor(fs: HostFileSystem, ino: number, from: HostStat, parent: HostInode | null, name: string) {
    super(fs, ino, from.mode);
    this.#parent = parent;
    this.#name = name;
    parent?.incRef();
    this.apply(from);
  }

  override incRef(): void {
    this.#refCount++;
  }

  override decRef(): void {
    // A loop, for directories are nested as deep as guests like.
    for (let parent = this.#unref(); parent !== null; parent = parent.#unref());
  }

  /** Returns the directory that it held, when nobody holds it any more. */
  #unref(): HostInode | null {
    this.#refCount--;
    if (this.#refCount > 0 || this.#parent === null) return null;
    this.fs.forget(this);
    this.closeDescriptors();
    return this.#parent;
  }

  /** Takes what the host says of it. */
  apply(from: HostStat): void {
    this.mode = from.mode;
    this.uid = from.uid;
    this.gid = from.gid;
    this.nlink = from.nlink;
    this.rdev = makedev(from.rdevMajor, from.rdevMinor);
    this.sizeBytes = from.sizeBytes;
    this.blockCount = from.blockCount;
    this.blockBytes = from.blockBytes;
    this.mountId = from.mountId;
    from.storeTimes(this.atime, this.mtime, this.ctime, this.btime);
    this.#isStale = false;
  }

  /** It has another name now. */
  moved(parent: HostInode, name: string): void {
    if (this.#parent === null) return;
    if (this.#parent !== parent) {
      parent.incRef();
      this.#parent.decRef();
      this.#parent = parent;
    }
    this.#name = name;
    if (this.#isNamed) return;
    this.#isNamed = true;
    if (this.#pathFd >= 0) pathDescriptors.add(this);
  }

  /** Its name is gone, or another file's: without a descriptor, which `pathFd` was to get before, nothing leads to it. */
  #lostName(): void {
    this.#isNamed = false;
    pathDescriptors.remove(this);
  }

  /** Something was changed through us: attributes are asked for when they are needed next. */
  markStale(): void {
    this.#isStale = true;
  }

  /** Whether the file is known to have nothing at `offset` and behind it. */
  isKnownToEndAt(offset: number): boolean {
    return !this.#isStale && offset >= this.sizeBytes;
  }

  override refresh(): number {
    if (!this.#isStale && !this.fs.mustRevalidate) return 0;
    const error = this.#load();
    if (error === 0) this.apply(stat);
    return error;
  }

  /** O_PATH descriptor of this file, for one host call: later it may be closed. Negative on failure. */
  pathFd(): number {
    if (this.#pathFd >= 0) {
      pathDescriptors.use(this);
      return this.#pathFd;
    }
    if (this.#parent === null) return this.#pathFd;
    const fd = this.#openFromAbove(this.#parent);
    if (fd < 0) return fd;
    this.#pathFd = fd;
    pathDescriptors.add(this);
    return fd;
  }

  /** Descriptor that is opened from the nearest directory above that has one. */
  #openFromAbove(parent: HostInode): number {
    const chain: HostInode[] = [this];
    let dir = parent;
    for (; dir.#pathFd < 0 && dir.#parent !== null; dir = dir.#parent) chain.push(dir);
    const above = dir.pathFd();
    let fd = above;
    for (let next = chain.pop(); next !== undefined && fd >= 0; next = chain.pop()) {
      const inner = next.#openAt(fd, abi.O_PATH);
      if (fd !== above) close(fd);
      fd = inner;
    }
    return fd;
  }

  /** The root is given its descriptor. */
  adoptPathFd(fd: number): void {
    this.#pathFd = fd;
  }

  closeDescriptors(): void {
    pathDescriptors.remove(this);
    this.closePathFd();
    this.closeReadHandle();
  }

  closePathFd(): void {
    if (this.#pathFd >= 0) close(this.#pathFd);
    this.#pathFd = -1;
  }

  /** Closes the handle for reading unless an open file uses it. */
  closeReadHandle(): void {
    const handle = this.#readHandle;
    if (handle === null || handle.userCount > 0) return;
    this.#readHandle = null;
    this.fs.idleHandles.remove(handle);
    handle.close();
  }

  /** An open file, or work of the pool, does not use `handle` any more. */
  releaseHandle(handle: HostHandle): void {
    handle.userCount--;
    if (handle.userCount > 0) return;
    if (handle === this.#readHandle) this.fs.idleHandles.add(handle);
    else handle.close();
  }

  override lookup(name: string): HostInode | number {
    const dirFd = this.pathFd();
    if (dirFd < 0) return dirFd;
    const error = stat.load(dirFd, name);
    return error < 0 ? error : this.fs.inodeFor(stat, this, name);
  }

  override isCurrent(name: string, child: Inode | null): boolean {
    const dirFd = this.pathFd();
    if (dirFd < 0) return false;
    if (stat.load(dirFd, name) < 0) return child === null;
    return child !== null && this.fs.inoOf(stat) === child.ino;
  }

  /** FIFOs of the host, where guests may open them: `--host-fifo open`. */
  override get opensSpecial(): boolean {
    return (this.mode & abi.S_IFMT) === abi.S_IFIFO && this.fs.fifoWatcher !== null;
  }

  get watcher(): HostFdWatcher {
    const { fifoWatcher } = this.fs;
    if (fifoWatcher === null) throw new Error('HostInode.watcher: its FIFOs are not opened');
    return fifoWatcher;
  }

  /**
   * fifo(7). Differs: an open for reading does not wait for a writer, the first read does.
   */
  #openFifo(path: VfsPath | null, flags: number, caller: Caller): OpenFile | number {
    const fd = this.#open((flags & abi.O_ACCMODE) | abi.O_NONBLOCK);
    if (fd >= 0) {
      this.incRef();
      return new HostStream(this, path, flags, fd);
    }
    // Nobody reads: who may wait does so until somebody opens it for that.
    if (fd !== -abi.ENXIO || (flags & abi.O_NONBLOCK) !== 0) return fd;
    return caller.comeAgain?.(this.fs.fifoReaders.soon()) ?? fd;
  }

  streamClosed(): void {
    this.decRef();
  }

  open(path: VfsPath | null, flags: number, caller: Caller): OpenFile | number {
    const kept = flags & ~(abi.O_CREAT | abi.O_EXCL | abi.O_TRUNC | abi.O_NOCTTY);
    if (this.isDirectory) {
      const fd = this.#open(abi.O_RDONLY | abi.O_DIRECTORY);
      return fd < 0 ? fd : new HostDirectoryFile(this, path, kept, fd);
    }
    if (this.opensSpecial) return this.#openFifo(path, kept, caller);
    if (!this.isRegular) return -abi.ENXIO;
    const handle = this.#openHandle(flags & (abi.O_ACCMODE | abi.O_DIRECT | abi.O_SYNC | abi.O_DSYNC));
    return typeof handle === 'number' ? handle : new HostRegularFile(this, path, kept, handle);
  }

  override readlink(_caller: Caller): string | number {
    if (this.#target !== null) return this.#target;
    const target = this.#readTarget();
    if (typeof target === 'string' && !this.fs.mustRevalidate) this.#target = target;
    return target;
  }

  #readTarget(): string | number {
    const [fd, name] = this.#place();
    const len = readlinkat(fd, name, linkBytes);
    if (len < 0) return len;
    let text = '';
    for (let i = 0; i < len; i++) text += String.fromCharCode(linkBytes[i]!);
    return text;
  }

  override setAttributes(change: SetAttributes, _caller: Caller): number {
    const [fd, name] = this.#place();
    const flags = name === '' ? AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
    let error = 0;
    if (change.sizeBytes !== undefined) error = this.#truncate(change.sizeBytes);
    if (error === 0 && (change.uid !== undefined || change.gid !== undefined)) {
      error = fchownat(fd, name, change.uid ?? UNCHANGED_ID, change.gid ?? UNCHANGED_ID, flags);
    }
    if (error === 0 && change.mode !== undefined && !this.isSymlink) {
      error = fchmodat(fd, name, change.mode & 0o7777, flags);
    }
    if (error === 0 && (change.atime !== undefined || change.mtime !== undefined)) {
      const [atimeSec, atimeNsec] = timeArguments(change.atime);
      const [mtimeSec, mtimeNsec] = timeArguments(change.mtime);
      error = utimensat(fd, name, atimeSec, atimeNsec, mtimeSec, mtimeNsec, flags);
    }
    this.markStale();
    return error;
  }

  override mknod(name: string, mode: number, _rdev: number, caller: Caller): HostInode | number {
    const type = mode & abi.S_IFMT;
    // Devices of the host are not a guest's to make.
    if (type === abi.S_IFCHR || type === abi.S_IFBLK) return -abi.EPERM;
    return this.#created(name, caller, (fd) => mknodat(fd, name, mode));
  }

  /** Descriptor of a socket of the host's, of `type`, that is connected to this one. Errors: see `connectSocket`. */
  connectSocket(type: number): number {
    return connectSocket(this.pathFd(), type);
  }

  /** Descriptor of a socket of the host's, of `type`, that is bound to a new name here. Errors: see `bindSocket`. */
  bindSocket(name: string, type: number, mode: number, caller: Caller): number {
    const dirFd = this.pathFd();
    const fd = bindSocket(dirFd, name, type, mode);
    if (fd < 0) return fd;
    if (this.fs.setsOwner) fchownat(dirFd, name, caller.creds.fsuid, caller.creds.fsgid, AT_SYMLINK_NOFOLLOW);
    this.markStale();
    return fd;
  }

  override mkdir(name: string, mode: number, caller: Caller): HostInode | number {
    return this.#created(name, caller, (fd) => mkdirat(fd, name, mode & 0o7777));
  }

  override symlink(name: string, target: string, caller: Caller): HostInode | number {
    return this.#created(name, caller, (fd) => symlinkat(target, fd, name));
  }

  override link(name: string, inode: Inode, _caller: Caller): number {
    if (!(inode instanceof HostInode)) return -abi.EXDEV;
    const dirFd = this.pathFd();
    if (dirFd < 0) return dirFd;
    const [fd, oldName] = inode.#place();
    const error = linkat(fd, oldName, dirFd, name, oldName === '' ? AT_EMPTY_PATH : 0);
    inode.markStale();
    this.markStale();
    return error;
  }

  override unlink(name: string, child: Inode, _caller: Caller): number {
    // The descriptor must exist before the name goes: open files and links may still need the inode.
    return this.#removed(name, child, 0);
  }

  override rmdir(name: string, child: Inode, _caller: Caller): number {
    return this.#removed(name, child, AT_REMOVEDIR);
  }

  override rename(
    name: string,
    child: Inode,
    newDir: Inode,
    newName: string,
    replaced: Inode | null,
    flags: number,
    _caller: Caller,
  ): number {
    if (!(newDir instanceof HostInode) || !(child instanceof HostInode)) return -abi.EXDEV;
    const [fromFd, toFd] = [this.pathFd(), newDir.pathFd()];
    if (fromFd < 0 || toFd < 0) return fromFd < 0 ? fromFd : toFd;
    if (replaced instanceof HostInode) replaced.pathFd();
    const error = renameat2(fromFd, name, toFd, newName, flags);
    if (error < 0) return error;
    child.moved(newDir, newName);
    if (replaced instanceof HostInode && (flags & RENAME_EXCHANGE) !== 0) replaced.moved(this, name);
    for (const inode of [this, newDir, child, replaced]) if (inode instanceof HostInode) inode.markStale();
    if (replaced instanceof HostInode) replaced.closeReadHandle();
    if (replaced instanceof HostInode && (flags & RENAME_EXCHANGE) === 0) replaced.#lostName();
    return 0;
  }

  /** A handle with a use more. Errors: those of open(2). */
  #openHandle(flags: number): HostHandle | number {
    const shared = flags === abi.O_RDONLY ? this.#readHandle : null;
    if (shared !== null) {
      if (shared.userCount++ === 0) this.fs.idleHandles.remove(shared);
      return shared;
    }
    const fd = this.#open(flags);
    if (fd < 0) return fd;
    const handle = new HostHandle(this, fd, (flags & abi.O_DIRECT) !== 0);
    if (flags === abi.O_RDONLY && !this.fs.mustRevalidate) this.#readHandle = handle;
    return handle;
  }

  /** Opens it with `flags`; what is there must still be this file. */
  #open(flags: number): number {
    if (this.#pathFd >= 0) {
      pathDescriptors.use(this);
      if (!this.isDirectory) return reopen(this.#pathFd, flags);
      return openat2(this.#pathFd, '.', flags | OPEN_ALWAYS, 0, RESOLVE_BENEATH_ONLY);
    }
    if (this.#parent === null) return this.#pathFd;
    const parentFd = this.#parent.pathFd();
    return parentFd < 0 ? parentFd : this.#openAt(parentFd, flags);
  }

  /** The same from the descriptor of its directory. */
  #openAt(parentFd: number, flags: number): number {
    if (!this.#isNamed) return -abi.ESTALE;
    const fd = openat2(parentFd, this.#name, flags | OPEN_ALWAYS, 0, RESOLVE_BENEATH_ONLY);
    if (fd < 0 || !this.fs.mustRevalidate) return fd;
    const error = stat.load(fd, '', AT_EMPTY_PATH);
    if (error === 0 && this.fs.inoOf(stat) === this.ino) return fd;
    close(fd);
    return error < 0 ? error : -abi.ESTALE;
  }

  #load(): number {
    const [fd, name] = this.#place();
    if (fd < 0) return fd;
    return stat.load(fd, name, name === '' ? AT_EMPTY_PATH : 0);
  }

  /** How to name it in a host call: its own descriptor and an empty name, or its directory's and its name. */
  #place(): [number, string] {
    if (this.#parent !== null && this.#pathFd < 0 && this.#isNamed) return [this.#parent.pathFd(), this.#name];
    pathDescriptors.use(this);
    return [this.#pathFd, ''];
  }

  #truncate(lenBytes: number): number {
    const fd = this.#open(abi.O_WRONLY);
    if (fd < 0) return fd;
    const error = ftruncate(fd, lenBytes);
    close(fd);
    return error;
  }

  #created(name: string, caller: Caller, create: (dirFd: number) => number): HostInode | number {
    const dirFd = this.pathFd();
    if (dirFd < 0) return dirFd;
    const error = create(dirFd);
    if (error < 0) return error;
    if (this.fs.setsOwner) fchownat(dirFd, name, caller.creds.fsuid, caller.creds.fsgid, AT_SYMLINK_NOFOLLOW);
    this.markStale();
    return this.lookup(name);
  }

  #removed(name: string, child: Inode, flags: number): number {
    const dirFd = this.pathFd();
    if (dirFd < 0) return dirFd;
    if (child instanceof HostInode) child.pathFd();
    const error = unlinkat(dirFd, name, flags);
    if (error < 0) return error;
    this.markStale();
    if (!(child instanceof HostInode)) return 0;
    child.markStale();
    if (child.#parent === this && child.#name === name) child.#lostName();
    // An idle descriptor would keep the space of a file without names.
    child.closeReadHandle();
    return 0;
  }
}

const AT_SYMLINK_NOFOLLOW = 0x100;
const OPEN_ALWAYS = abi.O_CLOEXEC | abi.O_NOFOLLOW;
const RENAME_EXCHANGE = 2;
/** (uid_t)-1: chown(2) leaves that ID as it is. */
const UNCHANGED_ID = 0xffffffff;

function timeArguments(time: TimeValue | 'now' | undefined): [sec: number, nsec: number] {
  if (time === undefined) return [0, UTIME_OMIT];
  return time === 'now' ? [0, UTIME_NOW] : [time.sec, time.nsec];
}
