import {
  CAP_SYS_NICE,
  E2BIG,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOENT,
  EPERM,
  ESRCH,
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_ADDR,
  MPOL_F_MEMS_ALLOWED,
  MPOL_F_NODE,
  MPOL_F_NUMA_BALANCING,
  MPOL_F_RELATIVE_NODES,
  MPOL_F_STATIC_NODES,
  MPOL_INTERLEAVE,
  MPOL_LOCAL,
  MPOL_MAX,
  MPOL_MF_MOVE,
  MPOL_MF_MOVE_ALL,
  MPOL_MF_STRICT,
  MPOL_PREFERRED,
  MPOL_WEIGHTED_INTERLEAVE,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { mayInspect } from '../cred/inspect-permission.js';
import { pageCeil } from '../mm/pma.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** Bits that a node mask may have at most: a page of them. */
const MASK_BITS_MAX = PAGE_BYTES * 8;
/** Nodes that there can be: bits above must be clear. The machine that guests see has node 0 only. */
const NODES_MAX = 1024;
/** Pages of one move_pages(2). */
const PAGES_MAX = 65_536;
const MODE_FLAGS = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;
const MOVE_FLAGS = MPOL_MF_MOVE | MPOL_MF_MOVE_ALL;

/** A memory policy, set_mempolicy(2). */
export interface MemoryPolicy {
  /** MPOL_*, with mode flags. */
  readonly mode: number;
  /** Whether it names node 0: all policies that can be set do, or name none. */
  readonly hasNode: boolean;
}

const DEFAULT_POLICY: MemoryPolicy = { mode: MPOL_DEFAULT, hasNode: false };

/** A mask of nodes from guest memory. */
interface NodeMask {
  readonly isEmpty: boolean;
  readonly hasNode: boolean;
  /** Whether there is a node that does not exist. */
  readonly hasOthers: boolean;
}

/** set_mempolicy(2). Errors: EFAULT, EINVAL. */
export function sysSetMempolicy(t: Task, a: SyscallArgs): SysResult {
  const mode = a.i32(0);
  const nodemask = a.u64(1);
  const maxnode = a.u64(2);

  const policy = loadPolicy(t, mode, nodemask, maxnode);
  if (typeof policy === 'number') return policy;
  t.memoryPolicy = policy.mode === MPOL_DEFAULT ? null : policy;
  return 0;
}

/** get_mempolicy(2). Errors: EFAULT, EINVAL. */
export function sysGetMempolicy(t: Task, a: SyscallArgs): SysResult {
  const modeAddr = a.u64(0);
  const nodemask = a.u64(1);
  const maxnode = a.u64(2);
  const addr = a.u64(3);
  const flags = a.u64(4);

  if (nodemask !== 0 && maxnode < 1) return -EINVAL;
  if (flags > (MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) return -EINVAL;
  let { mode, hasNode } = t.memoryPolicy ?? DEFAULT_POLICY;
  if ((flags & MPOL_F_MEMS_ALLOWED) !== 0) {
    if ((flags & (MPOL_F_NODE | MPOL_F_ADDR)) !== 0) return -EINVAL;
    [mode, hasNode] = [MPOL_DEFAULT, true];
  } else if ((flags & MPOL_F_ADDR) !== 0) {
    if (t.mm.addressMap.vmas.at(addr) === null) return -EFAULT;
    if ((flags & MPOL_F_NODE) !== 0) {
      if (t.mm.copyIn(t.kernel.scratch, 0, addr, 1) < 0) return -EFAULT;
      mode = 0;
    }
  } else {
    if (addr !== 0) return -EINVAL;
    // The next node of an interleaved policy: there is one only.
    const isInterleaved = mode === MPOL_INTERLEAVE || mode === MPOL_WEIGHTED_INTERLEAVE;
    if ((flags & MPOL_F_NODE) !== 0) {
      if (!isInterleaved) return -EINVAL;
      mode = 0;
    }
  }
  if (modeAddr !== 0 && t.mm.store32(modeAddr, mode) < 0) return -EFAULT;
  return nodemask === 0 ? 0 : storeMask(t, nodemask, maxnode, hasNode);
}

/**
 * mbind(2). Errors: EFAULT, EINVAL, EPERM. Differs: with one node there is nothing that a policy of a range would change,
 * and get_mempolicy(2) tells the thread's policy for every address.
 */
export function sysMbind(t: Task, a: SyscallArgs): SysResult {
  const start = a.u64(0);
  const len = a.u64(1);
  const mode = a.i32(2);
  const nodemask = a.u64(3);
  const maxnode = a.u64(4);
  const flags = a.u32(5);

  if ((flags & ~(MPOL_MF_STRICT | MOVE_FLAGS)) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !t.creds.hasCap(CAP_SYS_NICE)) return -EPERM;
  if (start % PAGE_BYTES !== 0) return -EINVAL;
  const policy = loadPolicy(t, mode, nodemask, maxnode);
  if (typeof policy === 'number') return policy;
  const end = start + pageCeil(len);
  if (end > 2 ** 63) return -EINVAL;
  return isMapped(t, start, end) ? 0 : -EFAULT;
}

/** set_mempolicy_home_node(2). Errors: EINVAL; ENOENT, for no range has a policy of its own. */
export function sysSetMempolicyHomeNode(_t: Task, a: SyscallArgs): SysResult {
  const start = a.u64(0);
  const len = a.u64(1);
  const homeNode = a.u64(2);
  const flags = a.u64(3);

  if (start % PAGE_BYTES !== 0 || flags !== 0 || homeNode !== 0) return -EINVAL;
  return len === 0 ? 0 : -ENOENT;
}

/** migrate_pages(2). Errors: EFAULT, EINVAL, EPERM, ESRCH. Nothing can move: there is one node. */
export function sysMigratePages(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const maxnode = a.u64(1);
  const oldNodes = a.u64(2);
  const newNodes = a.u64(3);

  const from = loadMask(t, oldNodes, maxnode);
  if (typeof from === 'number') return from;
  const to = loadMask(t, newNodes, maxnode);
  if (typeof to === 'number') return to;
  const target = targetOf(t, pid);
  if (typeof target === 'number') return target;
  if (to.hasOthers && !t.creds.hasCap(CAP_SYS_NICE)) return -EPERM;
  return to.hasNode ? 0 : -EINVAL;
}

/** move_pages(2). Errors: E2BIG, EFAULT, EINVAL, ENODEV, EPERM, ESRCH. */
export function sysMovePages(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const count = a.u64(1);
  const pages = a.u64(2);
  const nodes = a.u64(3);
  const status = a.u64(4);
  const flags = a.i32(5);

  if ((flags & ~MOVE_FLAGS) !== 0) return -EINVAL;
  if (count > PAGES_MAX) return -E2BIG;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !t.creds.hasCap(CAP_SYS_NICE)) return -EPERM;
  const target = targetOf(t, pid);
  if (typeof target === 'number') return target;
  for (let i = 0; i < count; i++) {
    const addr = t.mm.load64(pages + 8 * i);
    if (Number.isNaN(addr)) return -EFAULT;
    if (nodes !== 0) {
      const node = t.mm.load32(nodes + 4 * i);
      if (Number.isNaN(node)) return -EFAULT;
      if (node !== 0) return -ENODEV;
    }
    if (t.mm.store32(status + 4 * i, nodeOf(target, addr)) < 0) return -EFAULT;
  }
  return 0;
}

/** The node of a page: 0, or what move_pages(2) puts in its place. */
function nodeOf(target: Task, addr: number): number {
  const map = target.mm.addressMap;
  const vma = map.vmas.at(addr);
  if (vma === null) return -EFAULT;
  const pma = map.pmas.at(addr);
  if (pma === null) return vma.isHostMapped ? 0 : -ENOENT;
  const isResident = new Uint8Array(1);
  map.memory.markResident(pma.pfnAt(addr), 1, isResident, 0);
  return isResident[0] === 0 ? -ENOENT : 0;
}

function targetOf(t: Task, pid: number): Task | Errno {
  const target = pid === 0 ? t : (t.pidNs.lookup(pid)?.task ?? null);
  if (target === null || target.hasExited) return -ESRCH;
  return mayInspect(t, target) ? target : -EPERM;
}

function loadPolicy(t: Task, modeAndFlags: number, nodemask: number, maxnode: number): MemoryPolicy | Errno {
  const flags = modeAndFlags & MODE_FLAGS;
  const mode = modeAndFlags & ~MODE_FLAGS;
  const isStatic = (flags & MPOL_F_STATIC_NODES) !== 0;
  const isRelative = (flags & MPOL_F_RELATIVE_NODES) !== 0;
  if (mode < 0 || mode >= MPOL_MAX || (isStatic && isRelative)) return -EINVAL;
  if ((flags & MPOL_F_NUMA_BALANCING) !== 0 && mode !== MPOL_BIND) return -EINVAL;
  const nodes = loadMask(t, nodemask, maxnode);
  if (typeof nodes === 'number') return nodes;
  if (mode === MPOL_DEFAULT) return nodes.isEmpty ? DEFAULT_POLICY : -EINVAL;
  if (mode === MPOL_LOCAL || (mode === MPOL_PREFERRED && nodes.isEmpty)) {
    return nodes.isEmpty && !isStatic && !isRelative ? { mode: MPOL_LOCAL, hasNode: false } : -EINVAL;
  }
  // Relative nodes are counted round: every node is node 0.
  return nodes.hasNode || (isRelative && !nodes.isEmpty) ? { mode: mode | flags, hasNode: true } : -EINVAL;
}

/** A mask of `maxnode - 1` bits. Errors: EFAULT, EINVAL. */
function loadMask(t: Task, addr: number, maxnode: number): NodeMask | Errno {
  const bitCount = maxnode - 1;
  if (addr === 0 || bitCount <= 0) return { isEmpty: true, hasNode: false, hasOthers: false };
  if (bitCount > MASK_BITS_MAX) return -EINVAL;
  const { scratch } = t.kernel;
  const byteCount = Math.ceil(bitCount / 64) * 8;
  if (t.mm.copyIn(scratch, 0, addr, byteCount) < 0) return -EFAULT;
  let [hasNode, hasOthers] = [false, false];
  for (let bit = 0; bit < bitCount; bit++) {
    if (((scratch[bit >> 3]! >> (bit & 7)) & 1) === 0) continue;
    if (bit >= NODES_MAX) return -EINVAL;
    if (bit === 0) hasNode = true;
    else hasOthers = true;
  }
  return { isEmpty: !hasNode && !hasOthers, hasNode, hasOthers };
}

function storeMask(t: Task, addr: number, maxnode: number, hasNode: boolean): SysResult {
  const byteCount = Math.ceil((maxnode - 1) / 64) * 8;
  if (byteCount > PAGE_BYTES) return -EINVAL;
  const { scratch } = t.kernel;
  scratch.fill(0, 0, byteCount);
  if (byteCount > 0) scratch[0] = hasNode ? 1 : 0;
  return t.mm.copyOut(addr, scratch, 0, byteCount) < 0 ? -EFAULT : 0;
}

function isMapped(t: Task, start: number, end: number): boolean {
  const { vmas } = t.mm.addressMap;
  for (let at = start; at < end;) {
    const vma = vmas.at(at);
    if (vma === null) return false;
    at = vma.end;
  }
  return true;
}
