import type { Errno } from '@tsv/abi';
import type { AddressSpace, Context } from '@tsv/platform';
import type { SystrapStubs } from '../native/index.js';
import { SystrapContext } from './context.js';
import type { RunQueue } from './run-queue.js';

/** The address space of a stub process. */
export class SystrapAddressSpace implements AddressSpace {
  readonly #stubs: SystrapStubs;
  readonly #pages: Uint32Array;
  readonly #queue: RunQueue;
  readonly #index: number;
  /** Changes wait for the next flush. */
  #hasChanges = false;
  /** What queueing a change came to, told by the next flush. */
  #queueError = 0;

  constructor(stubs: SystrapStubs, pages: Uint32Array, queue: RunQueue, index: number) {
    this.#stubs = stubs;
    this.#pages = pages;
    this.#queue = queue;
    this.#index = index;
  }

  mapMemory(addr: number, len: number, prot: number, pfn: number): void {
    this.#stubs.mapMemory(this.#index, addr, len, prot, pfn);
    this.#hasChanges = true;
  }

  mapHostFile(addr: number, len: number, prot: number, hostFd: number, fileOffset: number, isShared: boolean): void {
    const result = this.#stubs.mapHostFile(this.#index, addr, len, prot, hostFd, fileOffset, isShared);
    if (result < 0) this.#queueError = result;
    this.#hasChanges = true;
  }

  unmap(addr: number, len: number): void {
    this.#stubs.unmap(this.#index, addr, len);
    this.#hasChanges = true;
  }

  protect(addr: number, len: number, prot: number): void {
    this.#stubs.protect(this.#index, addr, len, prot);
    this.#hasChanges = true;
  }

  /** Differs: it needs no stopped thread. */
  flush(): number {
    if (!this.#hasChanges) return 0;
    this.#hasChanges = false;
    const result = this.#stubs.flush(this.#index);
    const queueError = this.#queueError;
    this.#queueError = 0;
    return queueError < 0 ? queueError : result;
  }

  /** Makes the queued changes before a context runs. Where that fails, what guests would see is not what they asked for. */
  prepareRun(): void {
    if (this.#hasChanges && this.flush() < 0) this.#stubs.killSpace(this.#index);
  }

  fork(): SystrapAddressSpace | Errno {
    const flushed = this.flush();
    if (flushed < 0) return flushed;
    const index = this.#stubs.forkSpace(this.#index);
    return index < 0 ? index : new SystrapAddressSpace(this.#stubs, this.#pages, this.#queue, index);
  }

  createContext(from: Context | null): SystrapContext | Errno {
    const index = this.#stubs.createContext(this.#index, from === null ? -1 : from.page.index);
    return index < 0 ? index : new SystrapContext(this.#stubs, this.#pages, this.#queue, this, index);
  }

  release(): void {
    this.#stubs.releaseSpace(this.#index);
  }
}
