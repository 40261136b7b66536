import { POLLHUP } from '@tsv/abi';
import { BLOCKED } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import type { SocketFile } from './socket-file.js';

/** The sockets that a call has closed and waits for, in `restart.object`: SO_LINGER, socket(7). */
class LingeringSockets {
  readonly sockets: SocketFile[] = [];
}

/** Notes that the current call of `t` takes the last reference of `socket`, which lingers. */
export function noteLingering(t: Task, socket: SocketFile): void {
  const { restart } = t;
  restart.object ??= new LingeringSockets();
  if (restart.object instanceof LingeringSockets) restart.object.sockets.push(socket);
}

/** Whether the call has closed its descriptors in an earlier try, and waits. */
export function hasLingered(t: Task): boolean {
  return t.restart.object instanceof LingeringSockets;
}

/**
 * Ends a call that has closed descriptors: waits, for one lingering socket after the other and for each as long as its
 * SO_LINGER says. Returns BLOCKED, or in the end the first `result`: as in Linux, neither a signal nor the end of the
 * time is an error, and O_NONBLOCK does not matter.
 */
export function lingerAfter(t: Task, result: number): number {
  const { restart } = t;
  if (!(restart.object instanceof LingeringSockets)) return result;
  const { sockets } = restart.object;
  if (restart.tryCount === 0) restart.value = result;
  for (let socket = sockets[0]; socket !== undefined; socket = sockets[0]) {
    const nowMs = t.kernel.clock.monotonicMs();
    if (Number.isNaN(restart.deadlineMs)) restart.deadlineMs = nowMs + socket.lingerMs;
    if (socket.isLingering && nowMs < restart.deadlineMs) {
      t.wait.on(socket.waiters, POLLHUP);
      t.wait.until(restart.deadlineMs);
      const status = t.block();
      return status === BLOCKED ? status : restart.value;
    }
    sockets.shift();
    restart.deadlineMs = NaN;
  }
  return restart.value;
}
