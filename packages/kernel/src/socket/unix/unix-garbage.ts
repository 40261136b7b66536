import { UnixSocket } from './unix-socket.js';

/**
 * Drops the messages of sockets that are only held by messages which nobody can receive: sockets sent through each
 * other and then closed. The caller is about to drop a reference of `closing`, which does not count.
 */
export function collectGarbage(sockets: ReadonlySet<UnixSocket>, closing: UnixSocket): void {
  const queuedCount = new Map<UnixSocket, number>();
  for (const socket of sockets) {
    for (const file of socket.queuedFiles()) {
      if (file instanceof UnixSocket) queuedCount.set(file, (queuedCount.get(file) ?? 0) + 1);
    }
  }
  const garbage = new Set<UnixSocket>();
  for (const [socket, count] of queuedCount) {
    if (socket.refCount - (socket === closing ? 1 : 0) === count) garbage.add(socket);
  }
  const reachable: UnixSocket[] = [];
  for (const socket of sockets) if (!garbage.has(socket)) reachable.push(socket);
  for (let socket = reachable.pop(); socket !== undefined; socket = reachable.pop()) {
    for (const file of socket.queuedFiles()) {
      if (file instanceof UnixSocket && garbage.delete(file)) reachable.push(file);
    }
  }
  for (const socket of garbage) socket.incRef();
  for (const socket of garbage) socket.dropReceived();
  for (const socket of garbage) socket.decRef();
}
