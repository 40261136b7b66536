import { ELOOP, ENODATA, ENXIO, S_IFDIR, S_IFMT, S_ISGID, type Errno } from '@tsv/abi';
import type { Caller } from '../../caller.js';
import { XattrMap } from '../../attributes/xattr-map.js';
import type { OpenFile } from '../../file/open-file.js';
import { setTime } from '../../inode-time.js';
import { Inode, type SetAttributes } from '../../inode.js';
import type { VfsPath } from '../../path/vfs-path.js';
import type { TmpfsFileSystem } from './tmpfs-file-system.js';

/** What every file of a tmpfs has. It is gone when it has no name and nobody holds it. */
export abstract class TmpfsInode extends Inode {
  declare readonly fs: TmpfsFileSystem;
  #refCount = 0;
  #xattrs: XattrMap | null = null;
  #isReleased = false;

  /** `mode` has the type too. The caller has reserved the inode in `fs`. */
  constructor(fs: TmpfsFileSystem, mode: number) {
    super(fs, fs.nextIno(), mode);
    fs.stampNow(this.atime);
    Object.assign(this.mtime, this.atime);
    Object.assign(this.ctime, this.atime);
    Object.assign(this.btime, this.atime);
  }

  /** Gives it to `caller`, and to the group of `dir` if that has the set-group-ID bit: inode(7). */
  own(dir: Inode, caller: Caller): void {
    this.uid = caller.creds.fsuid;
    this.gid = caller.creds.fsgid;
    if ((dir.mode & S_ISGID) === 0) return;
    this.gid = dir.gid;
    if ((this.mode & S_IFMT) === S_IFDIR) this.mode |= S_ISGID;
  }

  override setAttributes(change: SetAttributes, _caller: Caller): number {
    if (change.mode !== undefined) this.mode = (this.mode & S_IFMT) | (change.mode & 0o7777);
    if (change.uid !== undefined) this.uid = change.uid;
    if (change.gid !== undefined) this.gid = change.gid;
    const { clock } = this.fs;
    if (change.atime !== undefined) setTime(this.atime, change.atime, clock);
    if (change.mtime !== undefined) setTime(this.mtime, change.mtime, clock);
    this.fs.stampNow(this.ctime);
    return 0;
  }

  override getXattr(name: string): Uint8Array | Errno {
    return this.#xattrs?.get(name) ?? -ENODATA;
  }

  override setXattr(name: string, value: Uint8Array, flags: number): number {
    this.#xattrs ??= new XattrMap();
    const error = this.#xattrs.set(name, value, flags);
    if (error === 0) this.fs.stampNow(this.ctime);
    return error;
  }

  override listXattrs(): string[] {
    return this.#xattrs?.names ?? [];
  }

  override removeXattr(name: string): number {
    const error = this.#xattrs?.remove(name) ?? -ENODATA;
    if (error === 0) this.fs.stampNow(this.ctime);
    return error;
  }

  override incRef(): void {
    this.#refCount++;
  }

  override decRef(): void {
    this.#refCount--;
    if (this.#refCount < 0) throw new Error('TmpfsInode.decRef: no reference is left');
    this.releaseIfUnused();
  }

  /** A name of it is gone. */
  dropLink(): void {
    this.nlink--;
    this.fs.stampNow(this.ctime);
    this.releaseIfUnused();
  }

  protected releaseIfUnused(): void {
    if (this.#refCount > 0 || this.nlink > 0 || this.#isReleased) return;
    this.#isReleased = true;
    this.releaseContent();
    this.fs.giveInode();
  }

  /** Nobody will use it any more: what it holds goes back. */
  releaseContent(): void {
    // Only regular files hold something.
  }
}

/** A symbolic link. */
export class TmpfsSymlink extends TmpfsInode {
  readonly #target: string;

  constructor(fs: TmpfsFileSystem, mode: number, target: string) {
    super(fs, mode);
    this.#target = target;
    this.sizeBytes = target.length;
  }

  override readlink(_caller: Caller): string {
    return this.#target;
  }

  override open(_path: VfsPath | null, _flags: number, _caller: Caller): OpenFile | Errno {
    return -ELOOP;
  }
}

/** A device, FIFO or socket: a name and a number; who is registered for it opens it. */
export class TmpfsSpecial extends TmpfsInode {
  constructor(fs: TmpfsFileSystem, mode: number, rdev: number) {
    super(fs, mode);
    this.rdev = rdev;
  }

  override open(_path: VfsPath | null, _flags: number, _caller: Caller): OpenFile | Errno {
    return -ENXIO;
  }
}
