import type { FileSystem } from '../file-system.js';
import type { Inode } from '../inode.js';
import { notifyGone } from '../notify/file-watch.js';
import { Dentry } from './dentry.js';

/** Unused dentries that are kept by default: the tree of a large project, with 1 KB or so for each. */
export const UNUSED_DENTRIES_MAX = 32768;

/**
 * The dentries of all filesystems. Those that nobody holds are kept in the order in which they fell out of use, at most
 * `unusedMax` of them; one that was looked up since gets a second chance.
 */
export class DentryCache {
  readonly #unusedMax: number;
  #unusedCount = 0;
  #lruHead: Dentry | null = null;
  #lruTail: Dentry | null = null;
  #isEvicting = false;
  /** Dentries to release: each may be the last to hold its parent, and guests nest directories as deep as they like. */
  readonly #releasing: Dentry[] = [];
  #isReleasing = false;

  constructor(unusedMax = UNUSED_DENTRIES_MAX) {
    if (!(unusedMax >= 2)) throw new RangeError('DentryCache: room for two dentries is needed at least');
    this.#unusedMax = unusedMax;
  }

  get unusedCount(): number {
    return this.#unusedCount;
  }

  /** The root of a filesystem, with one reference for the caller; takes over one of `inode`. */
  addRoot(fs: FileSystem, inode: Inode): Dentry {
    const dentry = new Dentry(this, fs, null, '', inode);
    dentry.incRef();
    return dentry;
  }

  /** A dentry for a file without a name in any directory (O_TMPFILE); one reference is the caller's. */
  addAnonymous(fs: FileSystem, name: string, inode: Inode): Dentry {
    const dentry = new Dentry(this, fs, null, name, inode);
    dentry.isUnlinked = true;
    dentry.incRef();
    return dentry;
  }

  /** Finds a cached child, or undefined. */
  find(parent: Dentry, name: string): Dentry | undefined {
    const dentry = parent.children?.get(name);
    if (dentry !== undefined) dentry.isReferenced = true;
    return dentry;
  }

  /** Adds a child that is not cached yet, unused; takes over one reference of `inode`. */
  add(parent: Dentry, name: string, inode: Inode | null): Dentry {
    const dentry = new Dentry(this, parent.fs, parent, name, inode);
    this.#attach(dentry, parent, name);
    parent.incRef();
    // Whoever looks it up is about to use it: making room must not take it.
    dentry.isReferenced = true;
    this.unused(dentry);
    return dentry;
  }

  /** Makes a negative dentry positive; takes over one reference of `inode`. */
  instantiate(dentry: Dentry, inode: Inode): void {
    if (dentry.inode !== null) throw new Error('DentryCache.instantiate: the dentry is positive');
    dentry.inode = inode;
    if (inode.isDirectory) inode.directoryDentry = dentry;
  }

  /** The name is gone: nobody finds this dentry any more. It lives on while it is held. */
  drop(dentry: Dentry): void {
    if (dentry.isUnlinked) return;
    const parent = dentry.parent;
    if (parent === null) throw new Error('DentryCache.drop: a root has no name to lose');
    dentry.incRef();
    this.#detach(dentry, parent);
    dentry.isUnlinked = true;
    this.#pruneChildren(dentry);
    dentry.decRef();
  }

  /** Gives `dentry` another place, and drops what was cached there, rename(2). */
  move(dentry: Dentry, newParent: Dentry, newName: string): void {
    const oldParent = dentry.parent;
    if (oldParent === null) throw new Error('DentryCache.move: a root cannot be moved');
    const replaced = newParent.children?.get(newName);
    if (replaced === dentry) return;
    newParent.incRef();
    if (replaced !== undefined) this.drop(replaced);
    this.#detach(dentry, oldParent);
    this.#attach(dentry, newParent, newName);
    oldParent.decRef();
  }

  /** Swaps the places of two dentries, RENAME_EXCHANGE. */
  exchange(a: Dentry, b: Dentry): void {
    const aParent = a.parent;
    const bParent = b.parent;
    if (aParent === null || bParent === null) throw new Error('DentryCache.exchange: a root cannot be moved');
    const aName = a.name;
    const bName = b.name;
    this.#detach(a, aParent);
    this.#detach(b, bParent);
    this.#attach(a, bParent, bName);
    this.#attach(b, aParent, aName);
  }

  /** Lets go of everything unused at and below `dentry`, which the caller holds. */
  prune(dentry: Dentry): void {
    this.#pruneChildren(dentry);
  }

  /** Called by a dentry that got its first reference. */
  used(dentry: Dentry): void {
    if (dentry.isInLru) this.#lruRemove(dentry);
  }

  /** Called by a dentry that lost its last reference. */
  unused(dentry: Dentry): void {
    if (dentry.isUnlinked || dentry.parent === null) {
      this.#release(dentry);
      return;
    }
    this.#lruAdd(dentry);
    if (this.#unusedCount > this.#unusedMax && !this.#isEvicting) this.#evict();
  }

  /** What is evicted may have been the last to hold its parent, which falls out of use then and comes here too. */
  #evict(): void {
    this.#isEvicting = true;
    try {
      while (this.#unusedCount > this.#unusedMax) this.#evictOne();
    } finally {
      this.#isEvicting = false;
    }
  }

  #evictOne(): void {
    for (;;) {
      const oldest = this.#lruTail!;
      this.#lruRemove(oldest);
      if (!oldest.isReferenced) {
        this.#forget(oldest);
        return;
      }
      oldest.isReferenced = false;
      this.#lruAdd(oldest);
    }
  }

  #pruneChildren(dentry: Dentry): void {
    // The list grows while it is gone through: directories are nested deeper than a call stack.
    const tree = [dentry];
    for (const { children } of tree) if (children !== null) for (const child of children.values()) tree.push(child);
    // Children before their parents, which they hold.
    for (let child = tree.pop(); child !== undefined && child !== dentry; child = tree.pop()) {
      if (!child.isInLru) continue;
      this.#lruRemove(child);
      this.#forget(child);
    }
  }

  /** Takes an unused dentry, in no list, out of the tree. */
  #forget(dentry: Dentry): void {
    this.#detach(dentry, dentry.parent!);
    this.#release(dentry);
  }

  #release(dentry: Dentry): void {
    this.#releasing.push(dentry);
    if (this.#isReleasing) return;
    this.#isReleasing = true;
    try {
      for (let next = this.#releasing.pop(); next !== undefined; next = this.#releasing.pop()) this.#letGo(next);
    } finally {
      this.#isReleasing = false;
    }
  }

  #letGo(dentry: Dentry): void {
    const inode = dentry.inode;
    const parent = dentry.parent;
    dentry.inode = null;
    if (inode?.directoryDentry === dentry) inode.directoryDentry = null;
    if (inode !== null && inode.watches !== null && inode.nlink === 0) notifyGone(inode);
    inode?.decRef();
    parent?.decRef();
  }

  #attach(dentry: Dentry, parent: Dentry, name: string): void {
    dentry.parent = parent;
    dentry.name = name;
    parent.children ??= new Map();
    parent.children.set(name, dentry);
  }

  #detach(dentry: Dentry, parent: Dentry): void {
    parent.children?.delete(dentry.name);
  }

  #lruAdd(dentry: Dentry): void {
    dentry.isInLru = true;
    dentry.lruPrev = null;
    dentry.lruNext = this.#lruHead;
    if (this.#lruHead === null) this.#lruTail = dentry;
    else this.#lruHead.lruPrev = dentry;
    this.#lruHead = dentry;
    this.#unusedCount++;
  }

  #lruRemove(dentry: Dentry): void {
    if (dentry.lruPrev === null) this.#lruHead = dentry.lruNext;
    else dentry.lruPrev.lruNext = dentry.lruNext;
    if (dentry.lruNext === null) this.#lruTail = dentry.lruPrev;
    else dentry.lruNext.lruPrev = dentry.lruPrev;
    dentry.lruPrev = null;
    dentry.lruNext = null;
    dentry.isInLru = false;
    this.#unusedCount--;
  }
}
