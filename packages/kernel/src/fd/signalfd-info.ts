import {
  SIGCHLD,
  SIGIO,
  SIZEOF_SIGNALFD_SIGINFO,
  SI_KERNEL,
  SI_SIGIO,
  SI_TIMER,
  SI_USER,
  SSI_ADDR,
  SSI_ADDR_LSB,
  SSI_BAND,
  SSI_CODE,
  SSI_ERRNO,
  SSI_FD,
  SSI_INT,
  SSI_OVERRUN,
  SSI_PID,
  SSI_PTR,
  SSI_SIGNO,
  SSI_STATUS,
  SSI_STIME,
  SSI_TID,
  SSI_UID,
  SSI_UTIME,
  storeI64,
} from '@tsv/abi';
import { isFaultSignal, type SigInfo } from '../signal/sig-info.js';

/** Stores `info` as a `struct signalfd_siginfo` at the start of `mem`. */
export function storeSignalfdInfo(mem: DataView, info: SigInfo): void {
  for (let at = 0; at < SIZEOF_SIGNALFD_SIGINFO; at += 4) mem.setUint32(at, 0, true);
  const { signo, code } = info;
  mem.setUint32(SSI_SIGNO, signo, true);
  mem.setInt32(SSI_ERRNO, info.errno, true);
  mem.setInt32(SSI_CODE, code, true);
  if (code === SI_TIMER) {
    mem.setUint32(SSI_TID, info.timerId, true);
    mem.setUint32(SSI_OVERRUN, info.overrun, true);
    storeValue(mem, info);
  } else if (code === SI_SIGIO || (signo === SIGIO && code > SI_USER && code < SI_KERNEL)) {
    mem.setUint32(SSI_BAND, info.band, true);
    mem.setInt32(SSI_FD, info.fd, true);
  } else if (isFaultSignal(signo) && code > SI_USER && code < SI_KERNEL) {
    storeI64(mem, SSI_ADDR, info.addr);
    mem.setUint16(SSI_ADDR_LSB, info.addrLsb, true);
  } else {
    mem.setUint32(SSI_PID, info.pid, true);
    mem.setUint32(SSI_UID, info.uid, true);
    if (signo !== SIGCHLD || code <= SI_USER) return storeValue(mem, info);
    mem.setInt32(SSI_STATUS, info.status, true);
    storeI64(mem, SSI_UTIME, info.utimeTicks);
    storeI64(mem, SSI_STIME, info.stimeTicks);
  }
}

function storeValue(mem: DataView, info: SigInfo): void {
  mem.setUint32(SSI_PTR, info.valueLow, true);
  mem.setUint32(SSI_PTR + 4, info.valueHigh, true);
  mem.setUint32(SSI_INT, info.valueLow, true);
}
