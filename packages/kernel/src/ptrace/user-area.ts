import {
  EFAULT,
  EINVAL,
  EIO,
  NT_PRFPREG,
  NT_PRSTATUS,
  NT_X86_XSTATE,
  SIZEOF_USER,
  SIZEOF_USER_FPREGS,
  SIZEOF_USER_REGS,
  USER_DEBUGREG,
  type Errno,
} from '@tsv/abi';
import {
  REG_CS,
  REG_DS,
  REG_EFLAGS,
  REG_ES,
  REG_FS,
  REG_FS_BASE,
  REG_GS,
  REG_GS_BASE,
  REG_ORIG_RAX,
  REG_R10,
  REG_R11,
  REG_R12,
  REG_R13,
  REG_R14,
  REG_R15,
  REG_R8,
  REG_R9,
  REG_RAX,
  REG_RBP,
  REG_RBX,
  REG_RCX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  REG_RSP,
  REG_SS,
} from '@tsv/platform';
import type { Task } from '../task/task.js';

/** Flags that a tracer may change: CF PF AF ZF SF TF DF OF NT RF AC. */
const FLAGS_MASK = 0x1 | 0x4 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x800 | 0x4000 | 0x1_0000 | 0x4_0000;
/** End of user space on x86-64: the first half-word above it in a segment base. */
const TASK_END_HIGH = 0x7fff;

/** Registers in the order of `struct user_regs_struct`, `<sys/user.h>`. */
const USER_REGS = [
  ...[REG_R15, REG_R14, REG_R13, REG_R12, REG_RBP, REG_RBX, REG_R11, REG_R10, REG_R9, REG_R8],
  ...[REG_RAX, REG_RCX, REG_RDX, REG_RSI, REG_RDI, REG_ORIG_RAX, REG_RIP, REG_CS, REG_EFLAGS, REG_RSP, REG_SS],
  ...[REG_FS_BASE, REG_GS_BASE, REG_DS, REG_ES, REG_FS, REG_GS],
] as const;

/** Stores `struct user_regs_struct` of a stopped task. */
export function storeRegs(task: Task, mem: DataView, at: number): void {
  USER_REGS.forEach((reg, i) => {
    mem.setUint32(at + i * 8, task.page.low(reg), true);
    mem.setUint32(at + i * 8 + 4, task.page.high(reg), true);
  });
}

/** Sets the registers in `[from, from + len)` of `struct user_regs_struct`. Errors: EIO for what user code cannot have. */
export function loadRegs(task: Task, mem: DataView, at: number, from: number, len: number): 0 | Errno {
  for (let offset = 0; offset < len; offset += 8) {
    const low = mem.getUint32(at + offset, true);
    const high = mem.getUint32(at + offset + 4, true);
    const status = setRegister(task, USER_REGS[(from + offset) >>> 3]!, low, high);
    if (status < 0) return status;
  }
  return 0;
}

function setRegister(task: Task, reg: number, low: number, high: number): 0 | Errno {
  const { page } = task;
  switch (reg) {
    case REG_CS:
    case REG_SS:
      // Linux checks the privilege level only; other selectors than the usual are of no use here.
      return (low & 3) === 3 ? 0 : -EIO;
    case REG_DS:
    case REG_ES:
    case REG_FS:
    case REG_GS:
      if ((low & 0xffff) !== 0 && (low & 3) !== 3) return -EIO;
      page.setHalves(reg, low & 0xffff, 0);
      return 0;
    case REG_FS_BASE:
    case REG_GS_BASE:
      if (high > TASK_END_HIGH) return -EIO;
      page.setHalves(reg, low, high);
      return 0;
    case REG_EFLAGS:
      page.setHalves(reg, ((low & FLAGS_MASK) | (page.low(reg) & ~FLAGS_MASK)) >>> 0, 0);
      if (task.tracing !== null) task.tracing.isTrapFlagOurs = false;
      return 0;
    case REG_ORIG_RAX:
      // Linux sees an `int` sign-extended: a debugger forbids the restart of a call with -1.
      page.setHalves(reg, low, low >= 0x8000_0000 ? 0xffff_ffff : high);
      return 0;
    default:
      page.setHalves(reg, low, high);
      return 0;
  }
}

/** PTRACE_PEEKUSER: the word at `offset` of `struct user`, into `mem` at 0. Errors: EIO. */
export function peekUser(task: Task, offset: number, mem: DataView): 0 | Errno {
  if (offset % 8 !== 0 || offset > SIZEOF_USER - 8) return -EIO;
  const reg = USER_REGS[offset >>> 3];
  mem.setUint32(0, reg === undefined ? 0 : task.page.low(reg), true);
  mem.setUint32(4, reg === undefined ? 0 : task.page.high(reg), true);
  return 0;
}

/** PTRACE_POKEUSER. Debug registers are none here: they can be set to zero. Errors: EIO. */
export function pokeUser(task: Task, offset: number, mem: DataView): 0 | Errno {
  if (offset % 8 !== 0 || offset > SIZEOF_USER - 8) return -EIO;
  if (offset < SIZEOF_USER_REGS) return loadRegs(task, mem, 0, offset, 8);
  const isZero = mem.getUint32(0, true) === 0 && mem.getUint32(4, true) === 0;
  return offset >= USER_DEBUGREG && isZero ? 0 : -EIO;
}

/** Bytes of a register set. Errors: EINVAL for a set that there is none of. */
export function regsetBytes(task: Task, type: number): number {
  if (type === NT_PRSTATUS) return SIZEOF_USER_REGS;
  if (type === NT_PRFPREG) return SIZEOF_USER_FPREGS;
  return type === NT_X86_XSTATE ? task.kernel.platform.xstateBytes : -EINVAL;
}

/** Copies the first `len` bytes of a register set to the guest address `addr` of `tracer`. Errors: EFAULT. */
export function copyOutRegset(tracer: Task, task: Task, type: number, addr: number, len: number): 0 | Errno {
  const { scratch, scratchView } = tracer.kernel;
  if (type === NT_PRSTATUS) {
    storeRegs(task, scratchView, 0);
    return tracer.mm.copyOut(addr, scratch, 0, len) < 0 ? -EFAULT : 0;
  }
  const fp = new Uint8Array(task.kernel.platform.xstateBytes);
  task.context.loadFp(fp, 0);
  return tracer.mm.copyOut(addr, fp, 0, len) < 0 ? -EFAULT : 0;
}

/**
 * Sets the first `len` bytes of a register set from the guest address `addr` of `tracer`. Errors: EFAULT, EINVAL, EIO.
 * Differs: Linux refuses a part of the extended state, so that debuggers that know a smaller one cannot set any.
 */
export function copyInRegset(tracer: Task, task: Task, type: number, addr: number, len: number): 0 | Errno {
  const { scratch, scratchView } = tracer.kernel;
  if (type === NT_PRSTATUS) {
    if (len % 8 !== 0) return -EINVAL;
    if (tracer.mm.copyIn(scratch, 0, addr, len) < 0) return -EFAULT;
    return loadRegs(task, scratchView, 0, 0, len);
  }
  const fp = new Uint8Array(task.kernel.platform.xstateBytes);
  task.context.loadFp(fp, 0);
  if (tracer.mm.copyIn(fp, 0, addr, len) < 0) return -EFAULT;
  return task.context.storeFp(fp, 0) < 0 ? -EINVAL : 0;
}
