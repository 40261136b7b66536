/** Who mapped a file into memory and must hear when pages go away. */
export interface MappingObserver {
  /** Pages from `pageIndex` on are gone: accesses there raise SIGBUS until the file grows again, mmap(2). */
  invalidated(mappable: Mappable, pageIndex: number): void;
}

/** A file as memory: the source of a mapping's pages. */
export interface Mappable {
  /**
   * A host descriptor that platforms may map in place of memory-file pages, or -1. With one, {@link pageRun} is not
   * used; file offsets are the same. The descriptor is the file's: valid while the file is mapped.
   */
  readonly hostFd: number;
  /** Bytes of the file now. */
  readonly sizeBytes: number;
  /**
   * Memory-file page of page `pageIndex` of the file; holes get a page when `mayAllocate`. Sets {@link runCount} to
   * how many following pages (itself included, at most `countMax`) lie contiguously behind it. The file keeps its own
   * reference; a mapper takes another. Returns a pfn, -EFAULT for a hole or beyond the end, or -ENOMEM.
   */
  pageRun(pageIndex: number, countMax: number, mayAllocate: boolean): number;
  runCount: number;
  addMapping(observer: MappingObserver): void;
  removeMapping(observer: MappingObserver): void;
  /**
   * Whether a private mapping of {@link hostFd} with `prot` will be allowed by the host, as far as that depends on the
   * file: it need not be asked at once then. Told by {@link wasMapped}. Absent: it is always asked.
   */
  isKnownToMap?(prot: number): boolean;
  /** The host has allowed a private mapping with `prot`. */
  wasMapped?(prot: number): void;
}
