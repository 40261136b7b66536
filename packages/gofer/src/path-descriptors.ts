import type { HostInode } from './host-inode.js';

/**
 * O_PATH descriptors that are kept by inodes whose name leads to them, so that they can be opened again: walking a tree of any
 * size takes no more of them, RLIMIT_NOFILE.
 */
export const PATH_DESCRIPTORS_MAX = 1024;

/** Inodes that have such a descriptor, the last used at the end. No host call needs more than a few at a time. */
export class PathDescriptors {
  readonly #inodes = new Set<HostInode>();

  get count(): number {
    return this.#inodes.size;
  }

  /** `inode` has got a descriptor, or a name. The one that was used least recently loses its own when there is no room. */
  add(inode: HostInode): void {
    this.#inodes.add(inode);
    if (this.#inodes.size <= PATH_DESCRIPTORS_MAX) return;
    for (const oldest of this.#inodes) {
      this.#inodes.delete(oldest);
      oldest.closePathFd();
      return;
    }
  }

  /** The descriptor of `inode` is used. */
  use(inode: HostInode): void {
    if (this.#inodes.delete(inode)) this.#inodes.add(inode);
  }

  /** `inode` has no descriptor any more, or no name that leads to it. */
  remove(inode: HostInode): void {
    this.#inodes.delete(inode);
  }
}
