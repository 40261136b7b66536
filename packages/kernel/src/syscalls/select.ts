import {
  EBADF,
  EFAULT,
  EINTR,
  EINVAL,
  ERESTARTNOHAND,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLPRI,
  POLLRDBAND,
  POLLRDNORM,
  POLLWRBAND,
  POLLWRNORM,
  SIZEOF_TIMEVAL,
  loadI64,
  loadU64,
  storeTimevalMs,
  type SysResult,
} from '@tsv/abi';
import { deadlineAfter, loadTimeout, storeTimeLeft } from '../fd/poll-timeout.js';
import { setTemporaryMask } from '../fd/temporary-mask.js';
import type { Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

/** Events that make a descriptor readable, writable or exceptional, select(2). */
const READ_EVENTS = POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR;
const WRITE_EVENTS = POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR;
const EXCEPT_EVENTS = POLLPRI;

/** The sets asked for, then the sets found: three of each, every one `setBytes` long. Grows with the tables. */
let sets = new Uint8Array(6 * 128);
const timeval = new Uint8Array(SIZEOF_TIMEVAL);
const timevalView = new DataView(timeval.buffer);
const sigmaskArgs = new Uint8Array(16);
const sigmaskView = new DataView(sigmaskArgs.buffer);

/** select(2). The time that is left is stored. Errors: EBADF, EFAULT, EINTR, EINVAL. */
export function sysSelect(t: Task, a: SyscallArgs): SysResult {
  const nfds = a.i32(0);
  const timeout = a.u64(4);

  if (t.restart.tryCount === 0) {
    const status = loadTimeval(t, timeout);
    if (status < 0) return status;
  }
  const result = select(t, nfds, a.u64(1), a.u64(2), a.u64(3));
  return result === BLOCKED ? BLOCKED : storeTimevalLeft(t, timeout, result);
}

/** pselect(2). The time that is left is stored, as the raw system call does. Errors: EBADF, EFAULT, EINTR, EINVAL. */
export function sysPselect6(t: Task, a: SyscallArgs): SysResult {
  const nfds = a.i32(0);
  const timeout = a.u64(4);
  const sig = a.u64(5);

  if (t.restart.tryCount === 0) {
    const status = loadTimeout(t, timeout);
    if (status < 0) return status;
  }
  if (!t.signals.hasSavedMask) {
    const status = setMaskArgument(t, sig);
    if (status < 0) return status;
  }
  const result = select(t, nfds, a.u64(1), a.u64(2), a.u64(3));
  if (result === BLOCKED) return BLOCKED;
  if (result !== -ERESTARTNOHAND) t.signals.restoreMask();
  return storeTimeLeft(t, timeout, result);
}

function select(t: Task, nfds: number, readfds: number, writefds: number, exceptfds: number): number {
  if (nfds < 0) return -EINVAL;
  const count = Math.min(nfds, t.fds.capacity);
  const setBytes = Math.ceil(count / 64) * 8;
  if (sets.length < 6 * setBytes) sets = new Uint8Array(6 * setBytes);
  sets.fill(0, 0, 6 * setBytes);
  const status =
    loadSet(t, readfds, 0, setBytes) ||
    loadSet(t, writefds, setBytes, setBytes) ||
    loadSet(t, exceptfds, 2 * setBytes, setBytes);
  if (status !== 0) return status;

  const readyCount = scan(t, count, setBytes);
  if (readyCount < 0) return readyCount;
  if (readyCount > 0 || t.restart.deadlineMs <= t.kernel.clock.monotonicMs()) {
    const stored =
      storeSet(t, readfds, 3 * setBytes, setBytes) ||
      storeSet(t, writefds, 4 * setBytes, setBytes) ||
      storeSet(t, exceptfds, 5 * setBytes, setBytes);
    return stored !== 0 ? stored : readyCount;
  }
  listen(t, count, setBytes);
  t.wait.until(t.restart.deadlineMs);
  return t.block(ERESTARTNOHAND);
}

/** Sets the bits that are true. Returns how many. Errors: EBADF. */
function scan(t: Task, count: number, setBytes: number): number {
  let readyCount = 0;
  for (let fd = 0; fd < count; fd++) {
    const events = wantedEvents(fd, setBytes);
    if (events === 0) continue;
    const file = t.fds.get(fd);
    if (file === undefined || file.isPathOnly) return -EBADF;
    const ready = file.readiness() & events;
    if (ready === 0) continue;
    const at = fd >>> 3;
    const bit = 1 << (fd & 7);
    for (let kind = 0; kind < 3; kind++) {
      if ((sets[kind * setBytes + at]! & bit) === 0 || (ready & KIND_EVENTS[kind]!) === 0) continue;
      sets[(3 + kind) * setBytes + at]! |= bit;
      readyCount++;
    }
  }
  return readyCount;
}

function listen(t: Task, count: number, setBytes: number): void {
  for (let fd = 0; fd < count; fd++) {
    const events = wantedEvents(fd, setBytes);
    const waiters = events === 0 ? null : (t.fds.get(fd)?.waiters ?? null);
    if (waiters !== null) t.wait.on(waiters, events);
  }
}

const KIND_EVENTS = [READ_EVENTS, WRITE_EVENTS, EXCEPT_EVENTS] as const;

function wantedEvents(fd: number, setBytes: number): number {
  const at = fd >>> 3;
  const bit = 1 << (fd & 7);
  let events = 0;
  if ((sets[at]! & bit) !== 0) events |= READ_EVENTS;
  if ((sets[setBytes + at]! & bit) !== 0) events |= WRITE_EVENTS;
  if ((sets[2 * setBytes + at]! & bit) !== 0) events |= EXCEPT_EVENTS;
  return events;
}

function loadSet(t: Task, addr: number, at: number, len: number): number {
  return addr === 0 || len === 0 ? 0 : t.mm.copyIn(sets, at, addr, len);
}

function storeSet(t: Task, addr: number, at: number, len: number): number {
  return addr === 0 || len === 0 ? 0 : t.mm.copyOut(addr, sets, at, len);
}

/** Sets the deadline from a `struct timeval`; its microseconds may be more than a second, as select(2) allows. */
function loadTimeval(t: Task, addr: number): number {
  if (addr === 0) {
    t.restart.deadlineMs = Infinity;
    return 0;
  }
  if (t.mm.copyIn(timeval, 0, addr, SIZEOF_TIMEVAL) !== 0) return -EFAULT;
  const sec = loadI64(timevalView, 0);
  const usec = loadI64(timevalView, 8);
  if (sec < 0 || usec < 0) return -EINVAL;
  t.restart.deadlineMs = deadlineAfter(t, sec * 1e3 + usec / 1e3);
  return 0;
}

function storeTimevalLeft(t: Task, addr: number, result: number): number {
  const { deadlineMs } = t.restart;
  if (addr === 0 || deadlineMs === Infinity || Number.isNaN(deadlineMs)) return result;
  storeTimevalMs(timevalView, 0, Math.max(0, deadlineMs - t.kernel.clock.monotonicMs()));
  const status = t.mm.copyOut(addr, timeval, 0, SIZEOF_TIMEVAL);
  return status !== 0 && result === -ERESTARTNOHAND ? -EINTR : result;
}

/** The sixth argument: address and size of the signal set. */
function setMaskArgument(t: Task, sig: number): number {
  if (sig === 0) return 0;
  if (t.mm.copyIn(sigmaskArgs, 0, sig, 16) !== 0) return -EFAULT;
  return setTemporaryMask(t, loadU64(sigmaskView, 0), loadU64(sigmaskView, 8));
}
