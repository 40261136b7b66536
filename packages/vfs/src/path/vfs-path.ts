import type { Dentry } from '../dentry/dentry.js';
import type { Inode } from '../inode.js';
import type { Mount } from '../mount/mount.js';

/** A place in the file tree: a dentry as seen through a mount. Immutable; both are held by reference. */
export class VfsPath {
  readonly mount: Mount;
  readonly dentry: Dentry;

  /** Takes no reference: call {@link incRef}, unless the caller has one to give. */
  constructor(mount: Mount, dentry: Dentry) {
    this.mount = mount;
    this.dentry = dentry;
  }

  /** The file that it names; a path never stays at a negative dentry. */
  get inode(): Inode {
    const inode = this.dentry.inode;
    if (inode === null) throw new Error('VfsPath.inode: the dentry is negative');
    return inode;
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
