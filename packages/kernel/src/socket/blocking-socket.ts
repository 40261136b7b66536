import { EAGAIN, EBADF, EINTR, ENOTSOCK, ERESTARTSYS, MSG_DONTWAIT, MSG_ERRQUEUE, type Errno } from '@tsv/abi';
import { fileOf } from '../fd/blocking-io.js';
import type { Task } from '../task/task.js';
import { SocketFile } from './socket-file.js';

/** The socket of a call. Errors: EBADF, ENOTSOCK. */
export function socketOf(t: Task, fd: number): SocketFile | Errno {
  const file = fileOf(t, fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  return file instanceof SocketFile ? file : -ENOTSOCK;
}

/**
 * Ends a try that got -EAGAIN: waits for `mask` where the socket says, at most `timeoutMs` from the first try on.
 * Returns what the handler must return: BLOCKED, -EAGAIN when it must not wait or the time is over, or the code of an
 * interrupted call: calls with a timeout are not made again, signal(7).
 */
export function waitForSocket(t: Task, socket: SocketFile, mask: number, flags: number, timeoutMs: number): number {
  if (socket.isNonblocking || (flags & (MSG_DONTWAIT | MSG_ERRQUEUE)) !== 0) return -EAGAIN;
  const nowMs = t.kernel.clock.monotonicMs();
  if (Number.isNaN(t.restart.deadlineMs)) t.restart.deadlineMs = nowMs + timeoutMs;
  const { deadlineMs } = t.restart;
  if (deadlineMs <= nowMs) return -EAGAIN;
  t.restart.holdFile(socket);
  t.wait.on(socket.blockedOn, mask);
  t.wait.until(deadlineMs);
  const status = t.block();
  return status === -ERESTARTSYS && deadlineMs !== Infinity ? -EINTR : status;
}
