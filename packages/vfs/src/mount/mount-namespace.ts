import { ENOSPC, type Errno } from '@tsv/abi';
import type { Dentry } from '../dentry/dentry.js';
import { VfsPath } from '../path/vfs-path.js';
import type { Mount } from './mount.js';

/** Mounts that one namespace may have, /proc/sys/fs/mount-max. */
export const MOUNT_COUNT_MAX = 100_000;

/** The mounts that a set of processes sees, mount_namespaces(7). Counted by reference. */
export class MountNamespace {
  /** Inode number of /proc/PID/ns/mnt. */
  readonly id: number;
  /** The user namespace whose capabilities rule it; null for the first one. */
  readonly owner: object | null;
  /** Written once, by who makes the namespace. */
  root: Mount;
  /** In the order in which they were made. */
  readonly mounts = new Set<Mount>();
  #refCount = 1;
  readonly #onEmpty: (namespace: MountNamespace) => void;

  /** Takes over the reference of `root`. `onEmpty` unmounts everything when the last process is gone. */
  constructor(id: number, root: Mount, onEmpty: (namespace: MountNamespace) => void, owner: object | null = null) {
    this.id = id;
    this.owner = owner;
    this.root = root;
    this.#onEmpty = onEmpty;
    this.adopt(root);
  }

  get refCount(): number {
    return this.#refCount;
  }

  incRef(): void {
    this.#refCount++;
  }

  decRef(): void {
    this.#refCount--;
    if (this.#refCount === 0) this.#onEmpty(this);
    else if (this.#refCount < 0) throw new Error('MountNamespace.decRef: no reference is left');
  }

  /** Whether `count` more mounts fit. Errors: ENOSPC. */
  reserve(count: number): 0 | Errno {
    return this.mounts.size + count > MOUNT_COUNT_MAX ? -ENOSPC : 0;
  }

  /** Counts `mount` and everything mounted on it among this namespace's. */
  adopt(mount: Mount): void {
    for (const each of mountTree(mount)) {
      each.namespace = this;
      this.mounts.add(each);
    }
  }

  /** The mount is not seen here any more. */
  disown(mount: Mount): void {
    mount.namespace = null;
    this.mounts.delete(mount);
  }

  /** The same place in this namespace, which was copied from that of `place`; null if it was not. A new reference. */
  copyOf(place: VfsPath): VfsPath | null {
    for (const mount of this.mounts) {
      if (mount.copiedFromId !== place.mount.id) continue;
      const copy = new VfsPath(mount, place.dentry);
      copy.incRef();
      return copy;
    }
    return null;
  }

  /** Whether a mount of this namespace covers `dentry`: such a name cannot be removed (EBUSY). */
  isMountpoint(dentry: Dentry): boolean {
    if (dentry.mounts === null) return false;
    for (const mount of dentry.mounts) if (mount.namespace === this) return true;
    return false;
  }
}

/** `mount` and what is mounted on it, parents first. */
export function mountTree(mount: Mount): Mount[] {
  const tree = [mount];
  for (let i = 0; i < tree.length; i++) for (const child of tree[i]!.children.values()) tree.push(child);
  return tree;
}
