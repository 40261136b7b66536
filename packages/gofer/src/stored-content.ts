import {
  EBADF,
  EFBIG,
  ENOSPC,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  SEEK_DATA,
  SEEK_HOLE,
  type Errno,
} from '@tsv/abi';
import { fallocate, ftruncate, lseek, preadv2, pwritev2 } from '@tsv/host';
import { FILE_BYTES_MAX, type FileContent, type IoBuffer, type MappingObserver, type PageBudget } from '@tsv/vfs';
import type { FileStore } from './file-store.js';
import { AT_EMPTY_PATH } from './host-file-system.js';
import { HostStat } from './host-stat.js';

const PAGE_BYTES = 4096;
/** 512-byte blocks of a page. */
const BLOCKS_PER_PAGE = 8;

const stat = new HostStat();

/**
 * The bytes of one file as a file of the host, which is made when there are any. Differs from a tmpfs: what is counted
 * is the size, holes included, so that no mapping of a hole gets past the limit.
 */
export class StoredContent implements FileContent {
  sizeBytes = 0;
  runCount = 0;
  readonly #store: FileStore;
  readonly #budget: PageBudget;
  readonly #observers = new Set<MappingObserver>();
  /** The file's name in the store; 0 while there is none. */
  #name = 0;
  #fd = -1;
  /** Pages taken of the budget: those up to the size, or up to {@link #reservedBytes}. */
  #chargedCount = 0;
  #reservedBytes = 0;
  #pageCount = 0;
  #isPageCountStale = false;

  constructor(store: FileStore, budget: PageBudget) {
    this.#store = store;
    this.#budget = budget;
  }

  get pageCount(): number {
    if (this.#isPageCountStale || this.isMapped) this.#countPages();
    return this.#pageCount;
  }

  /** Whether its descriptor has to stay as it is. */
  get isMapped(): boolean {
    return this.#observers.size > 0;
  }

  get hostFd(): number {
    return this.#open();
  }

  read(io: IoBuffer, offset: number): number {
    if (offset >= this.sizeBytes || io.remaining === 0) return 0;
    const fd = this.#open();
    return fd < 0 ? fd : move(io, Infinity, (len, moved) => preadv2(fd, io.seg, io.segAt, len, offset + moved, 0));
  }

  write(io: IoBuffer, offset: number): number {
    if (io.remaining === 0) return 0;
    if (offset + io.remaining > FILE_BYTES_MAX) return -EFBIG;
    const fd = this.#open();
    if (fd < 0) return fd;
    const roomBytes = this.#charge(offset + io.remaining) - offset;
    if (roomBytes <= 0) {
      this.#settle();
      return -ENOSPC;
    }
    const n = move(io, roomBytes, (len, moved) => pwritev2(fd, io.seg, io.segAt, len, offset + moved, 0));
    if (n > 0) this.#changed(Math.max(this.sizeBytes, offset + n));
    else this.#settle();
    return n;
  }

  truncate(lenBytes: number): 0 | Errno {
    if (lenBytes > FILE_BYTES_MAX) return -EFBIG;
    if (lenBytes === this.sizeBytes) return 0;
    const error = this.#charge(lenBytes) < lenBytes ? -ENOSPC : this.#call((fd) => ftruncate(fd, lenBytes));
    if (error < 0) {
      this.#settle();
      return error;
    }
    const isShrinking = lenBytes < this.sizeBytes;
    if (isShrinking) this.#reservedBytes = Math.min(this.#reservedBytes, lenBytes);
    this.#changed(lenBytes);
    if (isShrinking) this.#tellObservers(Math.ceil(lenBytes / PAGE_BYTES));
    return 0;
  }

  punchHole(start: number, end: number): 0 | Errno {
    if (this.#name === 0) return 0;
    const error = this.#call((fd) => fallocate(fd, FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE, start, end - start));
    this.#isPageCountStale = true;
    return error;
  }

  preallocate(start: number, end: number): 0 | Errno {
    const error =
      this.#charge(end) < end ? -ENOSPC : this.#call((fd) => fallocate(fd, FALLOC_FL_KEEP_SIZE, start, end - start));
    if (error === 0) this.#reservedBytes = Math.max(this.#reservedBytes, end);
    this.#changed(this.sizeBytes);
    return error;
  }

  nextData(offset: number): number {
    const found = this.#call((fd) => lseek(fd, offset, SEEK_DATA));
    return found < 0 ? -1 : found;
  }

  nextHole(offset: number): number {
    const found = this.#call((fd) => lseek(fd, offset, SEEK_HOLE));
    return found < 0 ? this.sizeBytes : found;
  }

  beforeMapping(): 0 | Errno {
    const fd = this.#open();
    return fd < 0 ? fd : 0;
  }

  pageRun(): number {
    return -EBADF;
  }

  addMapping(observer: MappingObserver): void {
    this.#observers.add(observer);
  }

  removeMapping(observer: MappingObserver): void {
    this.#observers.delete(observer);
    this.#isPageCountStale = true;
  }

  destroy(): void {
    this.sizeBytes = 0;
    this.#reservedBytes = 0;
    this.#settle();
    this.#pageCount = 0;
    this.#tellObservers(0);
    if (this.#name > 0) this.#store.remove(this, this.#name, this.#fd);
    this.#name = 0;
    this.#fd = -1;
  }

  /** The store has closed its descriptor. */
  closed(): number {
    const fd = this.#fd;
    this.#fd = -1;
    return fd;
  }

  /** Its descriptor, opened if it has none. Errors: those of open(2). */
  #open(): number {
    if (this.#fd >= 0) return this.#fd;
    if (this.#name === 0) {
      const name = this.#store.nextName();
      const fd = this.#store.create(this, name);
      if (fd >= 0) this.#name = name;
      return (this.#fd = fd);
    }
    return (this.#fd = this.#store.open(this, this.#name));
  }

  #call(body: (fd: number) => number): number {
    const fd = this.#open();
    return fd < 0 ? fd : body(fd);
  }

  /** Takes what of the budget a file of `endBytes` needs. Returns up to where there is room. */
  #charge(endBytes: number): number {
    const wanted = Math.ceil(endBytes / PAGE_BYTES) - this.#chargedCount;
    if (wanted <= 0) return endBytes;
    const taken = this.#budget.takePages(wanted);
    this.#chargedCount += taken;
    return taken === wanted ? endBytes : this.#chargedCount * PAGE_BYTES;
  }

  /** Gives back what is charged for more than there is. */
  #settle(): void {
    const needed = Math.ceil(Math.max(this.sizeBytes, this.#reservedBytes) / PAGE_BYTES);
    if (needed >= this.#chargedCount) return;
    this.#budget.givePages(this.#chargedCount - needed);
    this.#chargedCount = needed;
  }

  #changed(sizeBytes: number): void {
    this.sizeBytes = sizeBytes;
    this.#isPageCountStale = true;
    this.#settle();
  }

  #countPages(): void {
    if (this.#name === 0 || this.#call((fd) => stat.load(fd, '', AT_EMPTY_PATH)) < 0) return;
    this.#pageCount = Math.ceil(stat.blockCount / BLOCKS_PER_PAGE);
    this.#isPageCountStale = false;
  }

  #tellObservers(pageIndex: number): void {
    for (const observer of this.#observers) observer.invalidated(this, pageIndex);
  }
}

/** Moves up to `max` bytes piece by piece: `call` gets a piece's length and what was moved before. */
function move(io: IoBuffer, max: number, call: (len: number, moved: number) => number): number {
  let moved = 0;
  while (moved < max && io.remaining > 0) {
    const len = io.segment(Math.min(io.remaining, max - moved));
    const n = len <= 0 ? len : call(len, moved);
    if (n <= 0) return n < 0 && moved === 0 ? n : moved;
    io.advance(n);
    moved += n;
    if (n < len) break;
  }
  return moved;
}
