import { RLIMIT_NOFILE } from '@tsv/abi';
import { getrlimit } from '@tsv/host';
import type { HostInode } from './host-inode.js';

/** More are of little use: a name that is known is not asked for again. */
const DESCRIPTORS_MAX = 1024;
/** No host call needs more at a time. */
const DESCRIPTORS_MIN = 16;

/**
 * The inodes that keep an O_PATH descriptor though their name leads to them, so that it can be opened again; the last used
 * at the end. Walking a tree of any size takes no more of them.
 */
class PathDescriptors {
  /** A quarter of what this process may have open at most. */
  readonly max: number;
  readonly #inodes = new Set<HostInode>();

  constructor() {
    const limits = new Float64Array(2);
    getrlimit(RLIMIT_NOFILE, limits);
    this.max = Math.min(DESCRIPTORS_MAX, Math.max(DESCRIPTORS_MIN, Math.floor(limits[0]! / 4)));
  }

  get count(): number {
    return this.#inodes.size;
  }

  /** `inode` has got a descriptor, or a name. The one that was used least recently loses its own when there is no room. */
  add(inode: HostInode): void {
    this.#inodes.add(inode);
    if (this.#inodes.size <= this.max) return;
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

/** Those of all filesystems: the limit is the process's. */
export const pathDescriptors = new PathDescriptors();
