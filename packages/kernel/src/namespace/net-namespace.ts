import type { UnixSocket } from '../socket/unix/unix-socket.js';
import type { UserNamespace } from './user-namespace.js';

/** network_namespaces(7): which network stack a task's sockets belong to. Boot says what stack that is. */
export class NetNamespace {
  readonly userNs: UserNamespace;
  /** The stack, made by whoever registered the socket families; null when there is none. */
  stack: unknown = null;

  /** AF_UNIX sockets by abstract name, unix(7). */
  readonly abstractSockets = new Map<string, UnixSocket>();

  constructor(userNs: UserNamespace) {
    this.userNs = userNs;
  }
}
