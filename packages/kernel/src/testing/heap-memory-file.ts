import { ENOMEM } from '@tsv/abi';
import { PAGE_BYTES, USAGE_KIND_COUNT, type MemoryFile, type UsageKind } from '@tsv/platform';

/** A memory file of one small chunk on the heap, for tests without native code. */
export class HeapMemoryFile implements MemoryFile {
  readonly fd = -1;
  readonly chunks: readonly Uint8Array[];
  readonly views: readonly DataView[];
  readonly #refCounts: Uint32Array;
  readonly #kinds: Uint8Array;
  readonly #pageCounts: number[] = new Array<number>(USAGE_KIND_COUNT).fill(0);

  constructor(pageCountMax = 8192) {
    const bytes = new Uint8Array(pageCountMax * PAGE_BYTES);
    this.chunks = [bytes];
    this.views = [new DataView(bytes.buffer)];
    this.#refCounts = new Uint32Array(pageCountMax);
    this.#kinds = new Uint8Array(pageCountMax);
  }

  allocate(pageCount: number, kind: UsageKind, _hintPfn: number): number {
    const refs = this.#refCounts;
    let runStart = 0;
    for (let pfn = 0; pfn < refs.length; pfn++) {
      if (refs[pfn] !== 0) runStart = pfn + 1;
      else if (pfn - runStart + 1 === pageCount) {
        refs.fill(1, runStart, pfn + 1);
        this.#kinds.fill(kind, runStart, pfn + 1);
        this.#pageCounts[kind]! += pageCount;
        this.chunks[0]!.fill(0, runStart * PAGE_BYTES, (pfn + 1) * PAGE_BYTES);
        return runStart;
      }
    }
    return -ENOMEM;
  }

  incRef(pfn: number, pageCount: number): void {
    for (let i = pfn; i < pfn + pageCount; i++) this.#refCounts[i] = this.#held(i) + 1;
  }

  decRef(pfn: number, pageCount: number): void {
    for (let i = pfn; i < pfn + pageCount; i++) {
      this.#refCounts[i] = this.#held(i) - 1;
      if (this.#refCounts[i] === 0) this.#pageCounts[this.#kinds[i]!]!--;
    }
  }

  refCount(pfn: number): number {
    return this.#refCounts[pfn]!;
  }

  decommit(pfn: number, pageCount: number): void {
    this.chunks[0]!.fill(0, pfn * PAGE_BYTES, (pfn + pageCount) * PAGE_BYTES);
  }

  pageCount(kind: UsageKind): number {
    return this.#pageCounts[kind]!;
  }

  /** Pages that somebody holds: 0 when nothing leaked. */
  get usedPageCount(): number {
    return this.#pageCounts.reduce((sum, count) => sum + count, 0);
  }

  residentCount(_pfn: number, pageCount: number): number {
    return pageCount;
  }

  markResident(_pfn: number, pageCount: number, dst: Uint8Array, at: number): void {
    dst.fill(1, at, at + pageCount);
  }

  trim(): void {
    // The heap has no memory of its own to give back.
  }

  committedBytes(): number {
    return this.usedPageCount * PAGE_BYTES;
  }

  close(): void {
    this.#refCounts.fill(0);
  }

  #held(pfn: number): number {
    const count = this.#refCounts[pfn]!;
    if (count === 0) throw new Error(`HeapMemoryFile: page ${pfn} is not held`);
    return count;
  }
}
