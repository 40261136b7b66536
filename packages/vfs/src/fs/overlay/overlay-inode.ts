import {
  ENOENT,
  EOPNOTSUPP,
  EROFS,
  O_ACCMODE,
  O_RDONLY,
  O_TRUNC,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Errno,
} from '@tsv/abi';
import type { Caller } from '../../caller.js';
import type { OpenFile } from '../../file/open-file.js';
import { Inode, type SetAttributes } from '../../inode.js';
import type { VfsPath } from '../../path/vfs-path.js';
import { KERNEL_CALLER, copyContent, copyMetadata, layerXattr, shownRdev, shownXattr } from './copy-up.js';
import type { OverlayDirectory } from './overlay-directory.js';
import type { OverlayFileSystem } from './overlay-file-system.js';
import { OpenOverlayFile } from './overlay-file.js';
import { COPY_AT_ONCE_BYTES_MAX, SlicedCopy } from './sliced-copy.js';

/** An inode of a lower layer. */
export interface LowerInode {
  readonly inode: Inode;
  readonly layer: number;
}

interface OtherName {
  readonly parent: OverlayDirectory;
  readonly name: string;
}

/** Most files have one name: they share this list. */
const NO_NAMES: OtherName[] = [];
const NO_LOWERS: readonly LowerInode[] = [];

/** A file of an overlay: the inode of a layer, and of the upper one as soon as it is changed. */
export class OverlayInode extends Inode {
  declare readonly fs: OverlayFileSystem;
  /** In the upper layer, or null. */
  upper: Inode | null;
  /** The topmost one of the lower layers, or null, and its layer. */
  readonly origin: Inode | null;
  readonly originLayer: number;
  /** Of a directory: those of all lower layers, the topmost first. */
  readonly lowers: readonly LowerInode[];
  /** Where a copy goes; null when the name is gone. Written by {@link OverlayDirectory}. */
  parentDirectory: OverlayDirectory | null;
  nameInParent: string;
  #refCount = 0;
  #wasRemoved = false;
  /** Further names that lower layers have and that were looked up, while there is no copy. */
  #otherNames: OtherName[] = NO_NAMES;

  /** Takes over a reference of each inode of a layer. */
  constructor(
    fs: OverlayFileSystem,
    ino: number,
    upper: Inode | null,
    lowers: readonly LowerInode[],
    parent: OverlayDirectory | null,
    name: string,
  ) {
    const real = upper ?? lowers[0]!.inode;
    super(fs, ino, real.mode, real);
    this.upper = upper;
    this.origin = lowers.length === 0 ? null : lowers[0]!.inode;
    this.originLayer = lowers.length === 0 ? 0 : lowers[0]!.layer;
    this.lowers = this.isDirectory ? lowers : NO_LOWERS;
    this.parentDirectory = parent;
    this.nameInParent = name;
    parent?.incRef();
    if (upper !== null) fs.enter(upper, this);
    for (const { inode } of lowers) fs.enter(inode, this);
    this.rdev = shownRdev(real.rdev);
    this.#load(real);
  }

  /** The inode whose content and attributes it shows. */
  get real(): Inode {
    return this.upper ?? this.origin!;
  }

  override get opensSpecial(): boolean {
    return this.real.opensSpecial;
  }

  override refresh(): number {
    const { real } = this;
    const error = real.refresh();
    this.#load(real);
    return error;
  }

  override setAttributes(change: SetAttributes, caller: Caller): number {
    const error = this.copyUp(change.sizeBytes ?? Infinity, caller);
    if (error < 0) return error;
    const result = this.upper!.setAttributes(change, caller);
    this.refresh();
    return result;
  }

  override open(path: VfsPath | null, flags: number, caller: Caller): OpenFile | Errno {
    if ((flags & O_ACCMODE) !== O_RDONLY || (flags & O_TRUNC) !== 0) {
      const error = this.copyUp((flags & O_TRUNC) !== 0 ? 0 : Infinity, caller);
      if (error < 0) return error;
    }
    const file = this.real.open(null, flags, caller);
    return typeof file === 'number' ? file : new OpenOverlayFile(this, path, flags, file);
  }

  override readlink(caller: Caller): string | Errno {
    return this.real.readlink(caller);
  }

  override getXattr(name: string): Uint8Array | Errno {
    return this.real.getXattr(layerXattr(name));
  }

  override listXattrs(): string[] | Errno {
    const names = this.real.listXattrs();
    return typeof names === 'number' ? names : names.map(shownXattr).filter((name) => name !== null);
  }

  override setXattr(name: string, value: Uint8Array, flags: number): number {
    return this.copyUp(Infinity) || this.upper!.setXattr(layerXattr(name), value, flags);
  }

  override removeXattr(name: string): number {
    const present = this.real.getXattr(layerXattr(name));
    if (typeof present === 'number') return present;
    return this.copyUp(Infinity) || this.upper!.removeXattr(layerXattr(name));
  }

  override incRef(): void {
    this.#refCount++;
  }

  override decRef(): void {
    this.#refCount--;
    if (this.#refCount > 0) return;
    if (this.#refCount < 0) throw new Error('OverlayInode.decRef: no reference is left');
    const { upper } = this;
    if (upper !== null) {
      this.fs.forget(upper);
      if (this.nlink === 0) this.fs.copyRemoved(upper);
      upper.decRef();
    }
    if (this.isDirectory) for (const { inode } of this.lowers) this.#letGo(inode);
    else if (this.origin !== null) this.#letGo(this.origin);
    this.#dropSlicedCopy();
    this.#forgetOtherNames();
    const parent = this.parentDirectory;
    this.parentDirectory = null;
    parent?.decRef();
  }

  /** Gives the reference of an inode of a lower layer back. */
  #letGo(lower: Inode): void {
    if (this.fs.find(lower) === this) this.fs.forget(lower);
    lower.decRef();
  }

  #forgetOtherNames(): void {
    for (const { parent } of this.#otherNames) parent.decRef();
    this.#otherNames = NO_NAMES;
  }

  /** It is called `name` in `parent` too: a hard link. */
  alsoNamed(parent: OverlayDirectory, name: string): void {
    if (this.upper !== null || (this.parentDirectory === parent && this.nameInParent === name)) return;
    if (this.parentDirectory === null) {
      this.moved(parent, name);
      return;
    }
    if (this.#otherNames.some((other) => other.parent === parent && other.name === name)) return;
    parent.incRef();
    this.#otherNames = [...this.#otherNames, { parent, name }];
  }

  /** It is not called `name` in `parent` any more; a copy goes where another name is, if it has one. */
  noLongerNamed(parent: OverlayDirectory, name: string): void {
    const index = this.#otherNames.findIndex((other) => other.parent === parent && other.name === name);
    if (index >= 0) {
      this.#otherNames.splice(index, 1);
      parent.decRef();
      return;
    }
    if (this.parentDirectory !== parent || this.nameInParent !== name) return;
    const other = this.#otherNames.pop();
    this.moved(other?.parent ?? null, other?.name ?? '');
    other?.parent.decRef();
  }

  /** It is called `name` in `parent` now; null when it has no name any more. */
  moved(parent: OverlayDirectory | null, name: string): void {
    this.#wasRemoved = parent === null;
    parent?.incRef();
    this.parentDirectory?.decRef();
    this.parentDirectory = parent;
    this.nameInParent = name;
  }

  /** A name of it that only a lower layer has was covered by a whiteout. */
  lowerNameRemoved(): void {
    if (this.origin !== null) this.fs.ensureLinkedFile(this.originLayer, this.origin).linkDelta--;
  }

  /**
   * Makes sure that it is in the upper layer, with the directories above it. Content beyond `sizeMax` bytes is not
   * copied. A `caller` who can wait is told to come again while there is much to copy. Errors: EROFS, ENOSPC and what the
   * layers say.
   */
  copyUp(sizeMax: number, caller: Caller | null = null): 0 | Errno {
    if (this.upper !== null) return 0;
    if (!this.fs.isChangeable) return -EROFS;
    const type = this.mode & S_IFMT;
    const lenBytes = Math.min(sizeMax, this.origin!.sizeBytes);
    if (type === S_IFREG && lenBytes > COPY_AT_ONCE_BYTES_MAX && caller?.comeAgain !== undefined) {
      const status = this.#copyInSlices(lenBytes, caller);
      if (status !== null) return status;
    }
    this.#dropSlicedCopy();
    return this.#copyAtOnce(sizeMax, type);
  }

  #copyAtOnce(sizeMax: number, type: number): 0 | Errno {
    const parent = this.parentDirectory;
    if (parent === null) return type === S_IFREG ? this.#copyWithoutName(sizeMax) : -ENOENT;
    const error = parent.copyUp(Infinity);
    if (error < 0) return error;
    const dir = parent.upper!;
    const times = timesOf(dir);
    const copy = this.#createCopy(dir, type);
    if (typeof copy === 'number') return copy;
    dir.directoryDentry?.forgetChild(this.nameInParent);
    const failed = this.#fillCopy(copy, sizeMax);
    if (failed < 0) {
      if (type === S_IFDIR) dir.rmdir(this.nameInParent, copy, KERNEL_CALLER);
      else dir.unlink(this.nameInParent, copy, KERNEL_CALLER);
      copy.decRef();
      return failed;
    }
    dir.setAttributes(times, KERNEL_CALLER);
    this.#adopt(copy);
    return 0;
  }

  #createCopy(dir: Inode, type: number): Inode | Errno {
    const lower = this.origin!;
    const name = this.nameInParent;
    if (type === S_IFDIR) return dir.mkdir(name, 0o700, KERNEL_CALLER);
    if (type !== S_IFLNK) return dir.mknod(name, lower.mode, lower.rdev, KERNEL_CALLER);
    const target = lower.readlink(KERNEL_CALLER);
    return typeof target === 'number' ? target : dir.symlink(name, target, KERNEL_CALLER);
  }

  #fillCopy(copy: Inode, sizeMax: number): 0 | Errno {
    const lower = this.origin!;
    lower.refresh();
    if (lower.isRegular && sizeMax > 0) {
      const error = copyContent(lower, copy, Math.min(sizeMax, lower.sizeBytes));
      if (error < 0) return error;
    }
    return copyMetadata(lower, copy);
  }

  /** Copies for a while. Returns null when that cannot be done: the whole has to be copied at once. */
  #copyInSlices(lenBytes: number, caller: Caller): 0 | Errno | null {
    const { slicedCopies } = this.fs;
    let sliced = slicedCopies.get(this);
    if (sliced === undefined) {
      const begun = this.#beginSlicedCopy();
      if (begun === null || typeof begun === 'number') return begun;
      sliced = begun;
      slicedCopies.set(this, sliced);
    }
    const missing = sliced.step(lenBytes);
    if (missing > 0) return caller.comeAgain!(sliced.waiters);
    if (missing < 0) this.#dropSlicedCopy();
    if (missing < 0) return missing;
    slicedCopies.delete(this);
    sliced.finish();
    const failed = this.#nameCopy(sliced.copy);
    if (failed < 0) sliced.copy.decRef();
    return failed;
  }

  #beginSlicedCopy(): SlicedCopy | Errno | null {
    const copy = this.fs.root.upper!.tmpfile(this.mode, KERNEL_CALLER);
    if (typeof copy === 'number') return copy === -EOPNOTSUPP ? null : copy;
    const sliced = SlicedCopy.begin(this.origin!, copy);
    if (typeof sliced === 'number') copy.decRef();
    return sliced;
  }

  /** The complete `copy` takes the place of the lower file, where that has a name. */
  #nameCopy(copy: Inode): 0 | Errno {
    const failed = copyMetadata(this.origin!, copy);
    if (failed < 0) return failed;
    const parent = this.parentDirectory;
    if (parent !== null) {
      const error = parent.copyUp(Infinity);
      if (error < 0) return error;
      const dir = parent.upper!;
      const times = timesOf(dir);
      const linked = dir.link(this.nameInParent, copy, KERNEL_CALLER);
      if (linked < 0) return linked;
      dir.directoryDentry?.forgetChild(this.nameInParent);
      dir.setAttributes(times, KERNEL_CALLER);
    }
    this.#adopt(copy);
    return 0;
  }

  #dropSlicedCopy(): void {
    const { slicedCopies } = this.fs;
    if (slicedCopies.size === 0) return;
    slicedCopies.get(this)?.drop();
    slicedCopies.delete(this);
  }

  /** Copies a file that has lost its name but is in use. */
  #copyWithoutName(sizeMax: number): 0 | Errno {
    const copy = this.fs.root.upper!.tmpfile(this.mode, KERNEL_CALLER);
    if (typeof copy === 'number') return copy;
    const failed = this.#fillCopy(copy, sizeMax);
    if (failed < 0) {
      copy.decRef();
      return failed;
    }
    this.#adopt(copy);
    return 0;
  }

  /** `copy` is the inode from now on; takes over its reference. */
  #adopt(copy: Inode): void {
    const origin = this.origin!;
    this.upper = copy;
    this.#forgetOtherNames();
    this.fs.enter(copy, this);
    this.fs.copiedUp(copy, this.ino);
    if (!this.isDirectory && origin.nlink > 1) {
      const linked = this.fs.ensureLinkedFile(this.originLayer, origin);
      linked.upper = copy;
      linked.linkDelta += origin.nlink - copy.nlink;
      copy.incRef();
    }
    this.#load(copy);
  }

  #load(real: Inode): void {
    this.mode = real.mode;
    this.uid = real.uid;
    this.gid = real.gid;
    this.sizeBytes = real.sizeBytes;
    this.blockCount = real.blockCount;
    this.blockBytes = real.blockBytes;
    this.atime = real.atime;
    this.mtime = real.mtime;
    this.ctime = real.ctime;
    this.btime = real.btime;
    this.nlink = this.#linkCount(real);
  }

  #linkCount(real: Inode): number {
    if (this.isDirectory) {
      if (this.#wasRemoved) return 0;
      const isMerged = this.lowers.length > (this.upper === null ? 1 : 0);
      return isMerged ? 1 : real.nlink;
    }
    if (this.origin === null) return real.nlink;
    return Math.max(0, real.nlink + (this.fs.linkedFile(this.originLayer, this.origin)?.linkDelta ?? 0));
  }
}

/** Times of the directory `dir`, which are given back when a copy was put into it. */
function timesOf(dir: Inode): SetAttributes {
  dir.refresh();
  return { atime: { ...dir.atime }, mtime: { ...dir.mtime } };
}
