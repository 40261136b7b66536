import {
  AF_UNIX,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  type Errno,
} from '@tsv/abi';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import type { Task } from '../../task/task.js';
import { effectiveCredentials } from '../peer-credentials.js';
import type { SocketFamily } from '../socket-families.js';
import { UnixConnectedSocket } from './unix-connected-socket.js';
import { UnixDatagramSocket } from './unix-datagram-socket.js';
import { collectGarbage } from './unix-garbage.js';
import { UnixNames } from './unix-names.js';
import type { ReceiveQueue } from './receive-queue.js';
import type { UnixSocket } from './unix-socket.js';

/** AF_UNIX, unix(7), with all sockets of a kernel. */
export class UnixFamily implements SocketFamily {
  readonly family = AF_UNIX;
  readonly name = 'UNIX';
  readonly files: AnonymousFiles;
  readonly names = new UnixNames();
  /** Every socket that is open or on its way. */
  readonly sockets = new Set<UnixSocket>();
  /** Open files in messages that nobody has received. */
  inFlightCount = 0;
  #isCollecting = false;
  /** What {@link drop} has still to empty; null while it is not at work. */
  #dropped: ReceiveQueue[] | null = null;

  constructor(files: AnonymousFiles) {
    this.files = files;
  }

  /** Errors: EPROTONOSUPPORT, ESOCKTNOSUPPORT. */
  create(_t: Task, type: number, protocol: number, flags: number): UnixSocket | Errno {
    if (protocol !== 0 && protocol !== AF_UNIX) return -EPROTONOSUPPORT;
    if (type === SOCK_STREAM || type === SOCK_SEQPACKET) return new UnixConnectedSocket(this, type, flags);
    return type === SOCK_DGRAM || type === SOCK_RAW ? new UnixDatagramSocket(this, flags) : -ESOCKTNOSUPPORT;
  }

  readonly createPair = (t: Task, type: number, protocol: number, flags: number): [UnixSocket, UnixSocket] | Errno => {
    const a = this.create(t, type, protocol, flags);
    if (typeof a === 'number') return a;
    const b = this.create(t, type, protocol, flags);
    if (typeof b === 'number') return b;
    a.peerCredentials = effectiveCredentials(t);
    b.peerCredentials = a.peerCredentials;
    if (a instanceof UnixConnectedSocket && b instanceof UnixConnectedSocket) {
      a.join(b);
    } else if (a instanceof UnixDatagramSocket && b instanceof UnixDatagramSocket) {
      a.setPeer(b);
      b.setPeer(a);
    }
    return [a, b];
  };

  /** A descriptor of `socket`, which was sent, is being closed: what nobody can reach any more is given up. */
  descriptorClosing(socket: UnixSocket): void {
    if (this.#isCollecting) return;
    this.#isCollecting = true;
    collectGarbage(this.sockets, socket);
    this.#isCollecting = false;
  }

  /**
   * Gives up what is in `queue`. The files in it may be the last of sockets that have received sockets, and so on: they
   * are emptied one after the other, for a guest can nest them deeper than a call stack is.
   */
  drop(queue: ReceiveQueue): void {
    if (this.#dropped !== null) {
      this.#dropped.push(queue);
      return;
    }
    this.#dropped = [queue];
    for (let next = this.#dropped.pop(); next !== undefined; next = this.#dropped.pop())
      this.inFlightCount -= next.clear();
    this.#dropped = null;
  }
}
