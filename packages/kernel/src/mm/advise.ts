import { PAGE_BYTES } from '@tsv/platform';
import type { Mm } from './mm.js';
import type { Vma } from './vma.js';

/**
 * Throws away the private pages of `[start, end)` of `vma`: they read as zeros, or as the file has them, then
 * (MADV_DONTNEED). Shared ones stay: they are the source itself.
 */
export function discardPages(mm: Mm, vma: Vma, start: number, end: number): void {
  if (vma.isShared) return;
  const map = mm.addressMap;
  if (!vma.isPrivateAnonymous) {
    map.dropPages(vma, start, end);
    return;
  }
  for (let at = start; at < end;) {
    const pma = map.pmas.items[map.pmas.indexFrom(at)];
    if (pma === undefined || pma.start >= end) return;
    const from = Math.max(at, pma.start);
    const to = Math.min(end, pma.end);
    at = to;
    // Pages that others may hold are left to them; our own keep their place, so that nothing need be mapped anew.
    if (pma.isCow) map.dropPages(vma, from, to);
    else map.memory.decommit(pma.pfnAt(from), (to - from) / PAGE_BYTES);
  }
}
