import {
  EEXIST,
  EINVAL,
  ENOENT,
  ENOSPC,
  ENOTEMPTY,
  EXDEV,
  RENAME_EXCHANGE,
  RENAME_WHITEOUT,
  S_IFCHR,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  type Errno,
} from '@tsv/abi';
import type { Caller } from '../../caller.js';
import { DirectoryFile, direntType } from '../../file/directory-file.js';
import type { DirentSink, OpenFile } from '../../file/open-file.js';
import type { Inode } from '../../inode.js';
import type { VfsPath } from '../../path/vfs-path.js';
import type { TmpfsFileSystem } from './tmpfs-file-system.js';
import { TmpfsInode, TmpfsSpecial, TmpfsSymlink } from './tmpfs-inode.js';
import { TmpfsFile } from './tmpfs-file.js';

/** What a name adds to the size that stat(2) shows, as Linux's tmpfs has it. */
const DIRENT_BYTES = 20;

interface Entry {
  readonly inode: TmpfsInode;
  /** Position for readdir: rises with each name that is entered. */
  readonly offset: number;
}

/** A directory: names in the order in which they were entered. */
export class TmpfsDirectory extends TmpfsInode {
  /** Names and what they lead to, by rising offset. */
  readonly entries = new Map<string, Entry>();
  #nextOffset = 2;

  constructor(fs: TmpfsFileSystem, mode: number) {
    super(fs, S_IFDIR | mode);
    this.nlink = 2;
  }

  override lookup(name: string): Inode | Errno {
    const entry = this.entries.get(name);
    if (entry === undefined) return -ENOENT;
    entry.inode.incRef();
    return entry.inode;
  }

  override open(path: VfsPath | null, flags: number, _caller: Caller): OpenFile | Errno {
    return new OpenTmpfsDirectory(this, path, flags);
  }

  override mknod(name: string, mode: number, rdev: number, caller: Caller): Inode | Errno {
    const error = this.#reserve(name);
    if (error < 0) return error;
    const isRegular = (mode & S_IFMT) === S_IFREG;
    return this.#create(name, isRegular ? new TmpfsFile(this.fs, mode) : new TmpfsSpecial(this.fs, mode, rdev), caller);
  }

  override mkdir(name: string, mode: number, caller: Caller): Inode | Errno {
    const error = this.#reserve(name);
    return error < 0 ? error : this.#create(name, new TmpfsDirectory(this.fs, mode), caller);
  }

  override symlink(name: string, target: string, caller: Caller): Inode | Errno {
    const error = this.#reserve(name);
    return error < 0 ? error : this.#create(name, new TmpfsSymlink(this.fs, S_IFLNK | 0o777, target), caller);
  }

  override tmpfile(mode: number, caller: Caller): Inode | Errno {
    if (!this.fs.takeInode()) return -ENOSPC;
    const inode = new TmpfsFile(this.fs, mode);
    inode.own(this, caller);
    inode.nlink = 0;
    inode.incRef();
    return inode;
  }

  override link(name: string, inode: Inode, _caller: Caller): number {
    if (!(inode instanceof TmpfsInode) || inode.fs !== this.fs) return -EXDEV;
    if (this.entries.has(name)) return -EEXIST;
    inode.nlink++;
    this.fs.stampNow(inode.ctime);
    this.#enter(name, inode);
    return 0;
  }

  override unlink(name: string, _child: Inode, _caller: Caller): number {
    const entry = this.entries.get(name);
    if (entry === undefined) return -ENOENT;
    this.#remove(name);
    entry.inode.dropLink();
    return 0;
  }

  override rmdir(name: string, _child: Inode, _caller: Caller): number {
    const entry = this.entries.get(name);
    if (entry === undefined || !(entry.inode instanceof TmpfsDirectory)) return -ENOENT;
    if (entry.inode.entries.size > 0) return -ENOTEMPTY;
    this.#remove(name);
    this.nlink--;
    entry.inode.removed();
    return 0;
  }

  override rename(
    name: string,
    _child: Inode,
    newDir: Inode,
    newName: string,
    _replaced: Inode | null,
    flags: number,
    caller: Caller,
  ): number {
    if (!(newDir instanceof TmpfsDirectory) || newDir.fs !== this.fs) return -EXDEV;
    const source = this.entries.get(name);
    const target = newDir.entries.get(newName);
    if (source === undefined) return -ENOENT;
    if ((flags & RENAME_EXCHANGE) !== 0) return this.#exchange(name, source.inode, newDir, newName, target?.inode);
    if (target !== undefined) {
      if (target.inode instanceof TmpfsDirectory && target.inode.entries.size > 0) return -ENOTEMPTY;
      if (target.inode.isDirectory !== source.inode.isDirectory) return -EINVAL;
    }
    if ((flags & RENAME_WHITEOUT) !== 0 && !this.fs.takeInode()) return -ENOSPC;
    if (target !== undefined) newDir.#dropTarget(newName, target.inode);
    this.#remove(name);
    newDir.#enter(newName, source.inode);
    if (source.inode.isDirectory) {
      this.nlink--;
      newDir.nlink++;
    }
    this.fs.stampNow(source.inode.ctime);
    if ((flags & RENAME_WHITEOUT) !== 0) this.#create(name, new TmpfsSpecial(this.fs, S_IFCHR, 0), caller).decRef();
    return 0;
  }

  /** Its name was removed: it has no entries. */
  removed(): void {
    this.nlink = 0;
    this.fs.stampNow(this.ctime);
    this.releaseIfUnused();
  }

  #exchange(name: string, a: TmpfsInode, newDir: TmpfsDirectory, newName: string, b: TmpfsInode | undefined): number {
    if (b === undefined) return -ENOENT;
    this.#remove(name);
    newDir.#remove(newName);
    this.#enter(name, b);
    newDir.#enter(newName, a);
    if (a.isDirectory !== b.isDirectory) {
      this.nlink += a.isDirectory ? -1 : 1;
      newDir.nlink += a.isDirectory ? 1 : -1;
    }
    this.fs.stampNow(a.ctime);
    this.fs.stampNow(b.ctime);
    return 0;
  }

  #dropTarget(name: string, inode: TmpfsInode): void {
    this.#remove(name);
    if (inode instanceof TmpfsDirectory) {
      this.nlink--;
      inode.removed();
    } else {
      inode.dropLink();
    }
  }

  /** Whether `name` can be entered with a new inode, which is taken then. Errors: EEXIST, ENOSPC. */
  #reserve(name: string): 0 | Errno {
    if (this.entries.has(name)) return -EEXIST;
    return this.fs.takeInode() ? 0 : -ENOSPC;
  }

  #create(name: string, inode: TmpfsInode, caller: Caller): Inode {
    inode.own(this, caller);
    this.#enter(name, inode);
    if (inode.isDirectory) this.nlink++;
    inode.incRef();
    return inode;
  }

  #enter(name: string, inode: TmpfsInode): void {
    this.entries.set(name, { inode, offset: this.#nextOffset++ });
    this.#changed();
  }

  #remove(name: string): void {
    this.entries.delete(name);
    this.#changed();
  }

  #changed(): void {
    this.sizeBytes = this.entries.size * DIRENT_BYTES;
    this.fs.stampNow(this.mtime);
    Object.assign(this.ctime, this.mtime);
  }
}

class OpenTmpfsDirectory extends DirectoryFile {
  declare readonly inode: TmpfsDirectory;
  /** Goes through the entries as far as {@link pos}; started anew after a seek. */
  #iterator: Iterator<[string, Entry]> | null = null;
  #iteratorPos = -1;
  /** The entry that the sink had no room for. */
  #pending: [string, Entry] | null = null;

  protected override emit(sink: DirentSink, _caller: Caller): 0 | Errno {
    if (this.inode.nlink === 0) return -ENOENT;
    if (this.#iterator === null || this.#iteratorPos !== this.pos) this.#restart();
    for (;;) {
      const next = this.#pending ?? this.#next();
      this.#pending = null;
      if (next === null) break;
      const [name, entry] = next;
      // What was removed since it was fetched is not there any more.
      if (entry.offset < this.pos || this.inode.entries.get(name) !== entry) continue;
      if (!sink.add(name, entry.inode.ino, direntType(entry.inode.mode), entry.offset + 1)) {
        this.#pending = next;
        break;
      }
      this.pos = entry.offset + 1;
    }
    this.#iteratorPos = this.pos;
    return 0;
  }

  #restart(): void {
    this.#iterator = this.inode.entries[Symbol.iterator]();
    this.#pending = null;
  }

  #next(): [string, Entry] | null {
    const result = this.#iterator!.next();
    if (result.done !== true) return result.value;
    // A finished iterator does not see later entries: the next read makes a new one.
    this.#iterator = null;
    return null;
  }
}
