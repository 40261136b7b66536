import {
  FPX_SW_EXTENDED_SIZE,
  FPX_SW_MAGIC1,
  FPX_SW_XSTATE_SIZE,
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FP_XSTATE_MAGIC2_BYTES,
  FXSAVE_BYTES,
  FXSAVE_SW_BYTES,
  SC_EFLAGS,
  SC_FPSTATE,
  SIGFRAME_INFO,
  SIGFRAME_UC,
  SIGSEGV,
  SS_FLAGS,
  SS_SIZE,
  SS_SP,
  UC_MCONTEXT,
  UC_SIGMASK,
  UC_STACK,
  XSAVE_HEADER_BYTES,
  XSAVE_XSTATE_BV,
  loadU64,
} from '@tsv/abi';
import { REG_EFLAGS, REG_RSP } from '@tsv/platform';
import type { Task } from '../task/task.js';
import { setAltStack } from './alt-stack.js';
import { changeBlocked } from './deliver.js';
import { forceSignal } from './force-signal.js';
import { kernelSignal } from './sig-info.js';
import { SIGCONTEXT_REGISTERS } from './sigcontext-registers.js';

/** Flags that user code may set: AC, OF, DF, TF, SF, ZF, AF, PF, CF, RF. */
const EFLAGS_USER = 0x5_0dd5;
const SCRATCH_FP_AT = 1024;

/** Takes the task back to where a handler interrupted it, rt_sigreturn(2). A bad frame raises SIGSEGV. */
export function popSignalFrame(task: Task): void {
  const { page, mm, kernel } = task;
  const { scratch, scratchView: mem } = kernel;
  const frameAddr = page.get(REG_RSP) - 8;
  if (frameAddr < 0 || mm.copyIn(scratch, 0, frameAddr, SIGFRAME_INFO) < 0) return badFrame(task);
  const sc = SIGFRAME_UC + UC_MCONTEXT;
  const maskLow = mem.getUint32(SIGFRAME_UC + UC_SIGMASK, true);
  const maskHigh = mem.getUint32(SIGFRAME_UC + UC_SIGMASK + 4, true);
  const altAddr = loadU64(mem, SIGFRAME_UC + UC_STACK + SS_SP);
  const altFlags = mem.getUint32(SIGFRAME_UC + UC_STACK + SS_FLAGS, true);
  const altBytes = loadU64(mem, SIGFRAME_UC + UC_STACK + SS_SIZE);
  for (let i = 0; i < SIGCONTEXT_REGISTERS.length; i += 2) {
    const field = sc + SIGCONTEXT_REGISTERS[i]!;
    page.setHalves(SIGCONTEXT_REGISTERS[i + 1]!, mem.getUint32(field, true), mem.getUint32(field + 4, true));
  }
  const eflags = page.low(REG_EFLAGS);
  page.set(REG_EFLAGS, ((eflags & ~EFLAGS_USER) | (mem.getUint32(sc + SC_EFLAGS, true) & EFLAGS_USER)) >>> 0);
  const fpAddr = loadU64(mem, sc + SC_FPSTATE);

  task.signals.restartCode = 0;
  changeBlocked(task, maskLow, maskHigh);
  if (restoreFp(task, fpAddr) < 0) return badFrame(task);
  setAltStack(task, altAddr, altFlags, altBytes);
}

function badFrame(task: Task): void {
  forceSignal(task, kernelSignal(SIGSEGV));
}

/** Sets the FP state from a frame: an XSAVE area if it is marked as one throughout, the 512 bytes of FXSAVE otherwise. */
function restoreFp(task: Task, fpAddr: number): number {
  const { context, mm, kernel } = task;
  const { scratch, scratchView: mem, platform } = kernel;
  if (fpAddr === 0) {
    context.resetFp();
    return 0;
  }
  const { xstateBytes } = platform;
  scratch.fill(0, SCRATCH_FP_AT, SCRATCH_FP_AT + xstateBytes);
  let result = mm.copyIn(scratch, SCRATCH_FP_AT, fpAddr, FXSAVE_BYTES);
  if (result < 0) return result;
  const sw = SCRATCH_FP_AT + FXSAVE_SW_BYTES;
  const areaBytes = mem.getUint32(sw + FPX_SW_XSTATE_SIZE, true);
  const isXsave =
    mem.getUint32(sw + FPX_SW_MAGIC1, true) === FP_XSTATE_MAGIC1 &&
    areaBytes >= FXSAVE_BYTES + XSAVE_HEADER_BYTES &&
    areaBytes <= xstateBytes &&
    areaBytes <= mem.getUint32(sw + FPX_SW_EXTENDED_SIZE, true) - FP_XSTATE_MAGIC2_BYTES &&
    mm.load32(fpAddr + areaBytes) === FP_XSTATE_MAGIC2;
  if (isXsave) result = mm.copyIn(scratch, SCRATCH_FP_AT, fpAddr, areaBytes);
  else mem.setUint32(SCRATCH_FP_AT + XSAVE_XSTATE_BV, 3, true);
  if (result < 0) return result;
  scratch.fill(0, sw, sw + 48);
  return context.storeFp(scratch, SCRATCH_FP_AT);
}
