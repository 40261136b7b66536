import type { Errno } from '@tsv/abi';
import { CONTEXT_BYTES, type Platform, type PlatformOptions } from '@tsv/platform';
import native from '../native/index.js';
import { PtraceAddressSpace } from './address-space.js';
import type { ResumedList } from './context.js';

/** Runs guest threads in stub processes that the calling thread traces. Only that thread may use it. */
export class PtracePlatform implements Platform {
  readonly name = 'ptrace';
  readonly minUserAddr = native.minUserAddr();
  readonly maxUserAddr = native.maxUserAddr();
  readonly xstateBytes: number;
  readonly #stubs: InstanceType<typeof native.PtraceStubs>;
  readonly #next: () => number;
  readonly #pages: Uint32Array;
  readonly #resumed: ResumedList;

  /** Throws when the host does not let this process trace another. */
  constructor(options: PlatformOptions) {
    this.#stubs = new native.PtraceStubs(options.memoryFile.fd);
    this.#next = this.#stubs.nextFunction();
    this.xstateBytes = this.#stubs.xstateBytes;
    const memory = this.#stubs.contextPages();
    const count = native.contextMax();
    this.#pages = new Uint32Array(memory, 0, (count * CONTEXT_BYTES) >>> 2);
    this.#resumed = new Uint32Array(memory, count * CONTEXT_BYTES, count + 1);
  }

  createAddressSpace(): PtraceAddressSpace | Errno {
    const index = this.#stubs.createSpace();
    return index < 0 ? index : new PtraceAddressSpace(this.#stubs, this.#pages, this.#resumed, index);
  }

  next(): number {
    return this.#next();
  }

  sleep(timeoutMs: number): boolean {
    return this.#stubs.sleep(timeoutMs);
  }

  wake(): void {
    this.#stubs.wake();
  }

  close(): void {
    this.#stubs.close();
  }
}
