import { RLIMIT_STACK } from '@tsv/abi';
import { PAGE_BYTES, type Platform } from '@tsv/platform';
import type { ResourceLimits } from '../task/resource-limits.js';
import { pageCeil, pageFloor } from './pma.js';

/** vm.mmap_min_addr of Linux. */
export const MMAP_MIN_ADDR = 65536;
/** Between a stack that may grow and what lies below it: vm.stack_guard_gap, 256 pages. */
export const STACK_GUARD_BYTES = 256 * PAGE_BYTES;

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
/** How far addresses vary on Linux: 28 bits of pages for mappings, 16 GiB for the stack, 32 MiB for brk. */
const MMAP_RANDOM_BYTES = 2 ** 40;
const STACK_RANDOM_BYTES = 16 * GIB;
const BRK_RANDOM_BYTES = 32 * MIB;
const STACK_GAP_MIN = 128 * MIB;

/** Random bytes for addresses. */
export type Random = (dst: Uint8Array) => void;

const bytes = new Uint8Array(8);
const view = new DataView(bytes.buffer);

/** Where an address space puts things, with addresses that cannot be guessed. */
export interface Layout {
  readonly minAddr: number;
  /** End of the guest's addresses. */
  readonly maxAddr: number;
  readonly stackTop: number;
  /** mmap(2) goes down from here. */
  readonly mmapBase: number;
  /** Where position-independent programs go. */
  readonly programBase: number;
}

/** Lays out a new address space. Without `random`, addresses are the same each time (ADDR_NO_RANDOMIZE). */
export function makeLayout(platform: Platform, limits: ResourceLimits, random: Random | null): Layout {
  const minAddr = Math.max(pageCeil(platform.minUserAddr), MMAP_MIN_ADDR);
  const maxAddr = pageFloor(platform.maxUserAddr);
  // A platform with few addresses has less to vary.
  const room = (maxAddr - minAddr) / 64;
  const stackTop = maxAddr - randomBelow(random, Math.min(STACK_RANDOM_BYTES, room));
  const gap = Math.min(Math.max(limits.soft(RLIMIT_STACK), STACK_GAP_MIN), pageFloor((maxAddr / 6) * 5));
  const stackGap = gap + STACK_GUARD_BYTES + Math.min(STACK_RANDOM_BYTES, room);
  const mmapBase = pageFloor(maxAddr - stackGap - randomBelow(random, Math.min(MMAP_RANDOM_BYTES, room)));
  const programBase = pageFloor((maxAddr / 3) * 2) + randomBelow(random, Math.min(MMAP_RANDOM_BYTES, room));
  return { minAddr, maxAddr, stackTop, mmapBase: Math.max(mmapBase, minAddr), programBase };
}

/** Where the heap begins, somewhere behind the program's end at `programEnd`. */
export function randomBrk(programEnd: number, random: Random | null): number {
  return pageCeil(programEnd) + randomBelow(random, BRK_RANDOM_BYTES);
}

/** A random multiple of the page size in `[0, limit)`; 0 without `random`. */
function randomBelow(random: Random | null, limit: number): number {
  if (random === null || limit < PAGE_BYTES) return 0;
  random(bytes);
  const fraction = (view.getUint32(0) + (view.getUint32(4) >>> 11) / 2 ** 21) / 2 ** 32;
  return pageFloor(fraction * limit);
}
