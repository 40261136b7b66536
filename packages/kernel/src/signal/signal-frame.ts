import {
  EFAULT,
  FPX_SW_EXTENDED_SIZE,
  FPX_SW_MAGIC1,
  FPX_SW_XFEATURES,
  FPX_SW_XSTATE_SIZE,
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FP_XSTATE_MAGIC2_BYTES,
  FXSAVE_SW_BYTES,
  SA_RESTORER,
  SA_SIGINFO,
  SC_CR2,
  SC_CS,
  SC_EFLAGS,
  SC_ERR,
  SC_FPSTATE,
  SC_OLDMASK,
  SC_SS,
  SC_TRAPNO,
  SIGFRAME_INFO,
  SIGFRAME_PRETCODE,
  SIGFRAME_UC,
  SIZEOF_RT_SIGFRAME,
  SS_AUTODISARM,
  SS_FLAGS,
  SS_SIZE,
  SS_SP,
  UC_FLAGS,
  UC_FP_XSTATE,
  UC_LINK,
  UC_MCONTEXT,
  UC_SIGCONTEXT_SS,
  UC_SIGMASK,
  UC_STACK,
  UC_STRICT_RESTORE_SS,
  XSAVE_XSTATE_BV,
  storeI64,
} from '@tsv/abi';
import {
  REG_CS,
  REG_EFLAGS,
  REG_RAX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  REG_RSP,
  REG_SS,
  type ContextPage,
} from '@tsv/platform';
import type { Task } from '../task/task.js';
import { storeSigInfo, type SigInfo } from './sig-info.js';
import type { SigSet } from './sig-set.js';
import { SIGCONTEXT_REGISTERS } from './sigcontext-registers.js';
import { usesAltStack, type SigAction } from './signal-actions.js';

/** Bytes below the stack pointer that a function may use, x86-64 psABI. */
const RED_ZONE_BYTES = 128;
const FP_ALIGN = 64;
/** Where the FP state is put together in the scratch memory. */
const SCRATCH_FP_AT = 1024;
/** Direction, resume and trap flags: a handler starts without them. */
const EFLAGS_CLEARED = 0x400 | 0x1_0000 | 0x100;
/** x87 and SSE: always in the frame. */
const XFEATURES_LEGACY = 3;

/**
 * Lets the guest of `task` call the handler of `action` when it runs on: builds an rt_sigframe on its stack, with
 * `mask` to come back to. Errors: EFAULT when there is no stack to build it on, or no restorer to return to.
 */
export function pushSignalFrame(task: Task, info: SigInfo, action: SigAction, mask: SigSet): number {
  if ((action.flags & SA_RESTORER) === 0) return -EFAULT;
  const { page, signals, kernel } = task;
  const sp = stackTop(task, action);
  const fpBytes = kernel.platform.xstateBytes + FP_XSTATE_MAGIC2_BYTES;
  const fpAddr = Math.floor((sp - fpBytes) / FP_ALIGN) * FP_ALIGN;
  const frameAddr = Math.floor((fpAddr - SIZEOF_RT_SIGFRAME) / 16) * 16 - 8;
  if (frameAddr <= 0) return -EFAULT;
  const isOnAltStack = signals.isOnAltStack(page.get(REG_RSP)) || sp === altStackTop(task);
  if (isOnAltStack && signals.altStackBytes !== 0 && !signals.isInAltStack(frameAddr)) return -EFAULT;

  if (copyOutFp(task, fpAddr, fpBytes) < 0) return -EFAULT;
  const bytes = storeFrame(task, info, action, mask, fpAddr);
  if (task.mm.copyOut(frameAddr, kernel.scratch, 0, bytes) < 0) return -EFAULT;
  if ((signals.altStackFlags & SS_AUTODISARM) !== 0) signals.resetAltStack();
  enterHandler(page, info.signo, action.handlerAddr, frameAddr);
  return 0;
}

function enterHandler(page: ContextPage, signo: number, handlerAddr: number, frameAddr: number): void {
  page.set(REG_RAX, 0);
  page.set(REG_RDI, signo);
  page.set(REG_RSI, frameAddr + SIGFRAME_INFO);
  page.set(REG_RDX, frameAddr + SIGFRAME_UC);
  page.set(REG_RSP, frameAddr);
  page.set(REG_RIP, handlerAddr);
  page.set(REG_EFLAGS, (page.low(REG_EFLAGS) & ~EFLAGS_CLEARED) >>> 0);
}

function altStackTop(task: Task): number {
  return task.signals.altStackAddr + task.signals.altStackBytes;
}

/** Where the frame grows down from: the alternate stack if asked for and not in use, or the interrupted one. */
function stackTop(task: Task, action: SigAction): number {
  const { signals, page } = task;
  const sp = page.get(REG_RSP);
  const mayEnter = usesAltStack(action) && signals.altStackBytes > 0 && !signals.isOnAltStack(sp);
  return mayEnter ? altStackTop(task) : sp - RED_ZONE_BYTES;
}

/** Writes the FP state with Linux's marks in its software bytes, so that it is known to be an XSAVE area. */
function copyOutFp(task: Task, fpAddr: number, fpBytes: number): number {
  const { scratch, scratchView, platform } = task.kernel;
  const { xstateBytes } = platform;
  task.context.loadFp(scratch, SCRATCH_FP_AT);
  const header = SCRATCH_FP_AT + XSAVE_XSTATE_BV;
  const featuresLow = (scratchView.getUint32(header, true) | XFEATURES_LEGACY) >>> 0;
  scratchView.setUint32(header, featuresLow, true);
  const sw = SCRATCH_FP_AT + FXSAVE_SW_BYTES;
  scratch.fill(0, sw, sw + 48);
  scratchView.setUint32(sw + FPX_SW_MAGIC1, FP_XSTATE_MAGIC1, true);
  scratchView.setUint32(sw + FPX_SW_EXTENDED_SIZE, fpBytes, true);
  scratchView.setUint32(sw + FPX_SW_XFEATURES, featuresLow, true);
  scratchView.setUint32(sw + FPX_SW_XFEATURES + 4, scratchView.getUint32(header + 4, true), true);
  scratchView.setUint32(sw + FPX_SW_XSTATE_SIZE, xstateBytes, true);
  scratchView.setUint32(SCRATCH_FP_AT + xstateBytes, FP_XSTATE_MAGIC2, true);
  return task.mm.copyOut(fpAddr, scratch, SCRATCH_FP_AT, fpBytes);
}

/** Puts the frame together at the start of the scratch memory. Returns how many bytes of it count. */
function storeFrame(task: Task, info: SigInfo, action: SigAction, mask: SigSet, fpAddr: number): number {
  const { scratch, scratchView: mem } = task.kernel;
  const { page, signals } = task;
  scratch.fill(0, 0, SIZEOF_RT_SIGFRAME);
  storeI64(mem, SIGFRAME_PRETCODE, action.restorerAddr);
  mem.setUint32(SIGFRAME_UC + UC_FLAGS, UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS, true);
  storeI64(mem, SIGFRAME_UC + UC_LINK, 0);
  storeI64(mem, SIGFRAME_UC + UC_STACK + SS_SP, signals.altStackAddr);
  mem.setUint32(SIGFRAME_UC + UC_STACK + SS_FLAGS, signals.altStackFlags, true);
  storeI64(mem, SIGFRAME_UC + UC_STACK + SS_SIZE, signals.altStackBytes);
  mem.setUint32(SIGFRAME_UC + UC_SIGMASK, mask.low, true);
  mem.setUint32(SIGFRAME_UC + UC_SIGMASK + 4, mask.high, true);
  storeSigcontext(mem, SIGFRAME_UC + UC_MCONTEXT, page);
  const sc = SIGFRAME_UC + UC_MCONTEXT;
  mem.setUint32(sc + SC_ERR, signals.faultError, true);
  mem.setUint32(sc + SC_TRAPNO, signals.faultTrapno, true);
  storeI64(mem, sc + SC_CR2, signals.faultAddr);
  mem.setUint32(sc + SC_OLDMASK, mask.low, true);
  mem.setUint32(sc + SC_OLDMASK + 4, mask.high, true);
  storeI64(mem, sc + SC_FPSTATE, fpAddr);
  if ((action.flags & SA_SIGINFO) === 0) return SIGFRAME_INFO;
  storeSigInfo(mem, SIGFRAME_INFO, info);
  return SIZEOF_RT_SIGFRAME;
}

function storeSigcontext(mem: DataView, at: number, page: ContextPage): void {
  for (let i = 0; i < SIGCONTEXT_REGISTERS.length; i += 2) {
    const field = at + SIGCONTEXT_REGISTERS[i]!;
    const reg = SIGCONTEXT_REGISTERS[i + 1]!;
    mem.setUint32(field, page.low(reg), true);
    mem.setUint32(field + 4, page.high(reg), true);
  }
  mem.setUint32(at + SC_EFLAGS, page.low(REG_EFLAGS), true);
  mem.setUint16(at + SC_CS, page.low(REG_CS), true);
  mem.setUint16(at + SC_SS, page.low(REG_SS), true);
}
