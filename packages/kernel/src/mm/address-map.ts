import { PROT_READ, PROT_WRITE } from '@tsv/abi';
import type { AddressSpace, MemoryFile } from '@tsv/platform';
import type { Caller, Mappable, MappingObserver } from '@tsv/vfs';
import { Pma } from './pma.js';
import { RangeList } from './range-list.js';
import { Translation } from './translation.js';
import { VM_LOCKED, Vma } from './vma.js';
import { WrittenPages } from './written-pages.js';

/**
 * The mappings of one address space, as the guest sees them (VMAs) and by the pages that back them (PMAs), and their
 * mirror in the platform's {@link AddressSpace}: every change here queues the same change there. What the platform has
 * mapped is a function of the two lists: the memory-file pages of each PMA, and elsewhere the host file of VMAs that
 * have one. Arguments are page-aligned and were checked.
 */
export class AddressMap implements MappingObserver {
  readonly vmas = new RangeList<Vma>();
  readonly pmas = new RangeList<Pma>();
  readonly memory: MemoryFile;
  readonly space: AddressSpace;
  /** As whom mapped files are read. */
  readonly reader: Caller;
  readonly reads = new Translation();
  readonly writes = new Translation();
  vmBytes = 0;
  rssBytes = 0;
  dataBytes = 0;
  lockedBytes = 0;
  /** Tasks that use it: with several, one may run while another changes mappings. */
  userCount = 1;
  /** Shared by address spaces that were forked from each other. */
  written = new WrittenPages();
  /** None of its guest threads is known to be stopped: its pages are not given back now. */
  isForeignAccess = false;
  readonly #mappableUses = new Map<Mappable, number>();
  /** Pages that no PMA has any more, as pairs of first page and count; dropped when the platform has let go of them. */
  readonly #released: number[] = [];

  constructor(memory: MemoryFile, space: AddressSpace, reader: Caller) {
    this.memory = memory;
    this.space = space;
    this.reader = reader;
  }

  /** Pages of directly mapped host files that were read, by address; for private mappings. */
  readonly hostPages = new Map<number, Uint8Array>();

  /** Upper bound of what the host needs to mirror this, in mappings. */
  get hostMappingCount(): number {
    return this.vmas.count + 2 * this.pmas.count;
  }

  /** Makes the queued changes safe: if a guest thread may be about, they take effect before pages are used again. */
  commit(): number {
    const losesPages = this.#released.length > 0 && !this.isForeignAccess;
    const status = this.#mayGuestRun(losesPages) ? this.space.flush() : 0;
    if (!this.isForeignAccess) this.#dropReleased();
    return status;
  }

  /** Carries queued changes out now and tells whether the host could. */
  flush(): number {
    const status = this.space.flush();
    if (!this.isForeignAccess) this.#dropReleased();
    return status;
  }

  /** Adds `vma` where nothing is mapped, and takes references of its file. Returns the VMA that it is part of now. */
  add(vma: Vma): Vma {
    this.#changed();
    this.#attach(vma);
    if (vma.isHostMapped) this.#mapHostFile(vma, vma.start, vma.end);
    const index = this.vmas.insert(vma);
    return this.#mergeAround(index);
  }

  /** Unmaps `[start, end)`. Returns whether there was something. */
  remove(start: number, end: number): boolean {
    if (this.vmas.isFree(start, end)) return false;
    this.isolate(start, end);
    const first = this.vmas.indexFrom(start);
    let count = 0;
    for (let vma = this.vmas.items[first]; vma !== undefined && vma.start < end; vma = this.vmas.items[first + count]) {
      this.#detach(vma);
      count++;
    }
    this.vmas.removeAt(first, count);
    this.releasePages(start, end);
    this.space.unmap(start, end - start);
    return true;
  }

  /** Sets the protection of the VMAs in `[start, end)`. */
  protect(start: number, end: number, prot: number): void {
    this.isolate(start, end);
    for (let i = this.vmas.indexFrom(start); i < this.vmas.count; i++) {
      const vma = this.vmas.items[i]!;
      if (vma.start >= end) break;
      if (vma.prot === prot) continue;
      const oldProt = vma.prot;
      if (vma.isData) this.dataBytes -= vma.len;
      vma.prot = prot;
      if (vma.isData) this.dataBytes += vma.len;
      this.#reprotect(vma, oldProt);
    }
    this.#mergeRange(start, end);
  }

  /** Sets and clears VM_* flags of the VMAs in `[start, end)`. */
  setFlags(start: number, end: number, set: number, clear: number): void {
    this.isolate(start, end);
    for (let i = this.vmas.indexFrom(start); i < this.vmas.count; i++) {
      const vma = this.vmas.items[i]!;
      if (vma.start >= end) break;
      if ((vma.flags & VM_LOCKED) !== 0) this.lockedBytes -= vma.len;
      vma.flags = (vma.flags & ~clear) | set;
      if ((vma.flags & VM_LOCKED) !== 0) this.lockedBytes += vma.len;
    }
    this.#mergeRange(start, end);
  }

  /** Makes `vma`, which has nothing mapped in front of it, begin at `start`. */
  growDown(vma: Vma, start: number): void {
    this.#account(vma, -1);
    vma.offset -= vma.start - start;
    vma.start = start;
    this.#account(vma, 1);
    this.#changed();
  }

  /** Adds pages in `[start, end)`, where none are; takes over their references, and maps them. */
  addPages(vma: Vma, start: number, end: number, pfn: number, isCow: boolean): void {
    this.space.mapMemory(start, end - start, hostProt(vma.prot, isCow), pfn);
    this.insertPages(new Pma(start, end, pfn, isCow));
  }

  /** Adds `pma`, that the platform has mapped already. */
  insertPages(pma: Pma): void {
    this.#changed();
    this.rssBytes += pma.end - pma.start;
    const index = this.pmas.indexFrom(pma.start);
    const items = this.pmas.items;
    const prev = items[index - 1];
    const next = items[index];
    if (prev?.continuesWith(pma) === true) {
      prev.end = pma.end;
      if (next !== undefined && prev.continuesWith(next)) {
        prev.end = next.end;
        this.pmas.removeAt(index, 1);
      }
    } else if (next !== undefined && pma.continuesWith(next)) {
      next.start = pma.start;
      next.pfn = pma.pfn;
    } else {
      this.pmas.insertAt(index, pma);
    }
  }

  /** The PMAs in `vma`, split so that none reaches out of it. */
  pagesOf(vma: Vma): readonly Pma[] {
    this.#changed();
    this.#splitPagesAt(vma.start);
    this.#splitPagesAt(vma.end);
    const from = this.pmas.indexFrom(vma.start);
    return this.pmas.items.slice(from, this.pmas.indexFrom(vma.end));
  }

  /** Splits PMAs so that none reaches into `[start, end)` or out of it. */
  isolatePages(start: number, end: number): void {
    this.#splitPagesAt(start);
    this.#splitPagesAt(end);
  }

  /** Takes the PMAs out of `[start, end)`; the caller has their references and the platform's mappings to care for. */
  takePages(start: number, end: number): readonly Pma[] {
    this.#changed();
    const first = this.pmas.indexFrom(start);
    const items = this.pmas.items;
    if (first >= items.length || items[first]!.start >= end) return NO_PAGES;
    this.#splitPagesAt(start);
    this.#splitPagesAt(end);
    const from = this.pmas.indexFrom(start);
    let to = from;
    while (to < items.length && items[to]!.start < end) this.rssBytes -= items[to]!.end - items[to++]!.start;
    return items.splice(from, to - from);
  }

  /** Gives up the pages of `[start, end)`; the caller sees to what the platform has mapped there. */
  releasePages(start: number, end: number): boolean {
    const taken = this.takePages(start, end);
    for (const pma of taken) this.#released.push(pma.pfn, pma.pageCount);
    return taken.length > 0;
  }

  /** Gives up the pages of `[start, end)` of `vma`: what it maps is there again, as when it was new. */
  dropPages(vma: Vma, start: number, end: number): void {
    if (this.releasePages(start, end)) this.resetPlatform(vma, start, end);
  }

  /** Has the platform map what `vma` is without pages of ours in `[start, end)`. */
  resetPlatform(vma: Vma, start: number, end: number): void {
    if (vma.isHostMapped) this.#mapHostFile(vma, start, end);
    else this.space.unmap(start, end - start);
  }

  /** Drops pages after the platform has let go of them. */
  release(pfn: number, pageCount: number): void {
    this.#released.push(pfn, pageCount);
  }

  /** Sets whether pages of the one PMA around `[start, end)` are copied before a write; the platform is told. */
  setCow(vma: Vma, start: number, end: number, isCow: boolean): void {
    const [pma] = this.takePages(start, end);
    if (pma === undefined) throw new Error('AddressMap.setCow: there are no pages');
    const oldProt = hostProt(vma.prot, pma.isCow);
    pma.isCow = isCow;
    const prot = hostProt(vma.prot, isCow);
    if (prot !== oldProt) this.space.protect(start, end - start, prot);
    this.insertPages(pma);
  }

  /** Splits VMAs so that one begins at `start` and one ends at `end`. */
  isolate(start: number, end: number): void {
    this.#changed();
    this.#splitAt(start);
    this.#splitAt(end);
  }

  /** A file was truncated: its pages from `pageIndex` on are gone. */
  invalidated(mappable: Mappable, pageIndex: number): void {
    const offset = pageIndex * PAGE;
    for (const vma of this.vmas.items) {
      if (vma.mappable !== mappable || vma.offset + vma.len <= offset) continue;
      this.dropPages(vma, vma.start + Math.max(0, offset - vma.offset), vma.end);
    }
    if (this.#mayGuestRun(true)) this.space.flush();
  }

  /** Gives everything back; the platform's address space is released. */
  destroy(): void {
    this.#changed();
    this.space.release();
    for (const pma of this.pmas.items) this.memory.decRef(pma.pfn, pma.pageCount);
    this.pmas.items.length = 0;
    for (const vma of this.vmas.items) this.#detach(vma);
    this.vmas.items.length = 0;
    this.#dropReleased();
  }

  /** Adds a VMA of a forked address space, whose mappings the platform has copied. */
  adopt(vma: Vma): void {
    this.#attach(vma);
    this.vmas.insertAt(this.vmas.count, vma);
  }

  /** Whether a guest thread may use the mappings now; one that feigns its stop matters only if it would keep pages. */
  #mayGuestRun(losesPages: boolean): boolean {
    return this.userCount > 1 || (losesPages && this.space.canFeignStops === true);
  }

  #changed(): void {
    this.reads.reset();
    this.writes.reset();
    if (this.hostPages.size > 0) this.hostPages.clear();
  }

  #mapHostFile(vma: Vma, start: number, end: number): void {
    const prot = hostFileProt(vma, vma.prot);
    this.space.mapHostFile(start, end - start, prot, vma.mappable!.hostFd, vma.offsetOf(start), vma.isShared);
  }

  /** Tells the platform the new protection of all that is mapped in `vma`, in as few pieces as possible. */
  #reprotect(vma: Vma, oldProt: number): void {
    const { pmas, space } = this;
    const isHostMapped = vma.isHostMapped;
    let runStart = vma.start;
    let runProt = -1;
    let at = vma.start;
    for (let i = pmas.indexFrom(at); at < vma.end;) {
      const pma = pmas.items[i];
      const isPages = pma !== undefined && pma.start <= at;
      const end = isPages ? Math.min(pma.end, vma.end) : Math.min(pma?.start ?? vma.end, vma.end);
      let prot = -1;
      if (isPages) {
        prot = hostProt(vma.prot, pma.isCow);
        if (prot === hostProt(oldProt, pma.isCow)) prot = -1;
        i++;
      } else if (isHostMapped) {
        prot = hostFileProt(vma, vma.prot);
        if (prot === hostFileProt(vma, oldProt)) prot = -1;
      }
      if (prot !== runProt) {
        if (runProt >= 0) space.protect(runStart, at - runStart, runProt);
        runStart = at;
        runProt = prot;
      }
      at = end;
    }
    if (runProt >= 0) space.protect(runStart, vma.end - runStart, runProt);
  }

  #splitAt(addr: number): void {
    const index = this.vmas.indexFrom(addr);
    const vma = this.vmas.items[index];
    if (vma === undefined || vma.start >= addr) return;
    const tail = vma.clone(addr, vma.end);
    this.#account(vma, -1);
    vma.end = addr;
    this.#account(vma, 1);
    this.#attach(tail);
    this.vmas.insertAt(index + 1, tail);
  }

  #splitPagesAt(addr: number): void {
    const index = this.pmas.indexFrom(addr);
    const pma = this.pmas.items[index];
    if (pma === undefined || pma.start >= addr) return;
    this.pmas.insertAt(index + 1, new Pma(addr, pma.end, pma.pfnAt(addr), pma.isCow));
    pma.end = addr;
  }

  /** Joins the VMAs in `[start, end)` with each other and their neighbours where they are alike. */
  #mergeRange(start: number, end: number): void {
    const items = this.vmas.items;
    let index = Math.max(1, this.vmas.indexFrom(start));
    while (index < items.length && items[index]!.start <= end) {
      if (!this.#mergeWithPrev(index)) index++;
    }
  }

  #mergeAround(index: number): Vma {
    const items = this.vmas.items;
    if (index + 1 < items.length) this.#mergeWithPrev(index + 1);
    return items[index > 0 && this.#mergeWithPrev(index) ? index - 1 : index]!;
  }

  #mergeWithPrev(index: number): boolean {
    const items = this.vmas.items;
    const prev = items[index - 1]!;
    const vma = items[index]!;
    if (!prev.continuesWith(vma)) return false;
    this.#account(prev, -1);
    this.#detach(vma);
    prev.end = vma.end;
    this.#account(prev, 1);
    this.vmas.removeAt(index, 1);
    return true;
  }

  #attach(vma: Vma): void {
    this.#account(vma, 1);
    vma.file?.incRef();
    const { mappable } = vma;
    if (mappable === null) return;
    const uses = this.#mappableUses.get(mappable) ?? 0;
    this.#mappableUses.set(mappable, uses + 1);
    if (uses === 0) mappable.addMapping(this);
  }

  #detach(vma: Vma): void {
    this.#account(vma, -1);
    const { mappable } = vma;
    if (mappable !== null) {
      const uses = this.#mappableUses.get(mappable)!;
      if (uses > 1) this.#mappableUses.set(mappable, uses - 1);
      else {
        this.#mappableUses.delete(mappable);
        mappable.removeMapping(this);
      }
    }
    vma.file?.decRef();
  }

  #account(vma: Vma, sign: 1 | -1): void {
    const len = sign * vma.len;
    this.vmBytes += len;
    if (vma.isData) this.dataBytes += len;
    if ((vma.flags & VM_LOCKED) !== 0) this.lockedBytes += len;
  }

  #dropReleased(): void {
    const released = this.#released;
    if (released.length === 0) return;
    for (let i = 0; i < released.length; i += 2) this.memory.decRef(released[i]!, released[i + 1]!);
    released.length = 0;
  }
}

const PAGE = 4096;
const NO_PAGES: readonly Pma[] = [];

/** Protection of memory-file pages in the platform. */
export function hostProt(prot: number, isCow: boolean): number {
  return isCow && (prot & PROT_WRITE) !== 0 ? (prot & ~PROT_WRITE) | PROT_READ : prot;
}

/** Protection of a directly mapped host file: a private one is copied before it is written. */
function hostFileProt(vma: Vma, prot: number): number {
  return vma.isShared ? prot : hostProt(prot, true);
}
