import type { Errno } from '@tsv/abi';
import { PAGE_BYTES, UsageKind, type AddressSpace } from '@tsv/platform';
import { hostProt, type AddressMap } from './address-map.js';
import { copyPage } from './page-source.js';
import { Pma } from './pma.js';
import { VM_DONTCOPY, VM_LOCKED, VM_LOCKONFAULT, VM_SPECIAL, VM_WIPEONFORK } from './vma.js';

/** What a fork makes before there is a child to own it. */
export interface ForkedPages {
  readonly space: AddressSpace;
  /** Pages of the child's own, by the address whose contents they have. */
  readonly copies: ReadonlyMap<number, number>;
}

/**
 * Makes the private pages of `from` copy-on-write and copies its platform mappings; {@link inheritPages} does the rest. Pages
 * that are likely to be written soon are copied now, which spares both sides a fault. Errors: EAGAIN, ENOMEM.
 */
export function forkPages(from: AddressMap): ForkedPages | Errno {
  const { space, vmas, memory } = from;
  const copies = copyWritten(from);
  for (const vma of vmas.items) {
    if (vma.isShared) continue;
    for (const pma of from.pagesOf(vma)) {
      if (pma.isCow || copies.has(pma.start)) continue;
      const prot = hostProt(vma.prot, true);
      if (prot !== vma.prot) space.protect(pma.start, pma.end - pma.start, prot);
      pma.isCow = true;
    }
  }
  const forked = space.fork();
  if (typeof forked !== 'number') return { space: forked, copies };
  for (const pfn of copies.values()) memory.decRef(pfn, 1);
  return forked;
}

/**
 * Gives `to`, whose platform mappings are a copy of those of `from`, its VMAs, references of its pages, and the copies that
 * {@link forkPages} has made.
 */
export function inheritPages(from: AddressMap, to: AddressMap, copies: ForkedPages['copies']): void {
  to.written = from.written;
  for (const vma of from.vmas.items) {
    const isWiped = (vma.flags & VM_WIPEONFORK) !== 0;
    const isLeftOut = (vma.flags & VM_DONTCOPY) !== 0;
    if (isWiped || isLeftOut) to.space.unmap(vma.start, vma.len);
    if (isLeftOut) continue;
    const copy = vma.clone(vma.start, vma.end);
    copy.flags &= ~(VM_LOCKED | VM_LOCKONFAULT);
    to.adopt(copy);
    if (isWiped) continue;
    for (const pma of from.pagesOf(vma)) {
      const copied = copies.get(pma.start);
      if (copied !== undefined) {
        to.addPages(copy, pma.start, pma.end, copied, false);
        continue;
      }
      to.memory.incRef(pma.pfn, pma.pageCount);
      to.insertPages(new Pma(pma.start, pma.end, pma.pfn, pma.isCow));
    }
  }
}

/** Copies the pages that were written again after earlier forks, and makes a PMA of each. Without room there are fewer. */
function copyWritten(from: AddressMap): Map<number, number> {
  const copies = new Map<number, number>();
  // Another thread could write to a page while it is copied.
  if (from.userCount > 1) return copies;
  const { memory, written } = from;
  let hint = -1;
  for (const addr of written.sorted()) {
    const vma = from.vmas.at(addr);
    const pma = from.pmas.at(addr);
    if (vma === null || pma === null || vma.isShared || !vma.isWritable || (vma.flags & UNLIKE_PARENT) !== 0) continue;
    const pfn = memory.allocate(1, UsageKind.ANONYMOUS, hint);
    if (pfn < 0) break;
    copyPage(memory, pma.pfnAt(addr), pfn);
    from.isolatePages(addr, addr + PAGE_BYTES);
    copies.set(addr, pfn);
    hint = pfn + 1;
  }
  return copies;
}

/** What a child does not have, or cannot write. */
const UNLIKE_PARENT = VM_DONTCOPY | VM_WIPEONFORK | VM_SPECIAL;
