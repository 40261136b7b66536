import { SYS_clone, SYS_clone3, SYS_fork, SYS_pause, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_vfork } from '@tsv/abi';
import {
  PAGE_BYTES,
  REASON_FAULT,
  REASON_SYSCALL,
  REG_EFLAGS,
  REG_ORIG_RAX,
  REG_R11,
  REG_RAX,
  REG_RCX,
  REG_RIP,
  type CodeMemory,
  type ContextPage,
} from '@tsv/platform';
import type { SystrapStubs } from '../native/index.js';
import {
  BLOCKS_ADDR,
  BLOCKS_BYTES,
  BLOCK_BYTES,
  BLOCK_MOVED,
  BLOCK_TAIL,
  BlockGroup,
  type PatchedSite,
} from './block-group.js';

/** Traps of a site before it is patched: a program that makes few calls is left as it is. */
const HOT_TRAP_COUNT = 16;
/** Sites that are counted in an address space; beyond that counting begins anew. */
const COUNTED_SITES_MAX = 512;
const NEVER = -Infinity;
/** Faults in a row of a context at patches that were gone, with no other stop by a signal between them. */
const RETRIES_MAX = 8;
const SIGILL = 4;
const SIGSEGV = 11;
const GENERAL_PROTECTION = 13;
const SYSCALL_BYTES = 2;
const ENOSYS = 38;

/**
 * Calls for which the kernel reads or sets the FP state of the caller: a trap has it in its signal frame, whereas a
 * thread that came from a patched site must be woken to make one.
 */
const CALLS_WITH_FP_STATE: ReadonlySet<number> = new Set([
  SYS_clone,
  SYS_clone3,
  SYS_fork,
  SYS_vfork,
  SYS_rt_sigreturn,
  SYS_rt_sigsuspend,
  SYS_pause,
]);

/** What was patched in an address space. */
export class SpacePatches {
  /** The guest's code, as long as it may be patched. */
  code: CodeMemory | undefined;
  group: BlockGroup | null = null;
  /** How often sites have trapped. */
  readonly traps = new Map<number, number>();
}

/** Makes system call sites that trap often jump to the stub, and tells stops as if it had not. */
export class SitePatcher {
  readonly #stubs: SystrapStubs;
  readonly #freeGroups: number[] = [];
  #groupCount = 0;
  readonly #page = new Uint8Array(PAGE_BYTES);
  readonly #few = new Uint8Array(128);
  /** By context: faults in a row at patches that were gone. */
  readonly #retries = new Map<number, number>();

  constructor(stubs: SystrapStubs) {
    this.#stubs = stubs;
  }

  /** What a copy of an address space has of it. */
  fork(from: SpacePatches): SpacePatches {
    const copy = new SpacePatches();
    copy.group = from.group;
    if (from.group !== null) from.group.userCount++;
    return copy;
  }

  release(patches: SpacePatches): void {
    const { group } = patches;
    patches.group = null;
    if (group !== null && --group.userCount === 0) this.#freeGroups.push(group.index);
  }

  /**
   * Looks at a stop that was a signal's. Returns false when the kernel has nothing to do with it: the guest was at an
   * instruction that a patch has overwritten, and is to go on where that is now.
   */
  admit(page: ContextPage, space: number, patches: SpacePatches): boolean {
    const { reason } = page;
    const rip = page.get(REG_RIP);
    if (rip >= BLOCKS_ADDR && rip < BLOCKS_ADDR + BLOCKS_BYTES) this.#leaveBlock(page, patches, rip);
    else if (reason === REASON_SYSCALL) this.#count(page, space, patches, rip - SYSCALL_BYTES);
    else if (reason === REASON_FAULT) return !this.#repair(page, patches, rip);
    return true;
  }

  /** A stop in a block is told as one at the site. */
  #leaveBlock(page: ContextPage, patches: SpacePatches, rip: number): void {
    const site = patches.group?.siteOfBlock(rip) ?? null;
    if (site === null) return;
    const at = rip % BLOCK_BYTES;
    if (page.reason === REASON_SYSCALL) {
      // It uses GS itself. The call that it has made from the block is the site's.
      if (at !== BLOCK_TAIL) return;
      page.set(REG_RIP, site.addr + SYSCALL_BYTES);
      page.set(REG_RCX, site.addr + SYSCALL_BYTES);
      page.restartIp = site.addr;
    } else if (at >= BLOCK_TAIL || at === BLOCK_MOVED) {
      const moved = SYSCALL_BYTES + Math.min(at - BLOCK_TAIL, site.patch.tailLen);
      const addr = site.addr + (at === BLOCK_MOVED ? 0 : moved);
      page.set(REG_RIP, addr);
      page.restartIp = addr;
    }
  }

  #count(page: ContextPage, space: number, patches: SpacePatches, addr: number): void {
    this.#retries.delete(page.index);
    if (patches.code === undefined || CALLS_WITH_FP_STATE.has(page.low(REG_ORIG_RAX))) return;
    const { traps } = patches;
    const count = (traps.get(addr) ?? 0) + 1;
    if (count === NEVER) return;
    if (traps.size >= COUNTED_SITES_MAX) traps.clear();
    const isHot = count >= HOT_TRAP_COUNT;
    traps.set(addr, isHot ? (this.#patch(page, space, patches, addr) ? 0 : NEVER) : count);
  }

  #patch(page: ContextPage, space: number, patches: SpacePatches, addr: number): boolean {
    const code = patches.code!;
    const pageAddr = addr - (addr % PAGE_BYTES);
    if (!code.read(pageAddr, this.#page, PAGE_BYTES)) return false;
    const group = patches.group ?? this.#newGroup(space, patches);
    if (group === null) return false;
    const known = group.sitesAt(addr).find((site) => site.addr === addr && this.#isAsBefore(site, pageAddr));
    if (known !== undefined) return code.replace(addr - known.patch.leadLen, known.patch.bytes);

    const block = group.nextBlock;
    if (block === 0) return false;
    const at = addr - pageAddr;
    const patch = this.#stubs.writeBlock(group.index, block, this.#page, pageAddr, at, page.low(REG_ORIG_RAX));
    if (patch === null || !code.replace(addr - patch.leadLen, patch.bytes)) return false;
    const oldBytes = this.#page.slice(at - patch.leadLen, at + SYSCALL_BYTES + patch.tailLen);
    group.add({ addr, blockAddr: BLOCKS_ADDR + block * BLOCK_BYTES, patch, oldBytes });
    return true;
  }

  #newGroup(space: number, patches: SpacePatches): BlockGroup | null {
    const index = this.#freeGroups.pop() ?? this.#groupCount++;
    if (this.#stubs.mapBlocks(space, index, true) < 0) {
      this.#freeGroups.push(index);
      patches.code = undefined;
      return null;
    }
    patches.group = new BlockGroup(index);
    return patches.group;
  }

  /** Whether the page that was read has at a site what its block stands for. */
  #isAsBefore(site: PatchedSite, pageAddr: number): boolean {
    const at = site.addr - site.patch.leadLen - pageAddr;
    return site.oldBytes.every((byte, i) => this.#page[at + i] === byte);
  }

  /** Puts a guest that has faulted at an overwritten instruction where that is now. Returns whether it may go on. */
  #repair(page: ContextPage, patches: SpacePatches, rip: number): boolean {
    const { signo } = page;
    const isOurs = signo === SIGILL || (signo === SIGSEGV && page.faultTrapno === GENERAL_PROTECTION);
    if (!isOurs || patches.group === null) return false;
    const sites = patches.group.sitesAt(rip).filter((site) => isOverwritten(site, rip));
    if (sites.length === 0) return false;
    const site = sites.find((found) => this.#isInPlace(found, patches));
    // The patch may have gone between the fault and now: then what is there instead is tried.
    if (site === undefined) return this.#mayRetry(page.index);
    if (rip === site.addr) {
      makeSyscall(page, rip);
      return false;
    }
    page.set(REG_RIP, site.blockAddr + BLOCK_TAIL + (rip - site.addr - SYSCALL_BYTES));
    return true;
  }

  /** What is there instead may fault as well, for good. */
  #mayRetry(index: number): boolean {
    const count = (this.#retries.get(index) ?? 0) + 1;
    this.#retries.set(index, count);
    return count <= RETRIES_MAX;
  }

  #isInPlace(site: PatchedSite, patches: SpacePatches): boolean {
    const { bytes, leadLen } = site.patch;
    const isCode = patches.code?.read(site.addr - leadLen, this.#few, bytes.length) === true;
    return isCode && bytes.every((byte, i) => this.#few[i] === byte);
  }
}

/** Whether an instruction at `rip` was overwritten. */
function isOverwritten(site: PatchedSite, rip: number): boolean {
  return (site.patch.leadLen > 0 && rip === site.addr) || site.patch.starts.includes(rip - site.addr);
}

/** Tells a fault at a `syscall` instruction that was overwritten as that system call. */
function makeSyscall(page: ContextPage, addr: number): void {
  page.reason = REASON_SYSCALL;
  page.setHalves(REG_ORIG_RAX, page.low(REG_RAX), (page.low(REG_RAX) | 0) < 0 ? 0xffff_ffff : 0);
  page.set(REG_RAX, -ENOSYS);
  page.set(REG_RIP, addr + SYSCALL_BYTES);
  page.set(REG_RCX, addr + SYSCALL_BYTES);
  page.set(REG_R11, page.low(REG_EFLAGS));
  page.restartIp = addr;
}
