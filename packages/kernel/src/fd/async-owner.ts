import {
  F_OWNER_PGRP,
  F_OWNER_TID,
  O_ASYNC,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLMSG,
  POLLOUT,
  POLLPRI,
  POLLRDNORM,
  POLLWRNORM,
  SIGIO,
  SI_SIGIO,
} from '@tsv/abi';
import type { OpenFile } from '@tsv/vfs';
import { WaitEntry } from '@tsv/waiter';
import type { Pid } from '../namespace/pid.js';
import { kernelSignal, SigInfo } from '../signal/sig-info.js';
import { sendSignal } from '../signal/send-signal.js';

/** `si_code` for the events of a notification, sigaction(2): POLL_IN, POLL_OUT, POLL_MSG, POLL_ERR, POLL_PRI, POLL_HUP. */
const BANDS: readonly (readonly [mask: number, code: number])[] = [
  [POLLHUP, 6],
  [POLLERR, 4],
  [POLLPRI, 5],
  [POLLMSG, 3],
  [POLLIN | POLLRDNORM, 1],
  [POLLOUT | POLLWRNORM, 2],
];

/** Who is told of readiness by a signal, fcntl(2) F_SETOWN and F_SETSIG; told while O_ASYNC is set. */
export class AsyncOwner extends WaitEntry {
  /** F_OWNER_TID, F_OWNER_PID or F_OWNER_PGRP. */
  type = F_OWNER_PGRP;
  pid: Pid | null = null;
  /** The signal to send, 0 for SIGIO without information. */
  signo = 0;
  /** The descriptor that set O_ASYNC, for `si_fd`. */
  fd = -1;

  override notified(mask: number): void {
    const pid = this.pid;
    if (pid === null) return;
    const target = this.type === F_OWNER_PGRP ? pid.processGroup : pid.task;
    if (target === null) return;
    const info = this.#info(mask);
    sendSignal('threadGroup' in target && this.type !== F_OWNER_TID ? target.threadGroup : target, info);
  }

  #info(mask: number): SigInfo {
    if (this.signo === 0) return kernelSignal(SIGIO);
    const info = new SigInfo(this.signo, SI_SIGIO);
    for (const [events, code] of BANDS) {
      if ((mask & events) === 0) continue;
      info.code = code;
      info.band = mask;
      break;
    }
    info.fd = this.fd;
    return info;
  }
}

const owners = new WeakMap<OpenFile, AsyncOwner>();

/** Who was set for `file`, or undefined. */
export function asyncOwnerOf(file: OpenFile): AsyncOwner | undefined {
  return owners.get(file);
}

/** The owner record of `file`, made when first asked for. */
export function ensureAsyncOwner(file: OpenFile): AsyncOwner {
  let owner = owners.get(file);
  if (owner === undefined) {
    owner = new AsyncOwner();
    owners.set(file, owner);
  }
  return owner;
}

/** Sets the status flags of `file`, fcntl(2) F_SETFL by descriptor `fd`; O_ASYNC begins or ends notification. */
export function setStatusFlags(file: OpenFile, fd: number, flags: number): number {
  const result = file.setStatusFlags(flags);
  if (result < 0) return result;
  const owner = owners.get(file);
  if ((file.flags & O_ASYNC) === 0) {
    owner?.leave();
  } else if (file.waiters !== null) {
    const told = owner ?? ensureAsyncOwner(file);
    told.fd = fd;
    if (told.queue === null) file.waiters.add(told, POLLIN | POLLOUT | POLLPRI | POLLRDNORM | POLLWRNORM);
  }
  return 0;
}
