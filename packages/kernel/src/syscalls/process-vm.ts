import {
  CAP_SYS_PTRACE,
  EFAULT,
  EINVAL,
  EPERM,
  ESRCH,
  IOV_BASE,
  IOV_LEN,
  SIZEOF_IOVEC,
  type SysResult,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import type { Mm } from '../mm/mm.js';
import { IOV_MAX, MAX_RW_COUNT } from '../mm/user-io.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** process_vm_readv(2). Errors: EFAULT, EINVAL, EPERM, ESRCH. */
export function sysProcessVmReadv(t: Task, a: SyscallArgs): SysResult {
  return transfer(t, a, true);
}

/** process_vm_writev(2). Errors: EFAULT, EINVAL, EPERM, ESRCH. */
export function sysProcessVmWritev(t: Task, a: SyscallArgs): SysResult {
  return transfer(t, a, false);
}

/** Addresses and lengths, alternately. */
type Ranges = number[];

function transfer(t: Task, a: SyscallArgs, isRead: boolean): number {
  const pid = a.i32(0);
  const localAddr = a.u64(1);
  const localCount = a.u64(2);
  const remoteAddr = a.u64(3);
  const remoteCount = a.u64(4);
  const flags = a.u64(5);

  if (flags !== 0 || localCount > IOV_MAX || remoteCount > IOV_MAX) return -EINVAL;
  const local = loadRanges(t.mm, localAddr, localCount);
  if (typeof local === 'number') return local;
  const remote = loadRanges(t.mm, remoteAddr, remoteCount);
  if (typeof remote === 'number') return remote;
  const target = t.pidNs.lookup(pid)?.task ?? null;
  if (target === null || target.hasExited) return -ESRCH;
  if (!mayAccessMemory(t, target)) return -EPERM;
  return isRead ? copyRanges(t, target.mm, remote, t.mm, local) : copyRanges(t, t.mm, local, target.mm, remote);
}

function loadRanges(mm: Mm, addr: number, count: number): Ranges | number {
  const ranges: Ranges = [];
  for (let at = addr; at < addr + count * SIZEOF_IOVEC; at += SIZEOF_IOVEC) {
    const base = mm.load64(at + IOV_BASE);
    const len = mm.load64(at + IOV_LEN);
    if (Number.isNaN(base) || Number.isNaN(len)) return -EFAULT;
    if (len >= 2 ** 63) return -EINVAL;
    ranges.push(base, len);
  }
  return ranges;
}

/** Copies until one side ends or cannot be accessed. Returns the bytes moved; EFAULT if there were none to move. */
function copyRanges(t: Task, from: Mm, fromRanges: Ranges, to: Mm, toRanges: Ranges): number {
  const { scratch } = t.kernel;
  let moved = 0;
  let fromIndex = 0;
  let fromDone = 0;
  let toIndex = 0;
  let toDone = 0;
  while (fromIndex < fromRanges.length && toIndex < toRanges.length && moved < MAX_RW_COUNT) {
    const fromLeft = fromRanges[fromIndex + 1]! - fromDone;
    const toLeft = toRanges[toIndex + 1]! - toDone;
    // Pieces end with the source's page, so that what lies before a hole arrives.
    const fromAddr = fromRanges[fromIndex]! + fromDone;
    const toAddr = toRanges[toIndex]! + toDone;
    const len = Math.min(fromLeft, toLeft, MAX_RW_COUNT - moved, toPageEnd(fromAddr), toPageEnd(toAddr));
    if (len > 0) {
      const status = copyPiece(t, from, fromAddr, to, toAddr, scratch, len);
      if (status < 0) return moved > 0 ? moved : status;
      moved += len;
    }
    fromDone += len;
    toDone += len;
    if (fromDone === fromRanges[fromIndex + 1]) {
      fromIndex += 2;
      fromDone = 0;
    }
    if (toDone === toRanges[toIndex + 1]) {
      toIndex += 2;
      toDone = 0;
    }
  }
  return moved;
}

function toPageEnd(addr: number): number {
  return PAGE_BYTES - (addr % PAGE_BYTES);
}

function copyPiece(
  t: Task,
  from: Mm,
  fromAddr: number,
  to: Mm,
  toAddr: number,
  buffer: Uint8Array,
  len: number,
): number {
  const foreign = from === t.mm ? to : from;
  // None of the other process's threads need be stopped: what its platform maps may change later than it is freed.
  foreign.addressMap.isForeignAccess = foreign !== t.mm;
  from.code.reveal(fromAddr, len);
  let status = from.copyIn(buffer, 0, fromAddr, len);
  if (status === 0) status = to.copyOut(toAddr, buffer, 0, len);
  foreign.addressMap.isForeignAccess = false;
  return status;
}

/** PTRACE_MODE_ATTACH_REALCREDS of ptrace(2): the same real IDs and a dumpable target, or CAP_SYS_PTRACE. */
function mayAccessMemory(t: Task, target: Task): boolean {
  if (t.threadGroup === target.threadGroup) return true;
  if (t.creds.hasCap(CAP_SYS_PTRACE)) return true;
  const { uid, gid } = t.creds;
  const other = target.creds;
  return (
    target.threadGroup.dumpable === 1 &&
    [other.uid, other.euid, other.suid].every((id) => id === uid) &&
    [other.gid, other.egid, other.sgid].every((id) => id === gid)
  );
}
