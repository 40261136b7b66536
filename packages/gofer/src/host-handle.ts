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
  /** It is read past the page cache, open(2) O_DIRECT. */
  readonly isDirect: boolean;
  /** Open files that use it, and work of the pool. */
  userCount = 1;
  /** Whether the host can say that a read would wait for a device: RWF_NOWAIT, preadv2(2). */
  canTellCold: boolean;
  #mappable: HostMappable | null = null;

  /** Takes `fd` over. */
  constructor(inode: HostInode, fd: number, isDirect: boolean) {
    this.inode = inode;
    this.fd = fd;
    this.isDirect = isDirect;
    this.canTellCold = !isDirect && !inode.fs.coldUntoldMounts.has(inode.mountId);
  }

  /** The host cannot, for files of this mount. */
  cannotTellCold(): void {
    this.canTellCold = false;
    this.inode.fs.coldUntoldMounts.add(this.inode.mountId);
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
