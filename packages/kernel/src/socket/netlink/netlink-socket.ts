import {
  AF_NETLINK,
  AF_UNSPEC,
  CAP_NET_ADMIN,
  EAGAIN,
  EADDRINUSE,
  ECONNREFUSED,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  ENOPROTOOPT,
  ENOTTY,
  EOPNOTSUPP,
  EPERM,
  MSG_OOB,
  MSG_PEEK,
  MSG_TRUNC,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_BROADCAST_ERROR,
  NETLINK_CAP_ACK,
  NETLINK_DROP_MEMBERSHIP,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NETLINK_LISTEN_ALL_NSID,
  NETLINK_LIST_MEMBERSHIPS,
  NETLINK_NO_ENOBUFS,
  NETLINK_PKTINFO,
  NLMSG_LEN,
  NLMSG_MIN_TYPE,
  NLM_F_ACK,
  NLM_F_REQUEST,
  NL_GROUPS,
  NL_PID,
  NLA_ALIGN_BYTES,
  POLLERR,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  SIOCINQ,
  SIZEOF_NLMSGHDR,
  SIZEOF_SOCKADDR_NL,
  SOL_NETLINK,
  type Errno,
} from '@tsv/abi';
import type { Caller, IoBuffer } from '@tsv/vfs';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import { putInt } from '../../fd/user-int.js';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import type { Task } from '../../task/task.js';
import { netIoctl } from '../device/net-ioctl.js';
import { SocketFile } from '../socket-file.js';
import type { SocketMessage } from '../socket-message.js';
import type { NetlinkProtocol } from './netlink-protocol.js';
import { NetlinkReply } from './netlink-reply.js';
import { NetlinkRequest } from './netlink-request.js';

/** What one message to the kernel may be long. */
const REQUEST_BYTES_MAX = 1 << 18;
const DATAGRAM_OVERHEAD_BYTES = 256;

/** Options of SOL_NETLINK that are on or off. */
const FLAG_OPTIONS: ReadonlySet<number> = new Set([
  NETLINK_PKTINFO,
  NETLINK_BROADCAST_ERROR,
  NETLINK_NO_ENOBUFS,
  NETLINK_LISTEN_ALL_NSID,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
]);

/** A socket of netlink(7): requests are carried out when they are sent, and their answers wait here. */
export class NetlinkSocket extends SocketFile {
  readonly net: NetNamespace;
  readonly #handler: NetlinkProtocol;
  readonly #queue: Uint8Array[] = [];
  readonly #flags = new Set<number>();
  readonly #groups = new Set<number>();
  #queuedBytes = 0;
  /** The port, 0 before it is bound. */
  #pid = 0;

  constructor(
    files: AnonymousFiles,
    net: NetNamespace,
    type: number,
    protocol: number,
    flags: number,
    handler: NetlinkProtocol,
  ) {
    super(files, AF_NETLINK, type, protocol, flags);
    this.net = net;
    this.#handler = handler;
  }

  /** Its port; 0 if it has none yet. */
  get portId(): number {
    return this.#pid;
  }

  hasGroup(group: number): boolean {
    return this.#groups.has(group);
  }

  override readiness(): number {
    const error = this.error !== 0 ? POLLERR : 0;
    return POLLOUT | POLLWRNORM | error | (this.#queue.length > 0 ? POLLIN | POLLRDNORM : 0);
  }

  /** Errors: EADDRINUSE, EINVAL, EPERM for groups of others. */
  bind(address: Uint8Array, len: number, t: Task): 0 | Errno {
    if (len < SIZEOF_SOCKADDR_NL || address[0] !== AF_NETLINK || address[1] !== 0) return -EINVAL;
    const view = new DataView(address.buffer, address.byteOffset);
    const pid = view.getUint32(NL_PID, true);
    const groups = view.getUint32(NL_GROUPS, true);
    if (this.#pid !== 0 && pid !== this.#pid && pid !== 0) return -EINVAL;
    if (groups !== 0 && !this.#mayListen(t)) return -EPERM;
    const status = this.#pid === 0 ? this.#take(pid, t) : 0;
    if (status < 0) return status;
    for (let group = 1; group <= 32; group++) {
      if (((groups >>> (group - 1)) & 1) !== 0) this.#groups.add(group);
      else this.#groups.delete(group);
    }
    return 0;
  }

  /** The kernel is the only peer that there is. Errors: EINVAL, ECONNREFUSED. */
  connect(address: Uint8Array, len: number, t: Task): 0 | Errno {
    if (address[0] === AF_UNSPEC && address[1] === 0) return 0;
    if (len < SIZEOF_SOCKADDR_NL || address[0] !== AF_NETLINK) return -EINVAL;
    const pid = new DataView(address.buffer, address.byteOffset).getUint32(NL_PID, true);
    if (pid !== 0) return -ECONNREFUSED;
    return this.#pid === 0 ? this.#take(0, t) : 0;
  }

  localAddress(dst: Uint8Array): number {
    let groups = 0;
    for (const group of this.#groups) if (group <= 32) groups |= 1 << (group - 1);
    return storeAddress(dst, this.#pid, groups >>> 0);
  }

  peerAddress(dst: Uint8Array): number {
    return storeAddress(dst, 0, 0);
  }

  shutdown(): Errno {
    return -EOPNOTSUPP;
  }

  /** Hands the messages to the kernel. Errors: EINVAL, EMSGSIZE, ENOBUFS, EFAULT, ECONNREFUSED, EPERM. */
  send(io: IoBuffer, message: SocketMessage, flags: number, t: Task): number {
    if (flags & MSG_OOB) return -EOPNOTSUPP;
    if (message.addressLen > 0) {
      const { address, addressLen, addressView } = message;
      if (addressLen < SIZEOF_SOCKADDR_NL || address[0] !== AF_NETLINK) return -EINVAL;
      if (addressView.getUint32(NL_PID, true) !== 0) return -ECONNREFUSED;
      if (addressView.getUint32(NL_GROUPS, true) !== 0 && !t.creds.hasCapIn(this.net.userNs, CAP_NET_ADMIN))
        return -EPERM;
    }
    if (this.#pid === 0) this.#take(0, t);
    const len = io.remaining;
    if (len > REQUEST_BYTES_MAX) return -EMSGSIZE;
    const bytes = new Uint8Array(len);
    const taken = len === 0 ? 0 : io.take(bytes, 0, len);
    if (taken < 0) return taken;
    this.#handleAll(t, bytes);
    return len;
  }

  /** Receives one datagram. Errors: EAGAIN, EFAULT, ENOBUFS after some were lost. */
  receive(io: IoBuffer, message: SocketMessage, flags: number): number {
    if (flags & MSG_OOB) return -EOPNOTSUPP;
    if (this.error !== 0) return this.takeError();
    const datagram = this.#queue[0];
    if (datagram === undefined) return -EAGAIN;
    const count = Math.min(io.remaining, datagram.length);
    const moved = count === 0 ? 0 : io.put(datagram, 0, count);
    if (moved < 0) return moved;
    message.wholeBytes = datagram.length;
    if (count < datagram.length) message.flags |= MSG_TRUNC;
    message.addressLen = storeAddress(message.address, 0, 0);
    if ((flags & MSG_PEEK) === 0) {
      this.#queue.shift();
      this.#queuedBytes -= datagram.length + DATAGRAM_OVERHEAD_BYTES;
    }
    return (flags & MSG_TRUNC) !== 0 ? datagram.length : moved;
  }

  /** Queues a datagram; without room it is lost, and the next receive tells ENOBUFS. */
  deliver(datagram: Uint8Array): void {
    const cost = datagram.length + DATAGRAM_OVERHEAD_BYTES;
    if (this.#queuedBytes + cost > this.options.receiveBytes && this.#queue.length > 0) {
      if (!this.#flags.has(NETLINK_NO_ENOBUFS)) this.fail(ENOBUFS);
      return;
    }
    this.#queue.push(datagram);
    this.#queuedBytes += cost;
    this.queue.notify(POLLIN | POLLRDNORM);
  }

  override getOption(level: number, name: number, dst: DataView): number {
    if (level !== SOL_NETLINK) return -ENOPROTOOPT;
    if (name === NETLINK_LIST_MEMBERSHIPS) {
      dst.setUint32(0, 0, true);
      for (const group of this.#groups) {
        if (group <= 32) dst.setUint32(0, (dst.getUint32(0, true) | (1 << (group - 1))) >>> 0, true);
      }
      return 4;
    }
    if (!FLAG_OPTIONS.has(name)) return -ENOPROTOOPT;
    dst.setInt32(0, this.#flags.has(name) ? 1 : 0, true);
    return 4;
  }

  /** Errors: EINVAL, ENOPROTOOPT, EPERM for groups that are for others. */
  override setOption(level: number, name: number, src: DataView, len: number, t: Task): 0 | Errno {
    if (level !== SOL_NETLINK) return -ENOPROTOOPT;
    const value = len >= 4 ? src.getInt32(0, true) : 0;
    if (name === NETLINK_ADD_MEMBERSHIP || name === NETLINK_DROP_MEMBERSHIP) {
      if (!this.#mayListen(t)) return -EPERM;
      if (value < 1 || value > this.#handler.groupCount) return -EINVAL;
      if (name === NETLINK_ADD_MEMBERSHIP) this.#groups.add(value);
      else this.#groups.delete(value);
      return 0;
    }
    if (!FLAG_OPTIONS.has(name)) return -ENOPROTOOPT;
    if (value !== 0) this.#flags.add(name);
    else this.#flags.delete(name);
    return 0;
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    if (cmd === SIOCINQ) return putInt(caller, arg, this.#queue[0]?.length ?? 0);
    return this.net.stack === null ? -ENOTTY : netIoctl(this.net, this.net.stack, cmd, arg, caller);
  }

  protected override release(): void {
    this.net.netlinkSockets.delete(this);
  }

  #mayListen(t: Task): boolean {
    return this.#handler.isForAdmins !== true || t.creds.hasCapIn(this.net.userNs, CAP_NET_ADMIN);
  }

  #handleAll(t: Task, bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer);
    for (let at = 0; at + SIZEOF_NLMSGHDR <= bytes.length;) {
      const len = view.getUint32(at + NLMSG_LEN, true);
      if (len < SIZEOF_NLMSGHDR || at + len > bytes.length) return;
      this.#handle(new NetlinkRequest(t, this.net, bytes, at, len));
      at += Math.ceil(len / NLA_ALIGN_BYTES) * NLA_ALIGN_BYTES;
    }
  }

  #handle(request: NetlinkRequest): void {
    if ((request.flags & NLM_F_REQUEST) === 0 || request.type < NLMSG_MIN_TYPE) {
      if ((request.flags & NLM_F_ACK) === 0) return;
      const reply = new NetlinkReply(request, this.#pid);
      reply.acknowledge(0, this.#flags.has(NETLINK_CAP_ACK));
      return this.#deliverAll(reply);
    }
    const reply = new NetlinkReply(request, this.#pid);
    const status = this.#handler.handle(request, reply);
    if (status === 0 && request.isDump) reply.done();
    else if (status !== 0 || (request.flags & NLM_F_ACK) !== 0) {
      reply.flush();
      reply.acknowledge(status, this.#flags.has(NETLINK_CAP_ACK));
    }
    this.#deliverAll(reply);
  }

  #deliverAll(reply: NetlinkReply): void {
    reply.flush();
    // An answer is never lost: who asked for much has room for it.
    for (const datagram of reply.datagrams) {
      this.#queue.push(datagram);
      this.#queuedBytes += datagram.length + DATAGRAM_OVERHEAD_BYTES;
    }
    if (reply.datagrams.length > 0) this.queue.notify(POLLIN | POLLRDNORM);
  }

  /** Gives it port `wanted`, or for 0 the process ID or another free number. Errors: EADDRINUSE. */
  #take(wanted: number, t: Task): 0 | Errno {
    const { netlinkSockets } = this.net;
    const isTaken = (pid: number): boolean =>
      [...netlinkSockets].some((other) => other.protocol === this.protocol && other.portId === pid);
    if (wanted !== 0 && isTaken(wanted)) return -EADDRINUSE;
    let pid = wanted !== 0 ? wanted : t.threadGroup.pidIn(t.pidNs);
    for (let next = PORT_FIRST; isTaken(pid); next++) pid = next;
    this.#pid = pid;
    netlinkSockets.add(this);
    return 0;
  }
}

/** Ports beside those of process IDs; as Linux's they look negative. */
const PORT_FIRST = 0x8000_1000;

function storeAddress(dst: Uint8Array, pid: number, groups: number): number {
  dst.fill(0, 0, SIZEOF_SOCKADDR_NL);
  dst[0] = AF_NETLINK;
  for (let i = 0; i < 4; i++) {
    dst[NL_PID + i] = pid >>> (8 * i);
    dst[NL_GROUPS + i] = groups >>> (8 * i);
  }
  return SIZEOF_SOCKADDR_NL;
}
