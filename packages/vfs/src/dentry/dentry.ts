import type { FileSystem } from '../file-system.js';
import type { Inode } from '../inode.js';
import type { Mount } from '../mount/mount.js';
import type { DentryCache } from './dentry-cache.js';

/**
 * A name in a directory, as the cache knows it. A positive dentry holds a reference on its inode; a negative one
 * (`inode` is null) says that the name does not exist. Children hold their parent. Dentries that nobody holds stay in
 * the cache until it is full.
 */
export class Dentry {
  readonly fs: FileSystem;
  /** The last component, a byte string; empty for a root. Written by {@link DentryCache.move}. */
  name: string;
  /** Null for the root of a filesystem and for files that never had a name. Written by {@link DentryCache}. */
  parent: Dentry | null;
  /** Written by {@link DentryCache}. */
  inode: Inode | null;
  /** Names below it that are cached. Written by {@link DentryCache}. */
  children: Map<string, Dentry> | null = null;
  /** The mounts of any namespace that cover it. Written by {@link Mount}. */
  mounts: Set<Mount> | null = null;
  /** Whether the name was removed while the file is still in use. Written by {@link DentryCache}. */
  isUnlinked = false;
  /** Neighbours in the list of unused dentries, and whether it was looked up since. Written by {@link DentryCache}. */
  lruPrev: Dentry | null = null;
  lruNext: Dentry | null = null;
  isInLru = false;
  isReferenced = false;
  #refCount = 0;
  readonly #cache: DentryCache;

  /** Takes over one reference of `inode`; use {@link DentryCache} to make one. */
  constructor(cache: DentryCache, fs: FileSystem, parent: Dentry | null, name: string, inode: Inode | null) {
    this.#cache = cache;
    this.fs = fs;
    this.parent = parent;
    this.name = name;
    this.inode = inode;
    if (inode?.isDirectory === true) inode.directoryDentry = this;
  }

  get refCount(): number {
    return this.#refCount;
  }

  get isNegative(): boolean {
    return this.inode === null;
  }

  incRef(): void {
    if (this.#refCount++ === 0) this.#cache.used(this);
  }

  decRef(): void {
    this.#refCount--;
    if (this.#refCount === 0) this.#cache.unused(this);
    else if (this.#refCount < 0) throw new Error('Dentry.decRef: no reference is left');
  }

  /** The name `name` below it was changed by another way than the path operations: it is looked up anew. */
  forgetChild(name: string): void {
    const child = this.children?.get(name);
    if (child !== undefined) this.#cache.drop(child);
  }

  /** Whether `ancestor` is this dentry or above it. */
  isBelow(ancestor: Dentry): boolean {
    if (this === ancestor) return true;
    for (let d = this.parent; d !== null; d = d.parent) if (d === ancestor) return true;
    return false;
  }
}
