import { close } from '@tsv/host';
import type { HostInode } from './host-inode.js';
import { HostMappable } from './host-mappable.js';

/** Descriptors that are kept though no guest has their file open. */
export const IDLE_HANDLES_MAX = 128;

/**
 * A descriptor of a regular file of the host. Those for reading are shared by everybody who has the file open so: the
 * host's file offset is not used.
 */
export class HostHandle {
  readonly inode: HostInode;
  readonly fd: number;
  /** Open files that use it. */
  userCount = 1;
  #mappable: HostMappable | null = null;

  /** Takes `fd` over. */
  constructor(inode: HostInode, fd: number) {
    this.inode = inode;
    this.fd = fd;
  }

  get mappable(): HostMappable {
    this.#mappable ??= new HostMappable(this.inode, this.fd);
    return this.#mappable;
  }

  /** The file ends at `lenBytes` now. */
  truncated(lenBytes: number): void {
    this.#mappable?.truncated(lenBytes);
  }

  close(): void {
    close(this.fd);
  }
}

/** Handles for reading that nobody uses, in the order in which they fell out of use: the next open needs no host call. */
export class IdleHandles {
  readonly #handles = new Set<HostHandle>();

  get count(): number {
    return this.#handles.size;
  }

  /** Keeps `handle`, and closes the oldest one when there is no room. */
  add(handle: HostHandle): void {
    this.#handles.add(handle);
    if (this.#handles.size <= IDLE_HANDLES_MAX) return;
    for (const oldest of this.#handles) {
      oldest.inode.closeReadHandle();
      return;
    }
  }

  /** It is used again, or closed. */
  remove(handle: HostHandle): void {
    this.#handles.delete(handle);
  }
}
