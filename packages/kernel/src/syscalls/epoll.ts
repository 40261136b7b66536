import {
  EBADF,
  EFAULT,
  EINTR,
  EINVAL,
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLL_EVENT_DATA,
  EPOLL_EVENT_EVENTS,
  POLLIN,
  SIZEOF_EPOLL_EVENT,
  type SysResult,
} from '@tsv/abi';
import { fileOf } from '../fd/blocking-io.js';
import { EpollFile, type EpollSink } from '../fd/epoll-file.js';
import { deadlineAfter, loadTimeout } from '../fd/poll-timeout.js';
import { setTemporaryMask } from '../fd/temporary-mask.js';
import type { Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

const EVENT_COUNT_MAX = Math.floor(0x7fffffff / SIZEOF_EPOLL_EVENT);

/** Stores events one behind the other in a task's memory. */
class UserEvents implements EpollSink {
  readonly #bytes = new Uint8Array(SIZEOF_EPOLL_EVENT);
  readonly #view = new DataView(this.#bytes.buffer);
  #task: Task | null = null;
  #addr = 0;

  reset(task: Task | null, addr: number): void {
    this.#task = task;
    this.#addr = addr;
  }

  add(events: number, dataLow: number, dataHigh: number): number {
    this.#view.setUint32(EPOLL_EVENT_EVENTS, events, true);
    this.#view.setUint32(EPOLL_EVENT_DATA, dataLow, true);
    this.#view.setUint32(EPOLL_EVENT_DATA + 4, dataHigh, true);
    const status = this.#task!.mm.copyOut(this.#addr, this.#bytes, 0, SIZEOF_EPOLL_EVENT);
    this.#addr += SIZEOF_EPOLL_EVENT;
    return status;
  }
}

const sink = new UserEvents();

/** epoll_create(2). Errors: EINVAL, EMFILE. */
export function sysEpollCreate(t: Task, a: SyscallArgs): SysResult {
  return a.i32(0) <= 0 ? -EINVAL : createEpoll(t, 0);
}

/** epoll_create1(2). Errors: EINVAL, EMFILE. */
export function sysEpollCreate1(t: Task, a: SyscallArgs): SysResult {
  const flags = a.u32(0);

  return (flags & ~EPOLL_CLOEXEC) !== 0 ? -EINVAL : createEpoll(t, flags);
}

/** epoll_ctl(2). Errors: EBADF, EEXIST, EFAULT, EINVAL, ELOOP, ENOENT, ENOSPC, EPERM. */
export function sysEpollCtl(t: Task, a: SyscallArgs): SysResult {
  const epfd = a.i32(0);
  const op = a.i32(1);
  const fd = a.i32(2);
  const event = a.u64(3);

  const { scratch, scratchView } = t.kernel;
  if (op !== EPOLL_CTL_DEL && t.mm.copyIn(scratch, 0, event, SIZEOF_EPOLL_EVENT) !== 0) return -EFAULT;
  const epoll = t.fds.get(epfd);
  const file = t.fds.get(fd);
  if (epoll === undefined || file === undefined || file.isPathOnly) return -EBADF;
  if (!(epoll instanceof EpollFile) || epoll === file) return -EINVAL;
  const events = scratchView.getInt32(EPOLL_EVENT_EVENTS, true);
  const dataLow = scratchView.getUint32(EPOLL_EVENT_DATA, true);
  const dataHigh = scratchView.getUint32(EPOLL_EVENT_DATA + 4, true);
  switch (op) {
    case EPOLL_CTL_ADD:
      return epoll.add(file, fd, events, dataLow, dataHigh);
    case EPOLL_CTL_MOD:
      return epoll.modify(file, fd, events, dataLow, dataHigh);
    case EPOLL_CTL_DEL:
      return epoll.remove(file, fd);
    default:
      return -EINVAL;
  }
}

/** epoll_wait(2). Errors: EBADF, EFAULT, EINTR, EINVAL. */
export function sysEpollWait(t: Task, a: SyscallArgs): SysResult {
  const epfd = a.i32(0);
  const events = a.u64(1);
  const maxevents = a.i32(2);
  const timeoutMs = a.i32(3);

  if (t.restart.tryCount === 0) setDeadline(t, timeoutMs);
  return wait(t, epfd, events, maxevents);
}

/** epoll_pwait(2). Errors: as epoll_wait(2). */
export function sysEpollPwait(t: Task, a: SyscallArgs): SysResult {
  const timeoutMs = a.i32(3);
  const sigmask = a.u64(4);
  const sigsetBytes = a.u64(5);

  if (t.restart.tryCount === 0) {
    const status = setTemporaryMask(t, sigmask, sigsetBytes);
    if (status < 0) return status;
    setDeadline(t, timeoutMs);
  }
  return waitMasked(t, a);
}

/** epoll_pwait2(2): the timeout is a `struct timespec`. Errors: as epoll_wait(2). */
export function sysEpollPwait2(t: Task, a: SyscallArgs): SysResult {
  const timeout = a.u64(3);
  const sigmask = a.u64(4);
  const sigsetBytes = a.u64(5);

  if (t.restart.tryCount === 0) {
    const status = loadTimeout(t, timeout);
    if (status < 0) return status;
    const maskStatus = setTemporaryMask(t, sigmask, sigsetBytes);
    if (maskStatus < 0) return maskStatus;
  }
  return waitMasked(t, a);
}

function setDeadline(t: Task, timeoutMs: number): void {
  t.restart.deadlineMs = timeoutMs < 0 ? Infinity : deadlineAfter(t, timeoutMs);
}

function waitMasked(t: Task, a: SyscallArgs): number {
  const result = wait(t, a.i32(0), a.u64(1), a.i32(2));
  if (result !== BLOCKED && result !== -EINTR) t.signals.restoreMask();
  return result;
}

function wait(t: Task, epfd: number, events: number, countMax: number): number {
  if (countMax <= 0 || countMax > EVENT_COUNT_MAX) return -EINVAL;
  const epoll = fileOf(t, epfd);
  if (epoll === undefined || epoll.isPathOnly) return -EBADF;
  if (!(epoll instanceof EpollFile)) return -EINVAL;
  if (!epoll.isIdle) {
    sink.reset(t, events);
    const count = epoll.collect(sink, countMax);
    sink.reset(null, 0);
    if (count !== 0) return count;
  }
  const { deadlineMs } = t.restart;
  if (deadlineMs <= t.kernel.clock.monotonicMs()) return 0;
  t.restart.holdFile(epoll);
  t.wait.on(epoll.sleepers, POLLIN);
  t.wait.until(deadlineMs);
  return t.block(EINTR);
}

function createEpoll(t: Task, flags: number): number {
  const file = new EpollFile(t.kernel.anonymousFiles.createInode('[eventpoll]'));
  return t.fds.install(file, 0, (flags & EPOLL_CLOEXEC) !== 0);
}
