import { PROT_EXEC } from '@tsv/abi';
import { PAGE_BYTES, UsageKind, chunkAt, chunkOf, type CodeMemory } from '@tsv/platform';
import type { Mm } from './mm.js';
import { makePresent, readFile } from './page-source.js';
import { pageFloor } from './pma.js';
import { VM_SHARED, VM_SPECIAL, type Vma } from './vma.js';

/** What the platform has replaced somewhere, and by what. */
interface Replacement {
  readonly oldBytes: Uint8Array;
  readonly newBytes: Uint8Array;
}

/**
 * The code of a process as its platform may change it: private mappings of files that can be executed and not written.
 * A change is made in a copy of the page, which is then mapped in the place of the old one.
 */
export class PrivateCode implements CodeMemory {
  readonly #mm: Mm;
  /** By address. What was unmapped since is still in it. */
  readonly #replaced = new Map<number, Replacement>();

  constructor(mm: Mm) {
    this.#mm = mm;
  }

  read(addr: number, dst: Uint8Array, len: number): boolean {
    return this.#codeAt(addr) !== null && this.#mm.copyIn(dst, 0, addr, len) === 0;
  }

  replace(addr: number, bytes: Uint8Array): boolean {
    const vma = this.#codeAt(addr);
    if (vma === null) return false;
    const oldBytes = new Uint8Array(bytes.length);
    if (this.#mm.copyIn(oldBytes, 0, addr, bytes.length) < 0 || !this.#rewrite(vma, addr, bytes)) return false;
    this.#replaced.set(addr, { oldBytes, newBytes: bytes });
    return true;
  }

  /** Puts back what was replaced in `[start, end)`: its pages become writable, or get another address. */
  restore(start: number, end: number): void {
    for (const [addr, { oldBytes, newBytes }] of this.#replaced) {
      if (addr < start || addr >= end) continue;
      this.#replaced.delete(addr);
      const vma = this.#mm.vmaAt(addr);
      if (vma !== null && this.#holds(addr, newBytes)) this.#rewrite(vma, addr, oldBytes);
    }
  }

  /** The same for the pages of `len` bytes at `addr`, which somebody reads or writes who is to see the program's own bytes. */
  reveal(addr: number, len: number): void {
    if (this.#replaced.size > 0) this.restore(pageFloor(addr), addr + len);
  }

  /** A copy of `from`'s address space has the same pages. */
  inherit(from: PrivateCode): void {
    for (const [addr, replacement] of from.#replaced) this.#replaced.set(addr, replacement);
  }

  #codeAt(addr: number): Vma | null {
    const vma = this.#mm.vmaAt(addr);
    const isCode = vma !== null && (vma.prot & PROT_EXEC) !== 0 && !vma.isWritable && vma.mappable !== null;
    return isCode && (vma.flags & (VM_SHARED | VM_SPECIAL)) === 0 ? vma : null;
  }

  /** Whether a page of the process's own has `bytes` at `addr`; the guest may not be able to read it. */
  #holds(addr: number, bytes: Uint8Array): boolean {
    const { pmas, memory } = this.#mm.addressMap;
    const pma = pmas.at(addr);
    if (pma === null) return false;
    const pfn = pma.pfnAt(pageFloor(addr));
    const at = chunkAt(pfn) + (addr % PAGE_BYTES);
    const chunk = memory.chunks[chunkOf(pfn)]!;
    return bytes.every((byte, i) => chunk[at + i] === byte);
  }

  /** Maps a copy of the page at `addr` with `bytes` there in its place. Returns whether that was possible. */
  #rewrite(vma: Vma, addr: number, bytes: Uint8Array): boolean {
    const map = this.#mm.addressMap;
    const { memory } = map;
    const page = pageFloor(addr);
    if (makePresent(map, vma, page, false) < 0) return false;
    const pfn = memory.allocate(1, UsageKind.ANONYMOUS, -1);
    if (pfn < 0) return false;
    const chunk = memory.chunks[chunkOf(pfn)]!;
    const at = chunkAt(pfn);
    const old = map.pmas.at(page);
    if (old !== null) {
      const oldPfn = old.pfnAt(page);
      chunk.set(memory.chunks[chunkOf(oldPfn)]!.subarray(chunkAt(oldPfn), chunkAt(oldPfn) + PAGE_BYTES), at);
    } else if (readFile(map, vma, page, chunk, at, PAGE_BYTES) < 0) {
      memory.decRef(pfn, 1);
      return false;
    }
    chunk.set(bytes, at + (addr % PAGE_BYTES));
    map.releasePages(page, page + PAGE_BYTES);
    map.addPages(vma, page, page + PAGE_BYTES, pfn, false);
    return map.commit() === 0;
  }
}
