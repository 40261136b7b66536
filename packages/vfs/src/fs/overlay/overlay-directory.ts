import {
  DT_CHR,
  EEXIST,
  EINVAL,
  ENOENT,
  ENOTEMPTY,
  EXDEV,
  O_RDONLY,
  RENAME_EXCHANGE,
  RENAME_WHITEOUT,
  S_IFCHR,
  S_IFMT,
  type Errno,
} from '@tsv/abi';
import type { Caller } from '../../caller.js';
import { DirectoryFile } from '../../file/directory-file.js';
import type { DirentSink, OpenFile } from '../../file/open-file.js';
import type { Inode } from '../../inode.js';
import type { VfsPath } from '../../path/vfs-path.js';
import { KERNEL_CALLER, isOpaque, isWhiteout, layerRdev, makeOpaque, makeWhiteout } from './copy-up.js';
import type { OverlayFileSystem } from './overlay-file-system.js';
import { OverlayInode, type LowerInode } from './overlay-inode.js';

interface MergedEntry {
  readonly name: string;
  readonly ino: number;
  readonly type: number;
}

/** A directory of an overlay: those of all layers down to the first opaque one, merged. */
export class OverlayDirectory extends OverlayInode {
  override lookup(name: string): Inode | Errno {
    let upper: Inode | null = null;
    const lowers: LowerInode[] = [];
    if (this.upper !== null) {
      const found = this.upper.lookup(name);
      if (typeof found === 'number') {
        if (found !== -ENOENT) return found;
      } else {
        if (isWhiteout(found)) return released([found]);
        upper = found;
        if (!found.isDirectory || isOpaque(found)) return this.#entered(name, upper, lowers);
      }
    }
    for (const { inode: dir, layer } of this.lowers) {
      const found = dir.lookup(name);
      if (typeof found === 'number') {
        if (found === -ENOENT) continue;
        released(lowers.map((lower) => lower.inode));
        if (upper !== null) released([upper]);
        return found;
      }
      const isHidden = isWhiteout(found) || (!found.isDirectory && (upper !== null || lowers.length > 0));
      if (isHidden) {
        found.decRef();
        break;
      }
      lowers.push({ inode: found, layer });
      if (!found.isDirectory || isOpaque(found)) break;
    }
    if (upper === null && lowers.length === 0) return -ENOENT;
    return this.#entered(name, upper, lowers);
  }

  override open(path: VfsPath | null, flags: number, _caller: Caller): OpenFile | Errno {
    return new OpenOverlayDirectory(this, path, flags);
  }

  override mknod(name: string, mode: number, rdev: number, caller: Caller): Inode | Errno {
    return this.#create(name, false, (dir) => dir.mknod(name, mode, layerDevice(mode, rdev), caller));
  }

  override mkdir(name: string, mode: number, caller: Caller): Inode | Errno {
    return this.#create(name, true, (dir) => dir.mkdir(name, mode, caller));
  }

  override symlink(name: string, target: string, caller: Caller): Inode | Errno {
    return this.#create(name, false, (dir) => dir.symlink(name, target, caller));
  }

  override tmpfile(mode: number, caller: Caller): Inode | Errno {
    const error = this.copyUp(Infinity);
    if (error < 0) return error;
    const inode = this.upper!.tmpfile(mode, caller);
    return typeof inode === 'number' ? inode : this.#wrap('', inode, []);
  }

  override link(name: string, inode: Inode, caller: Caller): number {
    if (!(inode instanceof OverlayInode) || inode.fs !== this.fs) return -EXDEV;
    const failed = inode.copyUp(Infinity, caller);
    if (failed < 0) return failed;
    const linked = this.#create(name, false, (dir) => {
      const error = dir.link(name, inode.upper!, caller);
      if (error < 0) return error;
      inode.upper!.incRef();
      return inode.upper!;
    });
    if (typeof linked === 'number') return linked;
    linked.decRef();
    inode.refresh();
    return 0;
  }

  override unlink(name: string, child: Inode, caller: Caller): number {
    if (!(child instanceof OverlayInode)) return -EXDEV;
    return this.#remove(name, child, (dir, real) => dir.unlink(name, real, caller));
  }

  override rmdir(name: string, child: Inode, caller: Caller): number {
    if (!(child instanceof OverlayDirectory)) return -EXDEV;
    if (!child.isEmpty()) return -ENOTEMPTY;
    return this.#remove(name, child, (dir, real) => {
      const failed = clearWhiteouts(real);
      return failed < 0 ? failed : dir.rmdir(name, real, caller);
    });
  }

  override rename(
    name: string,
    child: Inode,
    newDir: Inode,
    newName: string,
    replaced: Inode | null,
    flags: number,
    caller: Caller,
  ): number {
    if (!(newDir instanceof OverlayDirectory) || !(child instanceof OverlayInode) || newDir.fs !== this.fs)
      return -EXDEV;
    if (replaced !== null && !(replaced instanceof OverlayInode)) return -EXDEV;
    if ((flags & RENAME_WHITEOUT) !== 0) return -EINVAL;
    const isExchange = (flags & RENAME_EXCHANGE) !== 0;
    // A directory that a lower layer has too cannot move: the program copies it, rename(2) EXDEV.
    if (child.isDirectory && child.origin !== null) return -EXDEV;
    if (isExchange && replaced!.isDirectory && replaced!.origin !== null) return -EXDEV;
    if (!isExchange && replaced instanceof OverlayDirectory && !replaced.isEmpty()) return -ENOTEMPTY;
    const error =
      this.#nameInUpper(name, child, caller) ||
      (isExchange ? newDir.#nameInUpper(newName, replaced!, caller) : newDir.copyUp(Infinity));
    if (error < 0) return error;
    return isExchange
      ? this.#exchange(name, child, newDir, newName, replaced!, caller)
      : this.#moveTo(name, child, newDir, newName, replaced, caller);
  }

  /** Whether there is nothing in it but whiteouts. */
  isEmpty(): boolean {
    return this.mergedEntries().length === 0;
  }

  /** The entries of all layers, without `.` and `..`. */
  mergedEntries(): MergedEntry[] {
    const layerCount = this.lowers.length + (this.upper === null ? 0 : 1);
    const seen = layerCount > 1 ? new Set<string>() : null;
    const entries: MergedEntry[] = [];
    if (this.upper !== null) collect(this.fs, this.upper, 0, seen, entries);
    for (const { inode, layer } of this.lowers) collect(this.fs, inode, layer, seen, entries);
    return entries;
  }

  /** Makes sure that the upper layer has the name `name` of `child`. */
  #nameInUpper(name: string, child: OverlayInode, caller: Caller): 0 | Errno {
    const error = this.copyUp(Infinity) || child.copyUp(Infinity, caller);
    if (error < 0) return error;
    const present = this.upper!.lookup(name);
    if (typeof present !== 'number') {
      present.decRef();
      return 0;
    }
    // Another hard link of it was copied up: this name joins it.
    const linked = this.upper!.link(name, child.upper!, KERNEL_CALLER);
    if (linked < 0) return linked;
    child.lowerNameRemoved();
    return 0;
  }

  #moveTo(
    name: string,
    child: OverlayInode,
    newDir: OverlayDirectory,
    newName: string,
    replaced: OverlayInode | null,
    caller: Caller,
  ): number {
    const from = this.upper!;
    const to = newDir.upper!;
    const newIsInLower = newDir.#isInLower(newName);
    if (child.isDirectory && newIsInLower) {
      const error = makeOpaque(child.upper!);
      if (error < 0) return error;
    }
    let target: Inode | null = null;
    const present = to.lookup(newName);
    if (typeof present !== 'number') {
      if (child.isDirectory && isWhiteout(present)) to.unlink(newName, present, KERNEL_CALLER);
      else target = present;
      if (replaced?.isDirectory === true && !isWhiteout(present)) clearWhiteouts(present);
    }
    const error = from.rename(name, child.upper!, to, newName, target, 0, caller);
    if (typeof present !== 'number') present.decRef();
    if (error < 0) return error;
    from.directoryDentry?.forgetChild(name);
    to.directoryDentry?.forgetChild(newName);
    if (replaced !== null) newDir.#nameGone(newName, replaced, target !== null && !isWhiteout(target));
    child.moved(newDir, newName);
    this.refresh();
    newDir.refresh();
    child.refresh();
    return this.#isInLower(name) ? makeWhiteout(from, name) : 0;
  }

  #exchange(
    name: string,
    a: OverlayInode,
    newDir: OverlayDirectory,
    newName: string,
    b: OverlayInode,
    caller: Caller,
  ): number {
    if (a.isDirectory && newDir.#isInLower(newName)) makeOpaque(a.upper!);
    if (b.isDirectory && this.#isInLower(name)) makeOpaque(b.upper!);
    const error = this.upper!.rename(name, a.upper!, newDir.upper!, newName, b.upper, RENAME_EXCHANGE, caller);
    if (error < 0) return error;
    a.moved(newDir, newName);
    b.moved(this, name);
    this.refresh();
    newDir.refresh();
    return 0;
  }

  /** Makes a name in the upper layer, in place of a whiteout if there is one. */
  #create(name: string, isDirectory: boolean, make: (dir: Inode) => Inode | Errno): Inode | Errno {
    const error = this.copyUp(Infinity);
    if (error < 0) return error;
    const dir = this.upper!;
    const present = dir.lookup(name);
    let wasWhiteout = false;
    if (typeof present !== 'number') {
      wasWhiteout = isWhiteout(present);
      if (wasWhiteout) dir.unlink(name, present, KERNEL_CALLER);
      present.decRef();
      if (!wasWhiteout) return -EEXIST;
    } else if (present !== -ENOENT) {
      return present;
    }
    const made = make(dir);
    if (typeof made === 'number') {
      if (wasWhiteout) makeWhiteout(dir, name);
      return made;
    }
    dir.directoryDentry?.forgetChild(name);
    if (isDirectory && wasWhiteout) makeOpaque(made);
    this.refresh();
    return this.#wrap(name, made, []);
  }

  /** Removes a name from the upper layer and covers what the lower ones have. */
  #remove(name: string, child: OverlayInode, remove: (dir: Inode, real: Inode) => number): number {
    const error = this.copyUp(Infinity);
    if (error < 0) return error;
    const dir = this.upper!;
    const present = dir.lookup(name);
    const wasInUpper = typeof present !== 'number';
    if (wasInUpper) {
      const failed = remove(dir, present);
      present.decRef();
      if (failed < 0) return failed;
      dir.directoryDentry?.forgetChild(name);
    }
    const covered = this.#isInLower(name) ? makeWhiteout(dir, name) : 0;
    if (covered < 0) return covered;
    this.#nameGone(name, child, wasInUpper);
    this.refresh();
    return 0;
  }

  #nameGone(name: string, child: OverlayInode, wasInUpper: boolean): void {
    if (!wasInUpper) child.lowerNameRemoved();
    child.noLongerNamed(this, name);
    child.refresh();
  }

  #isInLower(name: string): boolean {
    for (const { inode } of this.lowers) {
      const found = inode.lookup(name);
      if (typeof found === 'number') continue;
      const isThere = !isWhiteout(found);
      found.decRef();
      return isThere;
    }
    return false;
  }

  #entered(name: string, upper: Inode | null, lowers: readonly LowerInode[]): Inode {
    const origin = upper === null && !lowers[0]!.inode.isDirectory ? lowers[0]! : null;
    const linked = origin === null ? undefined : this.fs.linkedFile(origin.layer, origin.inode);
    if (linked === undefined || linked.upper === null) return this.#wrap(name, upper, lowers);
    // Another name of it was copied up: this one leads to the copy too.
    linked.upper.incRef();
    return this.#wrap(name, linked.upper, lowers);
  }

  /** The overlay inode for inodes of the layers, whose references it takes over. */
  #wrap(name: string, upper: Inode | null, lowers: readonly LowerInode[]): Inode {
    const real = upper ?? lowers[0]!.inode;
    const known = this.fs.find(real);
    if (known !== undefined) {
      if (upper !== null) upper.decRef();
      for (const { inode } of lowers) inode.decRef();
      known.incRef();
      if (name !== '' && !known.isDirectory) known.alsoNamed(this, name);
      return known;
    }
    const ino = upper === null ? this.fs.inoOf(lowers[0]!.layer, real.ino) : this.fs.inoOf(0, upper.ino);
    const parent = name === '' ? null : this;
    const inode = real.isDirectory
      ? new OverlayDirectory(this.fs, ino, upper, lowers, parent, name)
      : new OverlayInode(this.fs, ino, upper, lowers, parent, name);
    inode.incRef();
    return inode;
  }
}

function layerDevice(mode: number, rdev: number): number {
  return (mode & S_IFMT) === S_IFCHR ? layerRdev(rdev) : rdev;
}

function released(inodes: readonly Inode[]): Errno {
  for (const inode of inodes) inode.decRef();
  return -ENOENT;
}

/** Adds the entries of one layer's directory that no layer above has; `seen` is null when there is no other layer. */
function collect(
  fs: OverlayFileSystem,
  dir: Inode,
  layer: number,
  seen: Set<string> | null,
  entries: MergedEntry[],
): void {
  readNames(dir, (name, ino, type) => {
    if (seen?.has(name) === true) return;
    seen?.add(name);
    if (type === DT_CHR && isWhiteoutNamed(dir, name)) return;
    entries.push({ name, ino: fs.inoOf(layer, ino), type });
  });
}

function isWhiteoutNamed(dir: Inode, name: string): boolean {
  const inode = dir.lookup(name);
  if (typeof inode === 'number') return false;
  const result = isWhiteout(inode);
  inode.decRef();
  return result;
}

/** Removes the whiteouts in a directory of the upper layer that has nothing else. */
function clearWhiteouts(dir: Inode): 0 | Errno {
  const names: string[] = [];
  readNames(dir, (name) => names.push(name));
  for (const name of names) {
    const inode = dir.lookup(name);
    if (typeof inode === 'number') return inode;
    const error = dir.unlink(name, inode, KERNEL_CALLER);
    inode.decRef();
    if (error < 0) return error;
  }
  return 0;
}

function readNames(dir: Inode, take: (name: string, ino: number, type: number) => void): void {
  const file = dir.open(null, O_RDONLY, KERNEL_CALLER);
  if (typeof file === 'number') return;
  let count: number;
  const sink: DirentSink = {
    add(name, ino, type) {
      count++;
      if (name !== '.' && name !== '..') take(name, ino, type);
      return true;
    },
  };
  do {
    count = 0;
  } while (file.readDirents(sink, KERNEL_CALLER) >= 0 && count > 0);
  file.decRef();
}

class OpenOverlayDirectory extends DirectoryFile {
  declare readonly inode: OverlayDirectory;
  /** What was there when reading began; a rewind looks anew. */
  #entries: MergedEntry[] | null = null;

  protected override emit(sink: DirentSink, _caller: Caller): 0 | Errno {
    if (this.inode.nlink === 0) return -ENOENT;
    if (this.#entries === null || this.pos === 2) this.#entries = this.inode.mergedEntries();
    for (let i = this.pos - 2; i < this.#entries.length; i++) {
      const { name, ino, type } = this.#entries[i]!;
      if (!sink.add(name, ino, type, i + 3)) break;
      this.pos = i + 3;
    }
    return 0;
  }
}
