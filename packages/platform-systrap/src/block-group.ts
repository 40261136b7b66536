import type { SitePatch } from '../native/index.js';

/** Where blocks lie in each address space that has some: `crates/stub-systrap/src/layout.rs`. */
export const BLOCKS_ADDR = 0x6_0000;
export const BLOCKS_BYTES = 0x4000;
export const BLOCK_BYTES = 256;
/** In a block: behind the `mov eax, imm32` that some begin with. */
export const BLOCK_MOVED = 48 + 5;
/** In a block: behind the system call that it has in the place of the site's. */
export const BLOCK_TAIL = 82;

/** A system call site that was patched somewhere. */
export interface PatchedSite {
  /** Address of the `syscall` instruction. */
  readonly addr: number;
  readonly blockAddr: number;
  readonly patch: SitePatch;
  /** What the patch and the block stand for, from where the patch begins. */
  readonly oldBytes: Uint8Array;
}

/** The blocks of address spaces that were forked from each other: patched pages are theirs in common. */
export class BlockGroup {
  readonly index: number;
  /** Address spaces that have it. */
  userCount = 1;
  /** By block; the first block is no site's. */
  readonly #sites: (PatchedSite | null)[] = [null];

  constructor(index: number) {
    this.index = index;
  }

  /** Number of the next block, or 0 when all are taken. */
  get nextBlock(): number {
    return this.#sites.length < BLOCKS_BYTES / BLOCK_BYTES ? this.#sites.length : 0;
  }

  /** A site's block is used from now on. */
  add(site: PatchedSite): void {
    this.#sites.push(site);
  }

  /** The site whose block `addr` lies in, or null. */
  siteOfBlock(addr: number): PatchedSite | null {
    return this.#sites[Math.floor((addr - BLOCKS_ADDR) / BLOCK_BYTES)] ?? null;
  }

  /** The patched sites around `addr`: in different address spaces there may have been different code. */
  sitesAt(addr: number): PatchedSite[] {
    const isAt = (site: PatchedSite | null): site is PatchedSite =>
      site !== null && site.addr <= addr && addr < site.addr + site.patch.bytes.length;
    return this.#sites.filter(isAt);
  }
}
