import {
  EFAULT,
  EINVAL,
  EIO,
  EPERM,
  ESRCH,
  NSIG,
  NT_PRFPREG,
  NT_PRSTATUS,
  PTRACE_ARCH_PRCTL,
  PTRACE_ATTACH,
  PTRACE_CONT,
  PTRACE_DETACH,
  PTRACE_GETEVENTMSG,
  PTRACE_GETFPREGS,
  PTRACE_GETREGS,
  PTRACE_GETREGSET,
  PTRACE_GETSIGINFO,
  PTRACE_GETSIGMASK,
  PTRACE_GET_SYSCALL_INFO,
  PTRACE_INTERRUPT,
  PTRACE_KILL,
  PTRACE_LISTEN,
  PTRACE_O_EXITKILL,
  PTRACE_O_TRACESECCOMP,
  PTRACE_PEEKDATA,
  PTRACE_PEEKTEXT,
  PTRACE_PEEKUSER,
  PTRACE_POKEDATA,
  PTRACE_POKETEXT,
  PTRACE_POKEUSER,
  PTRACE_SEIZE,
  PTRACE_SETFPREGS,
  PTRACE_SETOPTIONS,
  PTRACE_SETREGS,
  PTRACE_SETREGSET,
  PTRACE_SETSIGINFO,
  PTRACE_SETSIGMASK,
  PTRACE_SINGLESTEP,
  PTRACE_SYSCALL,
  PTRACE_TRACEME,
  SIGKILL,
  SIZEOF_SIGINFO,
  SIZEOF_USER_FPREGS,
  SIZEOF_USER_REGS,
  loadU64,
  storeI64,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { mayInspect } from '../cred/inspect-permission.js';
import { attach, detach, volunteer } from '../ptrace/attach.js';
import { storeSyscallInfo } from '../ptrace/syscall-info.js';
import { resumeTraced, wakeFromTraceStop } from '../ptrace/trace-stop.js';
import { TraceMode, TraceStopKind, type Tracing } from '../ptrace/tracing.js';
import { copyInRegset, copyOutRegset, peekUser, pokeUser, regsetBytes } from '../ptrace/user-area.js';
import { killGroup } from '../signal/send-signal.js';
import { loadQueuedSigInfo, storeSigInfo } from '../signal/sig-info.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** PTRACE_O_TRACESYSGOOD to PTRACE_O_TRACEEXIT, TRACESECCOMP (which never comes) and EXITKILL. */
const OPTIONS = 0x7f | PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
const WORD_BYTES = 8;
const SIGSET_BYTES = 8;
const IOVEC_BYTES = 16;

/** ptrace(2). Errors: EFAULT, EINVAL, EIO, EPERM, ESRCH. Differs: any thread of the tracing process may ask. */
export function sysPtrace(t: Task, a: SyscallArgs): SysResult {
  const request = a.i64(0);
  const pid = a.i32(1);
  const addr = a.u64(2);
  const data = a.u64(3);

  if (request === PTRACE_TRACEME) return traceMe(t);
  const target = t.pidNs.lookup(pid)?.task ?? null;
  if (target === null || target.hasExited) return -ESRCH;
  if (request === PTRACE_ATTACH) return attachTo(t, target, 0, false);
  if (request === PTRACE_SEIZE) {
    if (addr !== 0) return -EIO;
    return (data & ~OPTIONS) !== 0 || data > OPTIONS ? -EIO : attachTo(t, target, data, true);
  }
  const { tracing } = target;
  if (tracing === null || tracing.tracer !== t.threadGroup) return -ESRCH;
  if (request === PTRACE_KILL) return killGroup(target.threadGroup, SIGKILL);
  if (request === PTRACE_INTERRUPT) return interrupt(target, tracing);
  if (tracing.stop === null || tracing.isListening) return -ESRCH;
  return serve(t, target, tracing, request, addr, data);
}

function traceMe(t: Task): SysResult {
  const { parent } = t.threadGroup;
  if (t.tracing !== null || parent === null) return -EPERM;
  volunteer(t, parent);
  return 0;
}

function attachTo(t: Task, target: Task, options: number, isSeized: boolean): SysResult {
  if (target.threadGroup === t.threadGroup || target.tracing !== null || !mayInspect(t, target)) return -EPERM;
  attach(target, t.threadGroup, options, isSeized);
  return 0;
}

/** PTRACE_INTERRUPT: it stops as soon as it can, whatever it does. */
function interrupt(target: Task, tracing: Tracing): SysResult {
  if (!tracing.isSeized) return -EIO;
  tracing.isInterruptWanted = true;
  target.signals.isTraceDue = true;
  target.signals.isInterruptPending = true;
  if (tracing.stop === null) target.interrupt();
  else if (tracing.isListening) wakeFromTraceStop(target, tracing);
  return 0;
}

function serve(t: Task, target: Task, tracing: Tracing, request: number, addr: number, data: number): SysResult {
  switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
      return peek(t, target, addr, data);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
      return poke(t, target, addr);
    case PTRACE_PEEKUSER:
      return peekUser(target, addr, t.kernel.scratchView) || putWord(t, data);
    case PTRACE_POKEUSER:
      storeArgument(t);
      return pokeUser(target, addr, t.kernel.scratchView);
    case PTRACE_GETREGS:
      return copyOutRegset(t, target, NT_PRSTATUS, data, SIZEOF_USER_REGS);
    case PTRACE_SETREGS:
      return copyInRegset(t, target, NT_PRSTATUS, data, SIZEOF_USER_REGS);
    case PTRACE_GETFPREGS:
      return copyOutRegset(t, target, NT_PRFPREG, data, SIZEOF_USER_FPREGS);
    case PTRACE_SETFPREGS:
      return copyInRegset(t, target, NT_PRFPREG, data, SIZEOF_USER_FPREGS);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
      return regset(t, target, request, addr, data);
    case PTRACE_SETOPTIONS:
      if ((data & ~OPTIONS) !== 0 || data > OPTIONS) return -EINVAL;
      tracing.options = data;
      return 0;
    case PTRACE_GETEVENTMSG:
      storeI64(t.kernel.scratchView, 0, tracing.eventMessage);
      return putWord(t, data);
    case PTRACE_GET_SYSCALL_INFO:
      return storeSyscallInfo(t, target, tracing, addr, data);
    default:
      return serveSignals(t, target, tracing, request, addr, data);
  }
}

function serveSignals(t: Task, target: Task, tracing: Tracing, request: number, addr: number, data: number): SysResult {
  switch (request) {
    case PTRACE_GETSIGINFO:
      return getSigInfo(t, tracing, data);
    case PTRACE_SETSIGINFO:
      return setSigInfo(t, tracing, data);
    case PTRACE_GETSIGMASK:
    case PTRACE_SETSIGMASK:
      return sigMask(t, target, request, addr, data);
    case PTRACE_CONT:
      return resume(target, tracing, TraceMode.CONT, data);
    case PTRACE_SYSCALL:
      return resume(target, tracing, TraceMode.SYSCALL, data);
    case PTRACE_SINGLESTEP:
      return resume(target, tracing, TraceMode.STEP, data);
    case PTRACE_DETACH:
      return stopTracing(target, tracing, data);
    case PTRACE_LISTEN:
      return listen(target, tracing);
    case PTRACE_ARCH_PRCTL:
      return -EINVAL;
    default:
      return -EIO;
  }
}

function resume(target: Task, tracing: Tracing, mode: TraceMode, signo: number): SysResult {
  if (signo > NSIG) return -EIO;
  resumeTraced(target, tracing, mode, signo);
  return 0;
}

function stopTracing(target: Task, tracing: Tracing, signo: number): SysResult {
  if (signo > NSIG) return -EIO;
  resumeTraced(target, tracing, TraceMode.CONT, signo);
  detach(target);
  return 0;
}

/** PTRACE_LISTEN: a group stop goes on, without being at the tracer's disposal. */
function listen(target: Task, tracing: Tracing): SysResult {
  const isGroupStop = tracing.stop!.kind === TraceStopKind.GROUP || tracing.stop!.kind === TraceStopKind.EVENT;
  if (!tracing.isSeized || !isGroupStop) return -EIO;
  tracing.isListening = true;
  // The stop has ended meanwhile.
  if (tracing.isInterruptWanted) wakeFromTraceStop(target, tracing);
  return 0;
}

function peek(t: Task, target: Task, addr: number, dataAddr: number): SysResult {
  const { scratch } = t.kernel;
  return (
    withForeignMemory(target, addr, () => (target.mm.copyIn(scratch, 0, addr, WORD_BYTES) < 0 ? -EIO : 0)) ||
    putWord(t, dataAddr)
  );
}

function poke(t: Task, target: Task, addr: number): SysResult {
  storeArgument(t);
  return withForeignMemory(target, addr, () => target.mm.poke(addr, t.kernel.scratch, 0, WORD_BYTES));
}

/**
 * For a word at `addr`: a tracer sees the program's own code. Other threads of `target` may run: what they have mapped is not
 * given to others meanwhile.
 */
function withForeignMemory(target: Task, addr: number, body: () => 0 | Errno): 0 | Errno {
  const map = target.mm.addressMap;
  map.isForeignAccess = true;
  target.mm.code.reveal(addr, WORD_BYTES);
  const status = body();
  map.isForeignAccess = false;
  return status;
}

/** Puts `data`, a word by value, into the scratch memory. */
function storeArgument(t: Task): void {
  t.kernel.scratchView.setUint32(0, t.args.u32(3), true);
  t.kernel.scratchView.setUint32(4, t.args.high(3), true);
}

/** Gives the word in the scratch memory to the tracer. */
function putWord(t: Task, addr: number): SysResult {
  return t.mm.copyOut(addr, t.kernel.scratch, 0, WORD_BYTES) < 0 ? -EFAULT : 0;
}

function regset(t: Task, target: Task, request: number, type: number, iovAddr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, iovAddr, IOVEC_BYTES) < 0) return -EFAULT;
  const base = loadU64(scratchView, 0);
  const room = loadU64(scratchView, 8);
  const whole = regsetBytes(target, type);
  if (whole < 0 || room % WORD_BYTES !== 0) return -EINVAL;
  const len = Math.min(room, whole);
  const status =
    request === PTRACE_GETREGSET ? copyOutRegset(t, target, type, base, len) : copyInRegset(t, target, type, base, len);
  if (status < 0) return status;
  storeI64(scratchView, 0, len);
  return t.mm.copyOut(iovAddr + 8, scratch, 0, WORD_BYTES) < 0 ? -EFAULT : 0;
}

function getSigInfo(t: Task, tracing: Tracing, addr: number): SysResult {
  const { info } = tracing.stop!;
  if (info === null) return -EINVAL;
  const { scratch, scratchView } = t.kernel;
  storeSigInfo(scratchView, 0, info);
  return t.mm.copyOut(addr, scratch, 0, SIZEOF_SIGINFO) < 0 ? -EFAULT : 0;
}

function setSigInfo(t: Task, tracing: Tracing, addr: number): SysResult {
  const stop = tracing.stop!;
  if (stop.info === null) return -EINVAL;
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_SIGINFO) < 0) return -EFAULT;
  stop.info = loadQueuedSigInfo(scratchView, 0, scratchView.getInt32(0, true));
  return 0;
}

function sigMask(t: Task, target: Task, request: number, size: number, addr: number): SysResult {
  if (size !== SIGSET_BYTES) return -EINVAL;
  const { scratch, scratchView } = t.kernel;
  const { signals } = target;
  if (request === PTRACE_SETSIGMASK) {
    if (t.mm.copyIn(scratch, 0, addr, SIGSET_BYTES) < 0) return -EFAULT;
    signals.setBlocked(scratchView.getUint32(0, true), scratchView.getUint32(4, true));
    return 0;
  }
  const mask = signals.hasSavedMask ? signals.saved : signals.blocked;
  scratchView.setUint32(0, mask.low, true);
  scratchView.setUint32(4, mask.high, true);
  return t.mm.copyOut(addr, scratch, 0, SIGSET_BYTES) < 0 ? -EFAULT : 0;
}
