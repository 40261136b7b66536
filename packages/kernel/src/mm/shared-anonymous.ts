import { EFAULT, ENOMEM } from '@tsv/abi';
import { CHUNK_PAGES, PAGE_BYTES, UsageKind, type MemoryFile } from '@tsv/platform';
import type { Mappable, MappingObserver } from '@tsv/vfs';

/** Pages that get their file range together: the window around the page that is needed. */
const WINDOW_PAGES = 16384;
const HOLE = -1;

/**
 * Memory that processes share: a MAP_SHARED anonymous mapping, or a segment of shmget(2). It lives while it is mapped,
 * or held with {@link hold}.
 */
export class SharedAnonymous implements Mappable {
  readonly hostFd = -1;
  readonly sizeBytes: number;
  runCount = 0;
  readonly #memory: MemoryFile;
  readonly #pageCount: number;
  /** First page of each window, or HOLE. */
  readonly #windows: number[] = [];
  #holdCount = 0;

  constructor(memory: MemoryFile, sizeBytes: number) {
    this.#memory = memory;
    this.sizeBytes = sizeBytes;
    this.#pageCount = Math.ceil(sizeBytes / PAGE_BYTES);
  }

  pageRun(pageIndex: number, countMax: number, mayAllocate: boolean): number {
    if (pageIndex >= this.#pageCount) return -EFAULT;
    const window = Math.floor(pageIndex / WINDOW_PAGES);
    const windowPage = window * WINDOW_PAGES;
    const windowPages = Math.min(WINDOW_PAGES, this.#pageCount - windowPage);
    let pfn = this.#windows[window] ?? HOLE;
    if (pfn === HOLE) {
      if (!mayAllocate) return -EFAULT;
      pfn = this.#memory.allocate(Math.min(windowPages, CHUNK_PAGES), UsageKind.TMPFS, this.#hint(window));
      if (pfn < 0) return -ENOMEM;
      while (this.#windows.length <= window) this.#windows.push(HOLE);
      this.#windows[window] = pfn;
    }
    const skipped = pageIndex - windowPage;
    this.runCount = Math.min(countMax, windowPages - skipped);
    return pfn + skipped;
  }

  /** Gives the memory of pages back, MADV_REMOVE; they read as zeros then. */
  discard(pageIndex: number, pageCount: number): void {
    for (let at = pageIndex; at < pageIndex + pageCount; at += this.runCount) {
      const pfn = this.pageRun(at, pageIndex + pageCount - at, false);
      if (pfn >= 0) this.#memory.decommit(pfn, this.runCount);
      else this.runCount = WINDOW_PAGES - (at % WINDOW_PAGES);
    }
  }

  /** Keeps it alive without a mapping, until {@link drop}. */
  hold(): void {
    this.#holdCount++;
  }

  drop(): void {
    if (--this.#holdCount > 0) return;
    for (const [window, pfn] of this.#windows.entries()) {
      if (pfn !== HOLE) this.#memory.decRef(pfn, Math.min(WINDOW_PAGES, this.#pageCount - window * WINDOW_PAGES));
    }
    this.#windows.length = 0;
  }

  addMapping(_observer: MappingObserver): void {
    this.hold();
  }

  removeMapping(_observer: MappingObserver): void {
    this.drop();
  }

  #hint(window: number): number {
    const before = this.#windows[window - 1] ?? HOLE;
    return before === HOLE ? -1 : before + WINDOW_PAGES;
  }
}
