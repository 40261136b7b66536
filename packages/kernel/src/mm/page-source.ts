import { EFAULT, ENOMEM, EIO } from '@tsv/abi';
import { CHUNK_PAGES, PAGE_BYTES, UsageKind, chunkAt, chunkOf, type MemoryFile } from '@tsv/platform';
import { MemoryIo } from '@tsv/vfs';
import type { AddressMap } from './address-map.js';
import { pageCeil, pagesIn, type Pma } from './pma.js';
import type { Vma } from './vma.js';

/** Private anonymous mappings up to this get all their pages' file range when they are made. */
export const EAGER_BYTES_MAX = 256 * 1024 * 1024;
/** Writable private mappings of a host file up to this are copied when they are made, as the data of libraries is. */
const EAGER_COPY_BYTES_MAX = 1024 * 1024;
/** Windows in which a giant mapping gets file ranges; each may be as large as the one before it. */
const WINDOW_BYTES_MIN = 2 * 1024 * 1024;
const WINDOW_BYTES_MAX = 64 * 1024 * 1024;
/** What a fault maps of a file at once, and what a write copies. */
const AROUND_BYTES = 16 * PAGE_BYTES;
/** What a write makes writable at once if nobody else holds the pages. */
const REUSE_BYTES = 512 * PAGE_BYTES;
/** Runs of a file's pages that are mapped when the mapping is made. */
const EAGER_RUN_COUNT_MAX = 16;

const NOTHING = new Uint8Array(0);
const io = new MemoryIo(NOTHING);

/**
 * Sees to it that the page at `addr` of `vma` can be accessed, by the platform and by us. Without a PMA there then,
 * the page is the host file's. Returns 0. Errors: EFAULT beyond the end of a file (SIGBUS), EIO, ENOMEM.
 */
export function makePresent(map: AddressMap, vma: Vma, addr: number, isWrite: boolean): number {
  let pma = map.pmas.at(addr);
  if (pma === null) {
    if (vma.isHostMapped && !(isWrite && !vma.isShared)) return 0;
    const status = vma.isPrivateAnonymous
      ? populate(map, vma, windowStart(map, vma, addr), windowEnd)
      : vma.isHostMapped
        ? copyFromFile(map, vma, aroundStart(map, vma, addr), windowEnd, addr)
        : mapPageRuns(map, vma, addr, gapEnd(map, vma, addr, AROUND_BYTES), true);
    if (status < 0) return status;
    pma = map.pmas.at(addr);
    if (pma === null) return -EFAULT;
  }
  return isWrite && pma.isCow ? breakCow(map, vma, pma, addr) : 0;
}

/** What a new mapping gets before its first fault. Returns 0. Errors: ENOMEM. */
export function populateNew(map: AddressMap, vma: Vma, start: number, end: number): number {
  if (vma.isPrivateAnonymous) {
    return end - start <= EAGER_BYTES_MAX && vma.isAccessible ? populate(map, vma, start, end) : 0;
  }
  if (!vma.isHostMapped) {
    mapPageRuns(map, vma, start, end, false);
  } else if (!vma.isShared && vma.isWritable && end - start <= EAGER_COPY_BYTES_MAX) {
    const status = copyFromFile(map, vma, start, end, -1);
    return status === -ENOMEM ? status : 0;
  }
  return 0;
}

/** Gives private anonymous memory in `[start, end)` pages where it has none. Returns 0. Errors: ENOMEM. */
export function populate(map: AddressMap, vma: Vma, start: number, end: number): number {
  const { pmas } = map;
  for (let at = start; at < end;) {
    const next = pmas.items[pmas.indexFrom(at)];
    if (next !== undefined && next.start <= at) {
      at = next.end;
      continue;
    }
    const gap = Math.min(next?.start ?? end, end) - at;
    const pageCount = Math.min(pagesIn(gap), CHUNK_PAGES);
    const pfn = map.memory.allocate(pageCount, UsageKind.ANONYMOUS, hintPfn(map, at, pageCount));
    if (pfn < 0) return pfn;
    map.addPages(vma, at, at + pageCount * PAGE_BYTES, pfn, false);
    at += pageCount * PAGE_BYTES;
  }
  return 0;
}

/** Where new pages at `start` continue what is mapped next to them: host mappings can merge then. */
function hintPfn(map: AddressMap, start: number, pageCount: number): number {
  const index = map.pmas.indexFrom(start);
  const prev = map.pmas.items[index - 1];
  if (prev?.end === start && !prev.isCow) return prev.endPfn;
  const next = map.pmas.items[index];
  if (next?.start === start + pageCount * PAGE_BYTES && !next.isCow) return next.pfn - pageCount;
  return -1;
}

/** End of the window that {@link windowStart} or {@link aroundStart} found. */
let windowEnd = 0;

/** Finds the part of the hole around `addr` to fill: the whole of a small mapping, a window of a giant one. */
function windowStart(map: AddressMap, vma: Vma, addr: number): number {
  const index = map.pmas.indexFrom(addr);
  const prev = map.pmas.items[index - 1];
  const next = map.pmas.items[index];
  const holeStart = Math.max(vma.start, prev?.end ?? 0);
  const holeEnd = Math.min(vma.end, next?.start ?? Infinity);
  if (vma.len <= EAGER_BYTES_MAX) {
    windowEnd = holeEnd;
    return holeStart;
  }
  let bytes = WINDOW_BYTES_MIN;
  const before = prev?.end === holeStart ? prev.end - prev.start : 0;
  while (bytes < WINDOW_BYTES_MAX && bytes * 2 <= before && addr - holeStart < bytes) bytes *= 2;
  const start = addr - (addr % bytes);
  windowEnd = Math.min(holeEnd, start + bytes);
  return Math.max(holeStart, start);
}

/** Finds the aligned {@link AROUND_BYTES} around `addr`, as far as `vma` has no pages there. */
function aroundStart(map: AddressMap, vma: Vma, addr: number): number {
  const index = map.pmas.indexFrom(addr);
  const prev = map.pmas.items[index - 1];
  const next = map.pmas.items[index];
  const start = addr - (addr % AROUND_BYTES);
  windowEnd = Math.min(start + AROUND_BYTES, vma.end, next?.start ?? Infinity);
  return Math.max(start, vma.start, prev?.end ?? 0);
}

/** End of the hole at `addr`, at most `max` behind it. */
function gapEnd(map: AddressMap, vma: Vma, addr: number, max: number): number {
  const next = map.pmas.items[map.pmas.indexFrom(addr)];
  return Math.min(vma.end, next?.start ?? Infinity, addr + max);
}

/** Maps pages of a file in the memory file in `[start, end)`, up to the first that there is not. Returns 0 if any. */
function mapPageRuns(map: AddressMap, vma: Vma, start: number, end: number, mayAllocate: boolean): number {
  const mappable = vma.mappable!;
  let at = start;
  for (let runCount = 0; at < end && (mayAllocate || runCount < EAGER_RUN_COUNT_MAX); runCount++) {
    const pfn = mappable.pageRun(pagesIn(vma.offsetOf(at)), pagesIn(end - at), mayAllocate);
    if (pfn < 0) return at > start ? 0 : pfn;
    const count = mappable.runCount;
    map.memory.incRef(pfn, count);
    map.addPages(vma, at, at + count * PAGE_BYTES, pfn, !vma.isShared);
    at += count * PAGE_BYTES;
  }
  return 0;
}

/**
 * Copies the host file's pages in `[start, end)` to pages of the process's own; those wholly behind the end of the file
 * stay the file's. Returns 0. Errors: EFAULT when `addr` is behind the end, EIO, ENOMEM.
 */
function copyFromFile(map: AddressMap, vma: Vma, start: number, end: number, addr: number): number {
  const fileEnd = vma.start + pageCeil(vma.mappable!.sizeBytes) - vma.offset;
  if (addr >= fileEnd) return -EFAULT;
  const stop = Math.min(end, fileEnd);
  if (stop <= start) return 0;
  const pageCount = pagesIn(stop - start);
  const pfn = map.memory.allocate(pageCount, UsageKind.ANONYMOUS, hintPfn(map, start, pageCount));
  if (pfn < 0) return pfn;
  const status = readFile(map, vma, start, map.memory.chunks[chunkOf(pfn)]!, chunkAt(pfn), stop - start);
  if (status < 0) {
    map.memory.decRef(pfn, pageCount);
    return status;
  }
  map.addPages(vma, start, stop, pfn, false);
  return 0;
}

/**
 * Reads what the file of `vma` has at `addr` to `dst`, which holds zeros; it may end early. Returns 0. Errors: EIO.
 */
export function readFile(map: AddressMap, vma: Vma, addr: number, dst: Uint8Array, at: number, len: number): number {
  const offset = vma.offsetOf(addr);
  io.reset(dst, at, len);
  let status = 0;
  while (io.remaining > 0) {
    status = vma.file!.readAt(io, offset + (len - io.remaining), map.reader);
    if (status <= 0) break;
  }
  io.reset(NOTHING, 0, 0);
  return status < 0 ? -EIO : 0;
}

/** Writes `len` bytes to the file of a shared `vma` at `addr`. Returns 0. Errors: EIO. */
export function writeFile(map: AddressMap, vma: Vma, addr: number, src: Uint8Array, at: number, len: number): number {
  const offset = vma.offsetOf(addr);
  io.reset(src, at, len);
  let status = 1;
  while (io.remaining > 0 && status > 0) {
    status = vma.file!.writeAt(io, offset + (len - io.remaining), map.reader);
  }
  io.reset(NOTHING, 0, 0);
  return status <= 0 ? -EIO : 0;
}

/** Makes the page at `addr` writable, and neighbours that are in the same state. Returns 0. Errors: ENOMEM. */
function breakCow(map: AddressMap, vma: Vma, pma: Pma, addr: number): number {
  const { memory } = map;
  map.written.note(addr);
  const isOwn = memory.refCount(pma.pfnAt(addr)) === 1;
  const bytes = isOwn ? REUSE_BYTES : AROUND_BYTES;
  const low = Math.max(addr - (addr % bytes), vma.start, pma.start);
  const high = Math.min(addr - (addr % bytes) + bytes, vma.end, pma.end);
  let start = addr;
  while (start > low && (memory.refCount(pma.pfnAt(start - PAGE_BYTES)) === 1) === isOwn) start -= PAGE_BYTES;
  let end = addr + PAGE_BYTES;
  while (end < high && (memory.refCount(pma.pfnAt(end)) === 1) === isOwn) end += PAGE_BYTES;
  if (isOwn) {
    map.setCow(vma, start, end, false);
    return 0;
  }
  return copyPages(map, vma, pma, start, end);
}

function copyPages(map: AddressMap, vma: Vma, pma: Pma, start: number, end: number): number {
  const { memory } = map;
  const pageCount = pagesIn(end - start);
  const pfn = memory.allocate(pageCount, UsageKind.ANONYMOUS, copyHintPfn(map, pma, start));
  if (pfn < 0) return pfn;
  for (let i = 0; i < pageCount; i++) copyPage(memory, pma.pfnAt(start) + i, pfn + i);
  map.releasePages(start, end);
  map.addPages(vma, start, end, pfn, false);
  return 0;
}

/** Copies a page of the memory file. */
export function copyPage(memory: MemoryFile, from: number, to: number): void {
  const fromAt = chunkAt(from);
  const bytes = memory.chunks[chunkOf(from)]!.subarray(fromAt, fromAt + PAGE_BYTES);
  memory.chunks[chunkOf(to)]!.set(bytes, chunkAt(to));
}

/** Where a copy of pages at `start` of `pma` continues the copy that was made before it. */
function copyHintPfn(map: AddressMap, pma: Pma, start: number): number {
  if (start !== pma.start) return -1;
  const prev = map.pmas.items[map.pmas.indexFrom(start) - 1];
  return prev?.end === start && !prev.isCow ? prev.endPfn : -1;
}
