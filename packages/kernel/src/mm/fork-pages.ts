import type { Errno } from '@tsv/abi';
import type { AddressSpace } from '@tsv/platform';
import { hostProt, type AddressMap } from './address-map.js';
import { Pma } from './pma.js';
import { VM_DONTCOPY, VM_LOCKED, VM_LOCKONFAULT, VM_WIPEONFORK } from './vma.js';

/**
 * Makes the private pages of `from` copy-on-write and copies its platform mappings; {@link inheritPages} does the rest.
 * Errors: EAGAIN, ENOMEM.
 */
export function forkPages(from: AddressMap): AddressSpace | Errno {
  const { space, vmas } = from;
  for (const vma of vmas.items) {
    if (vma.isShared) continue;
    for (const pma of from.pagesOf(vma)) {
      if (pma.isCow) continue;
      const prot = hostProt(vma.prot, true);
      if (prot !== vma.prot) space.protect(pma.start, pma.end - pma.start, prot);
      pma.isCow = true;
    }
  }
  return space.fork();
}

/** Gives `to`, whose platform mappings are a copy of those of `from`, its VMAs and references of its pages. */
export function inheritPages(from: AddressMap, to: AddressMap): void {
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
      to.memory.incRef(pma.pfn, pma.pageCount);
      to.insertPages(new Pma(pma.start, pma.end, pma.pfn, pma.isCow));
    }
  }
}
