import {
  EFAULT,
  PTRACE_SYSCALL_INFO_ENTRY,
  PTRACE_SYSCALL_INFO_EXIT,
  PTRACE_SYSCALL_INFO_NONE,
  SIZEOF_SYSCALL_INFO_ENTRY,
  SIZEOF_SYSCALL_INFO_EXIT,
  SIZEOF_SYSCALL_INFO_NONE,
  SYSCALL_INFO_ARCH,
  SYSCALL_INFO_ARGS,
  SYSCALL_INFO_IP,
  SYSCALL_INFO_IS_ERROR,
  SYSCALL_INFO_NR,
  SYSCALL_INFO_OP,
  SYSCALL_INFO_RVAL,
  SYSCALL_INFO_SP,
  type SysResult,
} from '@tsv/abi';
import {
  REG_ORIG_RAX,
  REG_R10,
  REG_R8,
  REG_R9,
  REG_RAX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  REG_RSP,
} from '@tsv/platform';
import type { Task } from '../task/task.js';
import { TraceStopKind, type Tracing } from './tracing.js';

/** AUDIT_ARCH_X86_64, linux/audit.h. */
const ARCH = 0xc000_003e;
const ARGUMENTS = [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9] as const;
/** Low half of -4095. */
const FIRST_ERROR_LOW = 0xffff_f001;

/** PTRACE_GET_SYSCALL_INFO: as much of `struct ptrace_syscall_info` as `room` takes. Returns its whole length. Errors: EFAULT. */
export function storeSyscallInfo(t: Task, target: Task, tracing: Tracing, room: number, addr: number): SysResult {
  const { scratch, scratchView: mem } = t.kernel;
  const { page } = target;
  scratch.fill(0, 0, SIZEOF_SYSCALL_INFO_ENTRY);
  const store = (at: number, reg: number): void => {
    mem.setUint32(at, page.low(reg), true);
    mem.setUint32(at + 4, page.high(reg), true);
  };
  mem.setUint32(SYSCALL_INFO_ARCH, ARCH, true);
  store(SYSCALL_INFO_IP, REG_RIP);
  store(SYSCALL_INFO_SP, REG_RSP);
  let op = PTRACE_SYSCALL_INFO_NONE;
  let len = SIZEOF_SYSCALL_INFO_NONE;
  if (tracing.stop!.kind === TraceStopKind.SYSCALL_ENTRY) {
    op = PTRACE_SYSCALL_INFO_ENTRY;
    len = SIZEOF_SYSCALL_INFO_ENTRY;
    store(SYSCALL_INFO_NR, REG_ORIG_RAX);
    for (const [index, reg] of ARGUMENTS.entries()) store(SYSCALL_INFO_ARGS + index * 8, reg);
  } else if (tracing.stop!.kind === TraceStopKind.SYSCALL_EXIT) {
    op = PTRACE_SYSCALL_INFO_EXIT;
    len = SIZEOF_SYSCALL_INFO_EXIT;
    store(SYSCALL_INFO_RVAL, REG_RAX);
    const isError = page.high(REG_RAX) === 0xffff_ffff && page.low(REG_RAX) >= FIRST_ERROR_LOW;
    mem.setUint8(SYSCALL_INFO_IS_ERROR, isError ? 1 : 0);
  }
  mem.setUint8(SYSCALL_INFO_OP, op);
  return t.mm.copyOut(addr, scratch, 0, Math.min(room, len)) < 0 ? -EFAULT : len;
}
