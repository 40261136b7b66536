import { PAGE_SHIFT } from '@tsv/platform';
import type { AddressRange } from './range-list.js';

/**
 * Addresses that have pages of the memory file, each page held by one reference. The platform maps all of them, with
 * the protection of the {@link Vma}, less PROT_WRITE while `isCow`.
 */
export class Pma implements AddressRange {
  start: number;
  end: number;
  /** Page at `start`; the others follow it in the file. */
  pfn: number;
  /** Others may hold the pages too: they are copied before they are written. */
  isCow: boolean;

  constructor(start: number, end: number, pfn: number, isCow: boolean) {
    this.start = start;
    this.end = end;
    this.pfn = pfn;
    this.isCow = isCow;
  }

  /** Page at `addr`. */
  pfnAt(addr: number): number {
    return this.pfn + pagesIn(addr - this.start);
  }

  /** Page behind the last one. */
  get endPfn(): number {
    return this.pfn + pagesIn(this.end - this.start);
  }

  get pageCount(): number {
    return pagesIn(this.end - this.start);
  }

  continuesWith(next: Pma): boolean {
    return this.end === next.start && this.endPfn === next.pfn && this.isCow === next.isCow;
  }
}

/** Pages in `len` bytes, a multiple of the page size; guest ranges exceed 32 bits. */
export function pagesIn(len: number): number {
  return len / (1 << PAGE_SHIFT);
}

/** Rounds down to a page. */
export function pageFloor(addr: number): number {
  return addr - (addr % (1 << PAGE_SHIFT));
}

/** Rounds up to a page. */
export function pageCeil(addr: number): number {
  return pageFloor(addr + (1 << PAGE_SHIFT) - 1);
}
