import { EAGAIN, EFAULT, EINVAL, ENOMEM, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE } from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { Placement } from './map-request.js';
import type { Mm } from './mm.js';
import { VM_LOCKED, type Vma } from './vma.js';

/** What mremap(2) is asked for. Lengths are whole pages. */
export interface RemapRequest {
  readonly oldAddr: number;
  readonly oldLen: number;
  readonly newLen: number;
  /** MREMAP_*. */
  readonly flags: number;
  /** With MREMAP_FIXED: where it goes; with MREMAP_DONTUNMAP a wish. */
  readonly newAddr: number;
  /** Bytes that may be locked in all. */
  readonly lockedBytesMax: number;
}

/** Resizes or moves a mapping without copying pages, mremap(2). Errors: EAGAIN, EFAULT, EINVAL, ENOMEM. */
export function remap(mm: Mm, request: RemapRequest): number {
  const { oldAddr, newLen, flags } = request;
  const mustMove = (flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)) !== 0;
  if (mustMove) {
    const error = checkTarget(mm, request);
    if (error < 0) return error;
  }
  let { oldLen } = request;
  if (oldLen > newLen) {
    const status = mm.unmap(oldAddr + newLen, oldLen - newLen);
    if (status < 0) return status;
    if (!mustMove) return oldAddr;
    oldLen = newLen;
  }
  const vma = mm.vmaAt(oldAddr);
  const error = checkSource(mm, vma, request, oldLen);
  if (error < 0) return error;
  if (!mustMove && oldLen === newLen) return oldAddr;
  if (oldLen === 0) return duplicate(mm, vma!, request);
  if (!mustMove) {
    const grown = growInPlace(mm, vma!, oldAddr, oldLen, newLen);
    if (grown !== 0 || (flags & MREMAP_MAYMOVE) === 0) return grown === 0 ? -ENOMEM : grown;
  }
  return move(mm, request, oldLen);
}

/** Errors: EINVAL for a target that is no place, or overlaps the source. */
function checkTarget(mm: Mm, request: RemapRequest): number {
  const { newAddr, newLen, oldAddr, oldLen, flags } = request;
  if (newAddr % PAGE_BYTES !== 0 || !(newAddr + newLen <= mm.layout.maxAddr)) return -EINVAL;
  if ((flags & MREMAP_FIXED) !== 0 && newAddr < mm.layout.minAddr) return -EINVAL;
  return newAddr < oldAddr + oldLen && oldAddr < newAddr + newLen ? -EINVAL : 0;
}

/** Errors: EAGAIN, EFAULT, EINVAL, ENOMEM. */
function checkSource(mm: Mm, vma: Vma | null, request: RemapRequest, oldLen: number): number {
  const { oldAddr, newLen, flags } = request;
  if (vma === null) return -EFAULT;
  // Only what is shared can be there twice.
  if (oldLen === 0 && (!vma.isShared || (flags & MREMAP_MAYMOVE) === 0)) return -EINVAL;
  if (oldLen > vma.end - oldAddr) return -EFAULT;
  const grownLen = newLen - oldLen;
  if ((vma.flags & VM_LOCKED) !== 0 && mm.lockedBytes + grownLen > request.lockedBytesMax) return -EAGAIN;
  const addedLen = (flags & MREMAP_DONTUNMAP) !== 0 ? newLen : grownLen;
  return mm.checkRoom(addedLen, vma.prot, vma.flags, 0);
}

/** A second mapping of what a shared one maps. */
function duplicate(mm: Mm, vma: Vma, request: RemapRequest): number {
  const isFixed = (request.flags & MREMAP_FIXED) !== 0;
  return mapLike(
    mm,
    vma,
    request.newAddr,
    request.newLen,
    vma.offsetOf(request.oldAddr),
    isFixed ? Placement.FIXED : Placement.ANYWHERE,
  );
}

function mapLike(mm: Mm, vma: Vma, addr: number, len: number, offset: number, placement: Placement): number {
  const { prot, flags, mappable, file, name } = vma;
  const sourceOffset = mappable === null ? 0 : offset;
  return mm.map({ addr, len, prot, flags, placement, mappable, file, offset: sourceOffset, name, mustPopulate: false });
}

/** Returns the address, 0 when there is no room behind the mapping, or an errno. */
function growInPlace(mm: Mm, vma: Vma, oldAddr: number, oldLen: number, newLen: number): number {
  const end = oldAddr + oldLen;
  const len = newLen - oldLen;
  if (vma.end !== end || end + len > mm.layout.maxAddr || mm.gaps.findUp(end, end + len, len) !== end) return 0;
  const status = mapLike(mm, vma, end, len, vma.offsetOf(end), Placement.FIXED_NOREPLACE);
  return status < 0 ? status : oldAddr;
}

function move(mm: Mm, request: RemapRequest, oldLen: number): number {
  const { oldAddr, newLen, flags } = request;
  const isFixed = (flags & MREMAP_FIXED) !== 0;
  const target = isFixed ? request.newAddr : mm.findFree(request.newAddr, newLen);
  if (target < 0) return target;
  if (isFixed) {
    const status = mm.unmap(target, newLen);
    if (status < 0) return status;
  }
  const vma = moveMapping(mm, oldAddr, oldLen, target, (flags & MREMAP_DONTUNMAP) !== 0);
  if (newLen > oldLen) {
    const status = mapLike(
      mm,
      vma,
      target + oldLen,
      newLen - oldLen,
      vma.offsetOf(target + oldLen),
      Placement.FIXED_NOREPLACE,
    );
    if (status < 0) return status;
  }
  const status = mm.settle();
  return status < 0 ? status : target;
}

/** Moves the pages of `[from, from + len)` to `to`, where nothing is mapped. Returns the mapping there. */
function moveMapping(mm: Mm, from: number, len: number, to: number, mustKeepSource: boolean): Vma {
  const map = mm.addressMap;
  mm.code.restore(from, from + len);
  map.isolate(from, from + len);
  const source = map.vmas.at(from)!;
  const copy = source.clone(from, from + len);
  copy.start = to;
  copy.end = to + len;
  const pages = map.takePages(from, from + len);
  const vma = map.add(copy);
  for (const pma of pages) {
    map.addPages(vma, pma.start - from + to, pma.end - from + to, pma.pfn, pma.isCow);
  }
  if (mustKeepSource) {
    map.setFlags(from, from + len, 0, VM_LOCKED);
    map.resetPlatform(map.vmas.at(from)!, from, from + len);
  } else {
    map.remove(from, from + len);
    mm.gaps.freed(from + len);
  }
  return vma;
}
