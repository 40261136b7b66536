import { NOTIFY_COOKIE_LEN, NOTIFY_REMOVED, NOTIFY_WOKENUP, SIGEV_SIGNAL, SIGEV_THREAD, SI_MESGQ } from '@tsv/abi';
import type { UserNamespace } from '../../namespace/user-namespace.js';
import { sendSignal } from '../../signal/send-signal.js';
import { userSignal } from '../../signal/sig-info.js';
import type { NetlinkSocket } from '../../socket/netlink/netlink-socket.js';
import type { Task } from '../../task/task.js';
import type { ThreadGroup } from '../../task/thread-group.js';

/** What mq_notify(2) asks for, `struct sigevent` with its socket looked up and its cookie copied. */
export interface MqNotifyRequest {
  /** SIGEV_NONE, SIGEV_SIGNAL or SIGEV_THREAD. */
  readonly notify: number;
  readonly signo: number;
  readonly valueLow: number;
  readonly valueHigh: number;
  /** SIGEV_THREAD: where the cookie goes. */
  readonly socket: NetlinkSocket | null;
  readonly cookie: Uint8Array | null;
}

/** Who is told, once, that a message came into an empty queue, mq_notify(2). It holds its socket. */
export class MqNotification {
  readonly owner: ThreadGroup;
  readonly notify: number;
  readonly #userNs: UserNamespace;
  readonly #request: MqNotifyRequest;

  constructor(owner: Task, request: MqNotifyRequest) {
    this.owner = owner.threadGroup;
    this.notify = request.notify;
    this.#userNs = owner.creds.userNs;
    this.#request = request;
    request.socket?.incRef();
  }

  /** The signal, 0 where there is none. */
  get signo(): number {
    return this.notify === SIGEV_SIGNAL ? this.#request.signo : 0;
  }

  /** A message from `sender` came into the empty queue. The registration is over. */
  messageCame(sender: Task): void {
    if (this.notify === SIGEV_SIGNAL && this.#request.signo > 0) this.#signal(sender);
    this.#end(NOTIFY_WOKENUP);
  }

  /** The registration is withdrawn. */
  withdraw(): void {
    this.#end(NOTIFY_REMOVED);
  }

  #signal(sender: Task): void {
    const { owner } = this;
    const pid = sender.threadGroup.pidIn(owner.pidNs);
    const info = userSignal(this.#request.signo, SI_MESGQ, pid, this.#userNs.uidInside(sender.creds.uid));
    info.valueLow = this.#request.valueLow;
    info.valueHigh = this.#request.valueHigh;
    sendSignal(owner, info);
  }

  #end(reason: number): void {
    const { socket, cookie } = this.#request;
    if (this.notify !== SIGEV_THREAD || socket === null || cookie === null) return;
    cookie[NOTIFY_COOKIE_LEN - 1] = reason;
    socket.deliver(cookie);
    socket.decRef();
  }
}
