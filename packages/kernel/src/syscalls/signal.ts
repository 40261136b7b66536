import {
  EAGAIN,
  EFAULT,
  EINTR,
  EINVAL,
  ERESTARTNOHAND,
  NSIG,
  SA_EXPOSE_TAGBITS,
  SA_FLAGS_AT,
  SA_HANDLER_AT,
  SA_MASK_AT,
  SA_NOCLDSTOP,
  SA_NOCLDWAIT,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTART,
  SA_RESTORER,
  SA_RESTORER_AT,
  SA_SIGINFO,
  SIGKILL,
  SIGSTOP,
  SIG_BLOCK,
  SIG_SETMASK,
  SIG_UNBLOCK,
  SIZEOF_SIGACTION,
  SIZEOF_SIGINFO,
  SIZEOF_SIGSET,
  SIZEOF_STACK,
  SS_AUTODISARM,
  SS_DISABLE,
  SS_FLAGS,
  SS_ONSTACK,
  SS_SIZE,
  SS_SP,
  loadTimespecMs,
  loadU64,
  storeI64,
  type SysResult,
} from '@tsv/abi';
import { REG_RSP } from '@tsv/platform';
import { setAltStack } from '../signal/alt-stack.js';
import { changeBlocked } from '../signal/deliver.js';
import { discardPending } from '../signal/job-control.js';
import { storeSigInfo } from '../signal/sig-info.js';
import { UNBLOCKABLE_LOW } from '../signal/signal-actions.js';
import { popSignalFrame } from '../signal/signal-return.js';
import type { Task } from '../task/task.js';
import { BLOCKED, REGISTERS_SET } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

/** Flags of sigaction(2) that exist; others read back as 0. */
const SA_KNOWN =
  SA_NOCLDSTOP |
  SA_NOCLDWAIT |
  SA_SIGINFO |
  SA_EXPOSE_TAGBITS |
  SA_RESTORER |
  SA_ONSTACK |
  SA_RESTART |
  SA_NODEFER |
  SA_RESETHAND;

/** rt_sigaction(2). Errors: EFAULT, EINVAL. */
export function sysRtSigaction(t: Task, a: SyscallArgs): SysResult {
  const signo = a.i32(0);
  const actAddr = a.u64(1);
  const oldActAddr = a.u64(2);
  const sigsetBytes = a.u64(3);
  if (sigsetBytes !== SIZEOF_SIGSET) return -EINVAL;
  const { scratch, scratchView: mem } = t.kernel;
  if (actAddr !== 0 && t.mm.copyIn(scratch, 0, actAddr, SIZEOF_SIGACTION) < 0) return -EFAULT;
  if (signo < 1 || signo > NSIG) return -EINVAL;
  if (actAddr !== 0 && (signo === SIGKILL || signo === SIGSTOP)) return -EINVAL;

  const action = t.threadGroup.signalActions.get(signo);
  const { handlerAddr, flags, restorerAddr, maskLow, maskHigh } = action;
  if (actAddr !== 0) {
    action.handlerAddr = loadU64(mem, SA_HANDLER_AT);
    action.flags = (mem.getUint32(SA_FLAGS_AT, true) & SA_KNOWN) >>> 0;
    action.restorerAddr = loadU64(mem, SA_RESTORER_AT);
    action.maskLow = (mem.getUint32(SA_MASK_AT, true) & ~UNBLOCKABLE_LOW) >>> 0;
    action.maskHigh = mem.getUint32(SA_MASK_AT + 4, true);
    if (t.threadGroup.signalActions.isIgnored(signo)) forgetPending(t, signo);
  }
  if (oldActAddr === 0) return 0;
  storeI64(mem, SA_HANDLER_AT, handlerAddr);
  storeI64(mem, SA_FLAGS_AT, flags);
  storeI64(mem, SA_RESTORER_AT, restorerAddr);
  mem.setUint32(SA_MASK_AT, maskLow, true);
  mem.setUint32(SA_MASK_AT + 4, maskHigh, true);
  return t.mm.copyOut(oldActAddr, scratch, 0, SIZEOF_SIGACTION);
}

/** rt_sigprocmask(2). Errors: EFAULT, EINVAL. */
export function sysRtSigprocmask(t: Task, a: SyscallArgs): SysResult {
  const how = a.i32(0);
  const setAddr = a.u64(1);
  const oldSetAddr = a.u64(2);
  const sigsetBytes = a.u64(3);
  if (sigsetBytes !== SIZEOF_SIGSET) return -EINVAL;
  const { blocked } = t.signals;
  const { low: oldLow, high: oldHigh } = blocked;
  if (setAddr !== 0) {
    const low = t.mm.load32(setAddr);
    const high = t.mm.load32(setAddr + 4);
    if (Number.isNaN(low) || Number.isNaN(high)) return -EFAULT;
    if (how === SIG_BLOCK) changeBlocked(t, oldLow | low, oldHigh | high);
    else if (how === SIG_UNBLOCK) changeBlocked(t, oldLow & ~low, oldHigh & ~high);
    else if (how === SIG_SETMASK) changeBlocked(t, low, high);
    else return -EINVAL;
  }
  return oldSetAddr === 0 ? 0 : storeSet(t, oldSetAddr, oldLow, oldHigh);
}

/** rt_sigpending(2). Errors: EFAULT, EINVAL. */
export function sysRtSigpending(t: Task, a: SyscallArgs): SysResult {
  const setAddr = a.u64(0);
  const sigsetBytes = a.u64(1);
  if (sigsetBytes > SIZEOF_SIGSET) return -EINVAL;
  const { blocked, pending } = t.signals;
  const shared = t.threadGroup.pending.set;
  const mem = t.kernel.scratchView;
  mem.setUint32(0, (pending.set.low | shared.low) & blocked.low, true);
  mem.setUint32(4, (pending.set.high | shared.high) & blocked.high, true);
  return t.mm.copyOut(setAddr, t.kernel.scratch, 0, sigsetBytes);
}

/** rt_sigtimedwait(2). Errors: EAGAIN, EFAULT, EINTR, EINVAL. */
export function sysRtSigtimedwait(t: Task, a: SyscallArgs): SysResult {
  const setAddr = a.u64(0);
  const infoAddr = a.u64(1);
  const timeoutAddr = a.u64(2);
  const sigsetBytes = a.u64(3);
  const { signals, kernel, restart } = t;
  signals.awaited.set(0, 0);
  if (sigsetBytes !== SIZEOF_SIGSET) return -EINVAL;
  const low = t.mm.load32(setAddr);
  const high = t.mm.load32(setAddr + 4);
  if (Number.isNaN(low) || Number.isNaN(high)) return -EFAULT;
  if (restart.tryCount === 0) {
    const deadlineMs = timeoutAddr === 0 ? Infinity : deadlineOf(t, timeoutAddr);
    if (deadlineMs < 0) return deadlineMs;
    restart.deadlineMs = deadlineMs;
  }

  const info = signals.takeOf(low & ~UNBLOCKABLE_LOW, high);
  if (info !== null) {
    if (infoAddr === 0) return info.signo;
    storeSigInfo(kernel.scratchView, 0, info);
    return t.mm.copyOut(infoAddr, kernel.scratch, 0, SIZEOF_SIGINFO) < 0 ? -EFAULT : info.signo;
  }
  if (restart.deadlineMs <= kernel.clock.monotonicMs()) return -EAGAIN;
  t.wait.until(restart.deadlineMs);
  const result = t.block(EINTR);
  if (result === BLOCKED) signals.awaited.set(low & ~UNBLOCKABLE_LOW, high);
  return result;
}

/** rt_sigsuspend(2). Errors: EFAULT, EINTR, EINVAL. */
export function sysRtSigsuspend(t: Task, a: SyscallArgs): SysResult {
  const setAddr = a.u64(0);
  const sigsetBytes = a.u64(1);
  if (sigsetBytes !== SIZEOF_SIGSET) return -EINVAL;
  const low = t.mm.load32(setAddr);
  const high = t.mm.load32(setAddr + 4);
  if (Number.isNaN(low) || Number.isNaN(high)) return -EFAULT;
  t.signals.setTemporaryMask(low, high);
  return t.block(ERESTARTNOHAND);
}

/** pause(2). Errors: EINTR. */
export function sysPause(t: Task): SysResult {
  return t.block(ERESTARTNOHAND);
}

/** sigaltstack(2). Errors: EFAULT, EINVAL, ENOMEM, EPERM. */
export function sysSigaltstack(t: Task, a: SyscallArgs): SysResult {
  const stackAddr = a.u64(0);
  const oldStackAddr = a.u64(1);
  const { scratch, scratchView: mem } = t.kernel;
  const { altStackAddr, altStackBytes } = t.signals;
  const flags = altStackFlags(t);
  if (stackAddr !== 0) {
    if (t.mm.copyIn(scratch, 0, stackAddr, SIZEOF_STACK) < 0) return -EFAULT;
    const result = setAltStack(t, loadU64(mem, SS_SP), mem.getUint32(SS_FLAGS, true), loadU64(mem, SS_SIZE));
    if (result < 0) return result;
  }
  if (oldStackAddr === 0) return 0;
  scratch.fill(0, 0, SIZEOF_STACK);
  storeI64(mem, SS_SP, altStackAddr);
  mem.setUint32(SS_FLAGS, flags, true);
  storeI64(mem, SS_SIZE, altStackBytes);
  return t.mm.copyOut(oldStackAddr, scratch, 0, SIZEOF_STACK);
}

/** rt_sigreturn(2). */
export function sysRtSigreturn(t: Task): SysResult {
  popSignalFrame(t);
  return REGISTERS_SET;
}

/** restart_syscall(2). Interrupted calls are made again inside of the kernel: there is never one to restart here. */
export function sysRestartSyscall(): SysResult {
  return -EINTR;
}

function altStackFlags(t: Task): number {
  const { signals } = t;
  const kept = (signals.altStackFlags & SS_AUTODISARM) >>> 0;
  if (signals.altStackBytes === 0) return (SS_DISABLE | kept) >>> 0;
  return signals.isOnAltStack(t.page.get(REG_RSP)) ? (SS_ONSTACK | kept) >>> 0 : kept;
}

function forgetPending(t: Task, signo: number): void {
  if (signo <= 32) discardPending(t.threadGroup, (1 << (signo - 1)) >>> 0, 0);
  else discardPending(t.threadGroup, 0, (1 << (signo - 33)) >>> 0);
}

function storeSet(t: Task, addr: number, low: number, high: number): SysResult {
  return t.mm.store32(addr, low) < 0 || t.mm.store32(addr + 4, high) < 0 ? -EFAULT : 0;
}

/** Monotonic deadline of a relative `struct timespec`. Errors: EFAULT, EINVAL. */
function deadlineOf(t: Task, timeoutAddr: number): number {
  if (t.mm.copyIn(t.kernel.scratch, 0, timeoutAddr, 16) < 0) return -EFAULT;
  const timeoutMs = loadTimespecMs(t.kernel.scratchView, 0);
  return Number.isNaN(timeoutMs) ? -EINVAL : t.kernel.clock.monotonicMs() + timeoutMs;
}
