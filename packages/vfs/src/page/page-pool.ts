/** Bytes of a page. */
export const PAGE_BYTES = 4096;
export const PAGE_SHIFT = 12;
/** A chunk of a pool has 2^CHUNK_SHIFT pages: 1 GiB, so that a byte offset in a chunk is a small integer for V8. */
export const CHUNK_SHIFT = 18;
const CHUNK_MASK = (1 << CHUNK_SHIFT) - 1;

/** What pages are used for, in a pool that counts them by use: ANONYMOUS, PAGE_CACHE, TMPFS, SYSTEM. */
export type PageKind = 0 | 1 | 2 | 3;
export const PAGE_KIND_TMPFS: PageKind = 2;

/** Index of the chunk that holds page `pfn`. */
export function chunkOf(pfn: number): number {
  return pfn >>> CHUNK_SHIFT;
}

/** Byte offset of page `pfn` in its chunk. */
export function chunkAt(pfn: number): number {
  return (pfn & CHUNK_MASK) << PAGE_SHIFT;
}

/**
 * Where file pages live. The kernel's memory file is one, so that what is in a file can be mapped by guests;
 * `HeapPagePool` is one for everybody else. Pages are named by number (`pfn`) and counted by reference.
 */
export interface PagePool {
  /** The memory, by {@link chunkOf}. Look chunks up anew after an allocation. */
  readonly chunks: readonly Uint8Array[];

  /**
   * Takes `pageCount` contiguous pages of one chunk that read as zeros, with one reference each; near `hintPfn` if that
   * is not negative. Returns the first, or -ENOMEM.
   */
  allocate(pageCount: number, kind: PageKind, hintPfn: number): number;
  incRef(pfn: number, pageCount: number): void;
  /** Drops a reference of each page; pages without one are free then. */
  decRef(pfn: number, pageCount: number): void;
  /** References of one page. */
  refCount(pfn: number): number;
}
