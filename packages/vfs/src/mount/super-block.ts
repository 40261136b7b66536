import type { DentryCache } from '../dentry/dentry-cache.js';
import type { Dentry } from '../dentry/dentry.js';
import type { FileSystem } from '../file-system.js';

/** A filesystem in use: its dentries and how many mounts show it. The last mount destroys it. */
export class SuperBlock {
  readonly fs: FileSystem;
  readonly root: Dentry;
  /** `mount -o ro` of the filesystem itself: it is read-only through every mount. */
  isReadOnly = false;
  readonly #dentries: DentryCache;
  #mountCount = 0;

  constructor(fs: FileSystem, dentries: DentryCache) {
    this.fs = fs;
    this.#dentries = dentries;
    fs.root.incRef();
    this.root = dentries.addRoot(fs, fs.root);
  }

  get isAlive(): boolean {
    return this.root.inode !== null;
  }

  /** A mount of it was made. */
  addMount(): void {
    this.#mountCount++;
  }

  /** A mount of it is gone. */
  removeMount(): void {
    this.#mountCount--;
    if (this.#mountCount > 0) return;
    this.#dentries.prune(this.root);
    this.root.decRef();
    this.fs.destroy();
  }
}
