import type { Errno } from '@tsv/abi';
import type { AddressSpace, CodeMemory, Context } from '@tsv/platform';
import { SystrapContext } from './context.js';
import type { SystrapParts } from './platform.js';
import type { SpacePatches } from './site-patcher.js';

/** The address space of a stub process. */
export class SystrapAddressSpace implements AddressSpace {
  readonly index: number;
  /** A guest can write the page that says whether it has stopped. */
  readonly canFeignStops = true;
  readonly patches: SpacePatches;
  readonly #parts: SystrapParts;
  /** Changes wait for the next flush. */
  #hasChanges = false;
  /** What queueing a change came to, told by the next flush. */
  #queueError = 0;

  constructor(parts: SystrapParts, index: number, patches: SpacePatches) {
    this.#parts = parts;
    this.index = index;
    this.patches = patches;
  }

  set codeMemory(code: CodeMemory) {
    if (this.#parts.mayPatch) this.patches.code = code;
  }

  mapMemory(addr: number, len: number, prot: number, pfn: number): void {
    this.#parts.stubs.mapMemory(this.index, addr, len, prot, pfn);
    this.#hasChanges = true;
  }

  mapHostFile(addr: number, len: number, prot: number, hostFd: number, fileOffset: number, isShared: boolean): void {
    const result = this.#parts.stubs.mapHostFile(this.index, addr, len, prot, hostFd, fileOffset, isShared);
    if (result < 0) this.#queueError = result;
    this.#hasChanges = true;
  }

  unmap(addr: number, len: number): void {
    this.#parts.stubs.unmap(this.index, addr, len);
    this.#hasChanges = true;
  }

  protect(addr: number, len: number, prot: number): void {
    this.#parts.stubs.protect(this.index, addr, len, prot);
    this.#hasChanges = true;
  }

  /** Differs: it needs no stopped thread. */
  flush(): number {
    if (!this.#hasChanges) return 0;
    this.#hasChanges = false;
    const result = this.#parts.stubs.flush(this.index);
    const queueError = this.#queueError;
    this.#queueError = 0;
    return queueError < 0 ? queueError : result;
  }

  /** Makes the queued changes before a context runs. Where that fails, what guests would see is not what they asked for. */
  prepareRun(): void {
    if (this.#hasChanges && this.flush() < 0) this.#parts.stubs.killSpace(this.index);
  }

  fork(): SystrapAddressSpace | Errno {
    if (this.#queueError < 0) return this.flush();
    this.#hasChanges = false;
    const index = this.#parts.stubs.forkSpace(this.index);
    return index < 0 ? index : new SystrapAddressSpace(this.#parts, index, this.#parts.patcher.fork(this.patches));
  }

  createContext(from: Context | null): SystrapContext | Errno {
    const index = this.#parts.stubs.createContext(this.index, from === null ? -1 : from.page.index);
    return index < 0 ? index : new SystrapContext(this.#parts, this, index);
  }

  release(): void {
    this.#parts.stubs.releaseSpace(this.index);
    this.#parts.patcher.release(this.patches);
  }
}
