import type { Dentry } from '../dentry/dentry.js';
import type { Mount } from '../mount/mount.js';

/** A place in the file tree: a dentry as seen through a mount. Immutable; both are held by reference. */
export class VfsPath {
  readonly mount: Mount;
  readonly dentry: Dentry;

  constructor(mount: Mount, dentry: Dentry) {
    this.mount = mount;
    this.dentry = dentry;
  }

  incRef(): void {
    this.mount.incRef();
    this.dentry.incRef();
  }

  decRef(): void {
    this.dentry.decRef();
    this.mount.decRef();
  }

  equals(other: VfsPath): boolean {
    return this.mount === other.mount && this.dentry === other.dentry;
  }
}
