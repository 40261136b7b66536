import {
  EACCES,
  EINVAL,
  ENOMEM,
  ENOSPC,
  PROT_EXEC,
  PROT_GROWSDOWN,
  PROT_GROWSUP,
  PROT_READ,
  PROT_SEM,
  PROT_WRITE,
  type SysResult,
} from '@tsv/abi';
import { PAGE_BYTES } from '@tsv/platform';
import { mayProtect, type Mm } from '../mm/mm.js';
import { pageCeil } from '../mm/pma.js';
import { VM_GROWSDOWN } from '../mm/vma.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const PROT_ACCESS = PROT_READ | PROT_WRITE | PROT_EXEC;
/** PKEY_DISABLE_ACCESS | PKEY_DISABLE_WRITE. */
const PKEY_ACCESS_MASK = 3;
const PROT_GROWS = PROT_GROWSDOWN | PROT_GROWSUP;

/** pkey_mprotect(2): without protection keys only -1, which is mprotect(2), is a key. Errors: EINVAL, and as {@link sysMprotect}. */
export function sysPkeyMprotect(t: Task, a: SyscallArgs): SysResult {
  return a.i32(3) === -1 ? sysMprotect(t, a) : -EINVAL;
}

/** pkey_alloc(2): there are no keys, as on a processor without them. Errors: EINVAL, ENOSPC. */
export function sysPkeyAlloc(_: Task, a: SyscallArgs): SysResult {
  return a.u64(0) !== 0 || a.u64(1) > PKEY_ACCESS_MASK ? -EINVAL : -ENOSPC;
}

/** pkey_free(2). Errors: EINVAL, for no key was given out. */
export function sysPkeyFree(): SysResult {
  return -EINVAL;
}

/** mprotect(2). Errors: EACCES, EINVAL, ENOMEM. What lies before a mapping that fails is changed, as on Linux. */
export function sysMprotect(t: Task, a: SyscallArgs): SysResult {
  const addr = a.u64(0);
  const length = a.u64(1);
  const prot = a.u32(2);

  if ((prot & PROT_GROWS) === PROT_GROWS || addr % PAGE_BYTES !== 0) return -EINVAL;
  if (length === 0) return 0;
  const end = addr + pageCeil(length);
  if (!(end <= t.mm.layout.maxAddr)) return -ENOMEM;
  if ((prot & ~(PROT_ACCESS | PROT_SEM | PROT_GROWS)) !== 0) return -EINVAL;
  const start = (prot & PROT_GROWS) === 0 ? addr : grownStart(t.mm, addr, prot);
  if (start < 0) return start;
  t.mm.limits = t.threadGroup.limits;
  return protectMapped(t.mm, start, end, prot & PROT_ACCESS);
}

/** Where a change of a stack begins: PROT_GROWSDOWN reaches to the start of its mapping. */
function grownStart(mm: Mm, addr: number, prot: number): number {
  const vma = mm.vmaAt(addr);
  if (vma === null) return -ENOMEM;
  return (prot & PROT_GROWSDOWN) !== 0 && (vma.flags & VM_GROWSDOWN) !== 0 ? vma.start : -EINVAL;
}

/** Changes `[start, end)` up to the first hole or the first mapping that must not become so. */
function protectMapped(mm: Mm, start: number, end: number, prot: number): number {
  let at = start;
  let error = 0;
  while (at < end) {
    const vma = mm.vmaAt(at);
    if (vma === null) error = -ENOMEM;
    else if (!mayProtect(vma, prot)) error = -EACCES;
    if (vma === null || error < 0) break;
    at = Math.min(end, vma.end);
  }
  const status = at > start ? mm.protect(start, at, prot) : 0;
  return status < 0 ? status : error;
}
