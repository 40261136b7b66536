/** Bytes of a page. */
export const PAGE_BYTES = 4096;
export const PAGE_SHIFT = 12;
/** Pages of a chunk of the memory file: 1 GiB, so that a byte offset in a chunk is a small integer for V8. */
export const CHUNK_PAGES = 1 << 18;
export const CHUNK_SHIFT = 18;
const CHUNK_MASK = CHUNK_PAGES - 1;

/** What memory is used for, as `tsv usage` reports it. */
export const UsageKind = {
  ANONYMOUS: 0,
  PAGE_CACHE: 1,
  TMPFS: 2,
  SYSTEM: 3,
} as const;
export type UsageKind = (typeof UsageKind)[keyof typeof UsageKind];
export const USAGE_KIND_COUNT = 4;

/** Index of the chunk that holds page `pfn`. */
export function chunkOf(pfn: number): number {
  return pfn >>> CHUNK_SHIFT;
}

/** Byte offset of page `pfn` in its chunk. */
export function chunkAt(pfn: number): number {
  return (pfn & CHUNK_MASK) << PAGE_SHIFT;
}

/**
 * The file that backs guest memory. Pages are named by their frame number in the file (`pfn`, below 2^31) and counted
 * by reference: a page is free when nobody holds it. An allocation never crosses a chunk.
 */
export interface MemoryFile {
  /** The host's descriptor of the file, for platforms to map. */
  readonly fd: number;

  /**
   * Chunks mapped into this process, by {@link chunkOf}. A chunk that was never allocated from is absent. An allocation may
   * put a longer array in the place of one; the shorter one shows the same memory still.
   */
  readonly chunks: readonly Uint8Array[];
  /** The same chunks as views. */
  readonly views: readonly DataView[];

  /**
   * Takes `pageCount` (1 to CHUNK_PAGES) contiguous pages that read as zeros, with one reference each. `hintPfn`, if
   * not negative, is where it would like them. Returns the first page, or -ENOMEM.
   */
  allocate(pageCount: number, kind: UsageKind, hintPfn: number): number;

  /** Adds a reference to each page of the range. */
  incRef(pfn: number, pageCount: number): void;

  /** Drops a reference of each page of the range; pages without one are free then. */
  decRef(pfn: number, pageCount: number): void;

  /** References of one page. */
  refCount(pfn: number): number;

  /** Gives the memory of pages back to the host; they read as zeros then. The caller still holds them. */
  decommit(pfn: number, pageCount: number): void;

  /** Pages allocated for `kind`. */
  pageCount(kind: UsageKind): number;

  /** Pages of the range that have memory of the host. */
  residentCount(pfn: number, pageCount: number): number;

  /** Stores 1 for each page of the range that has memory of the host and 0 for each other one, to `dst` from `at` on. */
  markResident(pfn: number, pageCount: number, dst: Uint8Array, at: number): void;

  /** Gives the memory of free pages back to the host: for when the sandbox is idle. */
  trim(): void;

  /** Bytes that the host has committed to the file. */
  committedBytes(): number;

  /** Unmaps and closes the file. Nobody holds a page or a view after this. */
  close(): void;
}
