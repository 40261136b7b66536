import { EBADF, PROT_EXEC } from '@tsv/abi';
import type { Mappable, MappingObserver } from '@tsv/vfs';
import type { HostInode } from './host-inode.js';

const PAGE_BYTES = 4096;

/** Pages of a host file: platforms map the host's descriptor itself. */
export class HostMappable implements Mappable {
  readonly #inode: HostInode;
  readonly hostFd: number;
  runCount = 0;
  readonly #observers = new Set<MappingObserver>();

  constructor(inode: HostInode, fd: number) {
    this.#inode = inode;
    this.hostFd = fd;
  }

  get sizeBytes(): number {
    const error = this.#inode.refresh();
    return error < 0 ? 0 : this.#inode.sizeBytes;
  }

  pageRun(): number {
    return -EBADF;
  }

  addMapping(observer: MappingObserver): void {
    this.#observers.add(observer);
  }

  removeMapping(observer: MappingObserver): void {
    this.#observers.delete(observer);
  }

  /** What the host says of a private mapping depends on the mount only: its filesystem, and whether it is noexec. */
  isKnownToMap(prot: number): boolean {
    return this.#inode.fs.mappableMounts.has(this.#mountKey(prot));
  }

  wasMapped(prot: number): void {
    if (this.#inode.mountId > 0) this.#inode.fs.mappableMounts.add(this.#mountKey(prot));
  }

  /** The file ends at `lenBytes` now. */
  truncated(lenBytes: number): void {
    for (const observer of this.#observers) observer.invalidated(this, Math.ceil(lenBytes / PAGE_BYTES));
  }

  #mountKey(prot: number): number {
    return this.#inode.mountId * 2 + ((prot & PROT_EXEC) !== 0 ? 1 : 0);
  }
}
