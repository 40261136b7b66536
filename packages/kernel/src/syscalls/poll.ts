import {
  EFAULT,
  EINVAL,
  ERESTARTNOHAND,
  POLLERR,
  POLLFD_EVENTS,
  POLLFD_FD,
  POLLFD_REVENTS,
  POLLHUP,
  POLLNVAL,
  SIZEOF_POLLFD,
  type SysResult,
} from '@tsv/abi';
import { deadlineAfter, loadTimeout, storeTimeLeft } from '../fd/poll-timeout.js';
import { setTemporaryMask } from '../fd/temporary-mask.js';
import type { Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

/** Entries that are looked at between two copies. */
const BATCH_COUNT = 512;
const batch = new Uint8Array(BATCH_COUNT * SIZEOF_POLLFD);
const batchView = new DataView(batch.buffer);

/** poll(2). Errors: EFAULT, EINTR, EINVAL. */
export function sysPoll(t: Task, a: SyscallArgs): SysResult {
  const fds = a.u64(0);
  const nfds = a.u32(1);
  const timeoutMs = a.i32(2);

  if (t.restart.tryCount === 0) t.restart.deadlineMs = timeoutMs < 0 ? Infinity : deadlineAfter(t, timeoutMs);
  return poll(t, fds, nfds);
}

/** ppoll(2). The time that is left is stored, as the raw system call does. Errors: EFAULT, EINTR, EINVAL. */
export function sysPpoll(t: Task, a: SyscallArgs): SysResult {
  const fds = a.u64(0);
  const nfds = a.u32(1);
  const tmo = a.u64(2);
  const sigmask = a.u64(3);
  const sigsetBytes = a.u64(4);

  if (t.restart.tryCount === 0) {
    const status = loadTimeout(t, tmo);
    if (status < 0) return status;
  }
  if (!t.signals.hasSavedMask) {
    const status = setTemporaryMask(t, sigmask, sigsetBytes);
    if (status < 0) return status;
  }
  const result = poll(t, fds, nfds);
  if (result === BLOCKED) return BLOCKED;
  if (result !== -ERESTARTNOHAND) t.signals.restoreMask();
  return storeTimeLeft(t, tmo, result);
}

function poll(t: Task, fds: number, nfds: number): number {
  if (nfds > t.fds.limit) return -EINVAL;
  const readyCount = scan(t, fds, nfds);
  if (readyCount !== 0) return readyCount;
  const { deadlineMs } = t.restart;
  if (deadlineMs <= t.kernel.clock.monotonicMs()) return 0;
  const status = listen(t, fds, nfds);
  if (status < 0) {
    t.wait.clear();
    return status;
  }
  t.wait.until(deadlineMs);
  return t.block(ERESTARTNOHAND);
}

/** Stores the events of each entry. Returns how many have some. Errors: EFAULT. */
function scan(t: Task, fds: number, nfds: number): number {
  let readyCount = 0;
  for (let first = 0; first < nfds; first += BATCH_COUNT) {
    const count = Math.min(BATCH_COUNT, nfds - first);
    const addr = fds + first * SIZEOF_POLLFD;
    if (t.mm.copyIn(batch, 0, addr, count * SIZEOF_POLLFD) !== 0) return -EFAULT;
    for (let i = 0; i < count; i++) {
      const at = i * SIZEOF_POLLFD;
      const revents = eventsOf(
        t,
        batchView.getInt32(at + POLLFD_FD, true),
        batchView.getUint16(at + POLLFD_EVENTS, true),
      );
      batchView.setUint16(at + POLLFD_REVENTS, revents, true);
      if (revents !== 0) readyCount++;
    }
    if (t.mm.copyOut(addr, batch, 0, count * SIZEOF_POLLFD) !== 0) return -EFAULT;
  }
  return readyCount;
}

function eventsOf(t: Task, fd: number, events: number): number {
  if (fd < 0) return 0;
  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return POLLNVAL;
  return file.readiness() & (events | POLLERR | POLLHUP);
}

/** Puts the task on the queue of each entry, none of which is ready. Errors: EFAULT. */
function listen(t: Task, fds: number, nfds: number): number {
  for (let first = 0; first < nfds; first += BATCH_COUNT) {
    const count = Math.min(BATCH_COUNT, nfds - first);
    if (t.mm.copyIn(batch, 0, fds + first * SIZEOF_POLLFD, count * SIZEOF_POLLFD) !== 0) return -EFAULT;
    for (let i = 0; i < count; i++) {
      const at = i * SIZEOF_POLLFD;
      const waiters = t.fds.get(batchView.getInt32(at + POLLFD_FD, true))?.waiters ?? null;
      if (waiters !== null) t.wait.on(waiters, batchView.getUint16(at + POLLFD_EVENTS, true));
    }
  }
  return 0;
}
