import { chunkAt, chunkOf, CHUNK_PAGES, PAGE_BYTES, type MemoryFile } from '@tsv/platform';
import type { Pma } from './pma.js';
import type { Vma } from './vma.js';

const CHUNK_BYTES = CHUNK_PAGES * PAGE_BYTES;

/** The last translation of a guest address: guest addresses `[start, end)` are bytes from `addr - base` of `bytes`. */
export class Translation {
  start = 0;
  end = 0;
  base = 0;
  chunk = 0;
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);

  /** Forgets it: the mappings have changed. */
  reset(): void {
    this.start = 0;
    this.end = 0;
  }

  /** Remembers what of `vma` and `pma` lies around `addr` in one chunk of `memory`. */
  set(memory: MemoryFile, vma: Vma, pma: Pma, addr: number): void {
    const pfn = pma.pfnAt(addr - (addr % PAGE_BYTES));
    const chunk = chunkOf(pfn);
    this.chunk = chunk;
    this.base = addr - (addr % PAGE_BYTES) - chunkAt(pfn);
    this.start = Math.max(vma.start, pma.start, this.base);
    this.end = Math.min(vma.end, pma.end, this.base + CHUNK_BYTES);
    this.bytes = memory.chunks[chunk]!;
    this.view = memory.views[chunk]!;
  }
}
