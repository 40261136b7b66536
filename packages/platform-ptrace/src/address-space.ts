import type { AddressSpace, Context } from '@tsv/platform';
import type { Errno } from '@tsv/abi';
import type { PtraceStubs } from '../native/index.js';
import { PtraceContext, type ResumedList } from './context.js';

/** The address space of a stub process. */
export class PtraceAddressSpace implements AddressSpace {
  readonly #stubs: PtraceStubs;
  readonly #pages: Uint32Array;
  readonly #resumed: ResumedList;
  readonly #index: number;
  /** What queueing a change came to, told by the next flush. */
  #queueError = 0;

  constructor(stubs: PtraceStubs, pages: Uint32Array, resumed: ResumedList, index: number) {
    this.#stubs = stubs;
    this.#pages = pages;
    this.#resumed = resumed;
    this.#index = index;
  }

  mapMemory(addr: number, len: number, prot: number, pfn: number): void {
    this.#stubs.mapMemory(this.#index, addr, len, prot, pfn);
  }

  mapHostFile(addr: number, len: number, prot: number, hostFd: number, fileOffset: number, isShared: boolean): void {
    const result = this.#stubs.mapHostFile(this.#index, addr, len, prot, hostFd, fileOffset, isShared);
    if (result < 0) this.#queueError = result;
  }

  unmap(addr: number, len: number): void {
    this.#stubs.unmap(this.#index, addr, len);
  }

  protect(addr: number, len: number, prot: number): void {
    this.#stubs.protect(this.#index, addr, len, prot);
  }

  flush(): number {
    const result = this.#stubs.flush(this.#index);
    const queueError = this.#queueError;
    this.#queueError = 0;
    return queueError < 0 ? queueError : result;
  }

  fork(): PtraceAddressSpace | Errno {
    const index = this.#stubs.forkSpace(this.#index);
    return index < 0 ? index : new PtraceAddressSpace(this.#stubs, this.#pages, this.#resumed, index);
  }

  createContext(from: Context | null): PtraceContext | Errno {
    const index = this.#stubs.createContext(this.#index, from === null ? -1 : from.page.index);
    return index < 0 ? index : new PtraceContext(this.#stubs, this.#pages, this.#resumed, index);
  }

  release(): void {
    this.#stubs.releaseSpace(this.#index);
  }
}
