import { close, syncLater, syncfsLater } from '@tsv/host';
import { EIO } from '@tsv/abi';
import type { PendingSync } from '@tsv/vfs';
import type { HostHandle } from './host-handle.js';
import { HostHandleWork, HostPoolWork } from './host-pool-work.js';

/** fsync(2) of a file of the host, or fdatasync(2). */
export class HostSync extends HostHandleWork implements PendingSync {
  #result: number | null = null;

  /** Begins. */
  constructor(handle: HostHandle, isDataOnly: boolean) {
    super(handle);
    syncLater(handle.fd, isDataOnly).then(
      (result) => {
        this.#finish(result);
      },
      () => {
        this.#finish(-EIO);
      },
    );
  }

  get result(): number | null {
    return this.#result;
  }

  #finish(result: number): void {
    this.#result = result;
    this.done();
  }
}

/** syncfs(2) of the filesystem of a file. */
export class HostFileSystemSync extends HostPoolWork implements PendingSync {
  readonly #fd: number;
  #result: number | null = null;

  /** Begins, and takes `fd` over. */
  constructor(fd: number) {
    super();
    this.#fd = fd;
    syncfsLater(fd).then(
      (result) => {
        this.#finish(result);
      },
      () => {
        this.#finish(-EIO);
      },
    );
  }

  get result(): number | null {
    return this.#result;
  }

  #finish(result: number): void {
    this.#result = result;
    close(this.#fd);
    this.done();
  }
}
