import { ENOENT, S_IFDIR, type Errno } from '@tsv/abi';
import type { Caller } from '../../caller.js';
import { DirectoryFile, direntType } from '../../file/directory-file.js';
import type { DirentSink, OpenFile } from '../../file/open-file.js';
import type { Inode } from '../../inode.js';
import type { VfsPath } from '../../path/vfs-path.js';
import type { SyntheticFileSystem } from './synthetic-file-system.js';
import { SyntheticInode } from './synthetic-inode.js';

/** Takes the entries of a dynamic directory: returns false when there is no room for more. */
export type DynamicEntrySink = (key: number, name: string, ino: number, mode: number) => boolean;

/** Offset of the dynamic entry with key 0. */
const DYNAMIC_OFFSET = 0x1_0000_0000;

interface StaticEntry {
  readonly inode: Inode;
  readonly offset: number;
}

/**
 * A directory of objects: names that are added once, and names that a subclass finds when asked ({@link lookupDynamic},
 * {@link listDynamic}), as /proc has a name for each process.
 */
export class SyntheticDirectory extends SyntheticInode {
  readonly #entries = new Map<string, StaticEntry>();
  #nextOffset = 2;

  constructor(fs: SyntheticFileSystem, permissions = 0o555) {
    super(fs, S_IFDIR | permissions);
    this.nlink = 2;
  }

  /** Adds a name; a name can be added once. Returns this directory. */
  add(name: string, inode: Inode): this {
    if (this.#entries.has(name)) throw new Error(`SyntheticDirectory.add: "${name}" is there already`);
    this.#entries.set(name, { inode, offset: this.#nextOffset++ });
    if (inode.isDirectory) this.nlink++;
    return this;
  }

  /** Removes a name that was added. Where names are cached (no `mustRevalidate`) the dentry must be dropped too. */
  remove(name: string): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    this.#entries.delete(name);
    if (entry.inode.isDirectory) this.nlink--;
  }

  /** The inode added as `name`, or undefined. */
  get(name: string): Inode | undefined {
    return this.#entries.get(name)?.inode;
  }

  /** Names that were added, in that order. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  override lookup(name: string): Inode | Errno {
    const entry = this.#entries.get(name);
    if (entry === undefined) return this.lookupDynamic(name);
    entry.inode.incRef();
    return entry.inode;
  }

  override isCurrent(name: string, child: Inode | null): boolean {
    const entry = this.#entries.get(name);
    return entry === undefined ? this.isDynamicCurrent(name, child) : entry.inode === child;
  }

  /** Finds a name that was not added; the returned inode carries a reference. Errors: ENOENT. */
  protected lookupDynamic(_name: string): Inode | Errno {
    return -ENOENT;
  }

  /** Whether a cached dynamic name still leads to `child`; by default it is looked up again. */
  protected isDynamicCurrent(name: string, child: Inode | null): boolean {
    const found = this.lookupDynamic(name);
    if (typeof found === 'number') return child === null;
    found.decRef();
    return found === child;
  }

  /**
   * Gives the dynamic entries with a key of `fromKey` or more, by rising key, until `take` returns false. A key stays
   * with its name (the PID in /proc) and is below 2^32.
   */
  protected listDynamic(_fromKey: number, _take: DynamicEntrySink, _caller: Caller): void {
    // Nothing but what was added.
  }

  override open(path: VfsPath | null, flags: number, _caller: Caller): OpenFile | Errno {
    return new OpenSyntheticDirectory(this, path, flags);
  }

  /** For the open directory: entries from offset `from`. Returns the offset behind the last that was taken. */
  emitEntries(from: number, sink: DirentSink, caller: Caller): number {
    let pos = from;
    if (pos < DYNAMIC_OFFSET) {
      for (const [name, { inode, offset }] of this.#entries) {
        if (offset < pos) continue;
        if (!sink.add(name, inode.ino, direntType(inode.mode), offset + 1)) return pos;
        pos = offset + 1;
      }
      pos = DYNAMIC_OFFSET;
    }
    this.listDynamic(
      pos - DYNAMIC_OFFSET,
      (key, name, ino, mode) => {
        const next = DYNAMIC_OFFSET + key + 1;
        if (!sink.add(name, ino, direntType(mode), next)) return false;
        pos = next;
        return true;
      },
      caller,
    );
    return pos;
  }
}

class OpenSyntheticDirectory extends DirectoryFile {
  declare readonly inode: SyntheticDirectory;

  protected override emit(sink: DirentSink, caller: Caller): 0 | Errno {
    this.pos = this.inode.emitEntries(this.pos, sink, caller);
    return 0;
  }
}
