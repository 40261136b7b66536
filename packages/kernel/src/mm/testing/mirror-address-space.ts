import type { Errno } from '@tsv/abi';
import { PAGE_BYTES, type AddressSpace, type Context } from '@tsv/platform';

/** What one page of guest addresses shows. */
export interface MirrorPage {
  readonly prot: number;
  /** Page of the memory file, or -1 for a host file. */
  readonly pfn: number;
  readonly hostFd: number;
  readonly fileOffset: number;
  readonly isShared: boolean;
}

/** An address space that keeps what is mapped where, page by page, as a host would. */
export class MirrorAddressSpace implements AddressSpace {
  pages: Map<number, MirrorPage>;
  isReleased = false;
  flushCount = 0;
  canFeignStops = false;
  flushResult = 0;

  constructor(pages = new Map<number, MirrorPage>()) {
    this.pages = pages;
  }

  mapMemory(addr: number, len: number, prot: number, pfn: number): void {
    this.#eachPage(addr, len, (page, i) => {
      this.pages.set(page, { prot, pfn: pfn + i, hostFd: -1, fileOffset: 0, isShared: true });
    });
  }

  mapHostFile(addr: number, len: number, prot: number, hostFd: number, fileOffset: number, isShared: boolean): void {
    if (!isShared && (prot & 2) !== 0) throw new Error('mapHostFile: private and writable');
    this.#eachPage(addr, len, (page, i) => {
      this.pages.set(page, { prot, pfn: -1, hostFd, fileOffset: fileOffset + i * PAGE_BYTES, isShared });
    });
  }

  unmap(addr: number, len: number): void {
    if (len > PAGE_BYTES * 1_000_000) {
      for (const page of [...this.pages.keys()]) if (page >= addr && page < addr + len) this.pages.delete(page);
      return;
    }
    this.#eachPage(addr, len, (page) => this.pages.delete(page));
  }

  protect(addr: number, len: number, prot: number): void {
    this.#eachPage(addr, len, (page) => {
      const old = this.pages.get(page);
      if (old === undefined) throw new Error(`protect: nothing is mapped at ${page.toString(16)}`);
      this.pages.set(page, { ...old, prot });
    });
  }

  flush(): number {
    this.flushCount++;
    return this.flushResult;
  }

  fork(): MirrorAddressSpace {
    return new MirrorAddressSpace(new Map(this.pages));
  }

  createContext(): Context | Errno {
    throw new Error('MirrorAddressSpace has no guest threads');
  }

  release(): void {
    this.isReleased = true;
    this.pages.clear();
  }

  #eachPage(addr: number, len: number, visit: (page: number, index: number) => void): void {
    if (addr % PAGE_BYTES !== 0 || len % PAGE_BYTES !== 0 || len <= 0) throw new Error(`not pages: ${addr} ${len}`);
    for (let i = 0; i < len / PAGE_BYTES; i++) visit(addr + i * PAGE_BYTES, i);
  }
}
