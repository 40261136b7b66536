import {
  SI_ADDR,
  SI_ADDR_LSB,
  SI_ARCH,
  SI_BAND,
  SI_CALL_ADDR,
  SI_CODE,
  SI_ERRNO,
  SI_FD,
  SI_KERNEL,
  SI_OVERRUN,
  SI_PID,
  SI_SIGIO,
  SI_SIGNO,
  SI_STATUS,
  SI_STIME,
  SI_SYSCALL,
  SI_TIMER,
  SI_TIMERID,
  SI_UID,
  SI_USER,
  SI_UTIME,
  SI_VALUE,
  SIGBUS,
  SIGCHLD,
  SIGFPE,
  SIGILL,
  SIGIO,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
  SIZEOF_SIGINFO,
  storeI64,
} from '@tsv/abi';

/** A timer whose next period begins when its signal is taken. */
export interface SignalSource {
  signalTaken(info: SigInfo): void;
}

/** What a signal tells its receiver, `siginfo_t` of sigaction(2). Which fields count depends on `signo` and `code`. */
export class SigInfo {
  signo: number;
  code: number;
  errno = 0;
  /** Sender or child, as the receiver's PID namespace numbers it. */
  pid = 0;
  uid = 0;
  /** `sigval`: two halves. */
  valueLow = 0;
  valueHigh = 0;
  /** Faulting address; for SIGSYS the address of the instruction behind the call. */
  addr = 0;
  addrLsb = 0;
  /** Exit code or signal of a child. */
  status = 0;
  /** CPU time of a child, in clock ticks. */
  utimeTicks = 0;
  stimeTicks = 0;
  timerId = 0;
  overrun = 0;
  /** SIGIO: the events, and the descriptor. */
  band = 0;
  fd = 0;
  /** SIGSYS. */
  syscall = 0;
  arch = 0;
  /** Whether it reaches process 1 of a PID namespace although it has no handler: from the kernel or from outside. */
  isForced = false;
  /** Whether it is pending. Written by {@link SignalQueue}. */
  isQueued = false;
  /** Who wants to know when it is taken; null for nobody. */
  source: SignalSource | null = null;

  constructor(signo: number, code: number) {
    this.signo = signo;
    this.code = code;
  }
}

/** A signal sent by a process, kill(2). */
export function userSignal(signo: number, code: number, pid: number, uid: number): SigInfo {
  const info = new SigInfo(signo, code);
  info.pid = pid;
  info.uid = uid;
  return info;
}

/** A signal of the kernel's own. */
export function kernelSignal(signo: number): SigInfo {
  const info = new SigInfo(signo, SI_KERNEL);
  info.isForced = true;
  return info;
}

/** A signal raised by a fault at `addr`. */
export function faultSignal(signo: number, code: number, addr: number): SigInfo {
  const info = new SigInfo(signo, code);
  info.addr = addr;
  return info;
}

/** Writes `info` as a `siginfo_t`. */
export function storeSigInfo(mem: DataView, at: number, info: SigInfo): void {
  for (let i = 0; i < SIZEOF_SIGINFO; i += 4) mem.setUint32(at + i, 0, true);
  mem.setInt32(at + SI_SIGNO, info.signo, true);
  mem.setInt32(at + SI_ERRNO, info.errno, true);
  mem.setInt32(at + SI_CODE, info.code, true);
  storeUnion(mem, at, info);
}

function storeUnion(mem: DataView, at: number, info: SigInfo): void {
  const { signo, code } = info;
  if (code === SI_TIMER) {
    mem.setInt32(at + SI_TIMERID, info.timerId, true);
    mem.setInt32(at + SI_OVERRUN, info.overrun, true);
    storeValue(mem, at, info);
  } else if (code === SI_SIGIO || (signo === SIGIO && code > SI_USER && code < SI_KERNEL)) {
    storeI64(mem, at + SI_BAND, info.band);
    mem.setInt32(at + SI_FD, info.fd, true);
  } else if (code <= SI_USER || code === SI_KERNEL || (signo === SIGTRAP && code > SI_KERNEL)) {
    // What a tracer is told of a stop that is no signal's has a code above SI_KERNEL.
    mem.setInt32(at + SI_PID, info.pid, true);
    mem.setUint32(at + SI_UID, info.uid, true);
    storeValue(mem, at, info);
  } else if (signo === SIGCHLD) {
    mem.setInt32(at + SI_PID, info.pid, true);
    mem.setUint32(at + SI_UID, info.uid, true);
    mem.setInt32(at + SI_STATUS, info.status, true);
    storeI64(mem, at + SI_UTIME, info.utimeTicks);
    storeI64(mem, at + SI_STIME, info.stimeTicks);
  } else if (signo === SIGSYS) {
    storeI64(mem, at + SI_CALL_ADDR, info.addr);
    mem.setInt32(at + SI_SYSCALL, info.syscall, true);
    mem.setUint32(at + SI_ARCH, info.arch, true);
  } else if (isFaultSignal(signo)) {
    storeI64(mem, at + SI_ADDR, info.addr);
    mem.setInt16(at + SI_ADDR_LSB, info.addrLsb, true);
  }
}

function storeValue(mem: DataView, at: number, info: SigInfo): void {
  mem.setUint32(at + SI_VALUE, info.valueLow, true);
  mem.setUint32(at + SI_VALUE + 4, info.valueHigh, true);
}

/** Whether the CPU raises `signo`: its siginfo has an address. */
export function isFaultSignal(signo: number): boolean {
  return signo === SIGSEGV || signo === SIGBUS || signo === SIGILL || signo === SIGFPE || signo === SIGTRAP;
}

/** Reads a `siginfo_t` that a process made, rt_sigqueueinfo(2). `signo` comes from the call. */
export function loadQueuedSigInfo(mem: DataView, at: number, signo: number): SigInfo {
  const info = new SigInfo(signo, mem.getInt32(at + SI_CODE, true));
  info.errno = mem.getInt32(at + SI_ERRNO, true);
  info.pid = mem.getInt32(at + SI_PID, true);
  info.uid = mem.getUint32(at + SI_UID, true);
  info.timerId = info.pid;
  info.overrun = info.uid | 0;
  info.band = info.pid;
  info.fd = mem.getInt32(at + SI_FD, true);
  info.valueLow = mem.getUint32(at + SI_VALUE, true);
  info.valueHigh = mem.getUint32(at + SI_VALUE + 4, true);
  return info;
}
