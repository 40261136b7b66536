import {
  EAGAIN,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOBUFS,
  EPIPE,
  MAX_RW_COUNT,
  MSG_CONTROL,
  MSG_CONTROLLEN,
  MSG_IOV,
  MSG_IOVLEN,
  MSG_LEN,
  MSG_NAME,
  MSG_NAMELEN,
  MSG_NOSIGNAL,
  POLLOUT,
  POLLWRNORM,
  SIZEOF_MMSGHDR,
  SIZEOF_MSGHDR,
  SIZEOF_SOCKADDR_STORAGE,
  UIO_MAXIOV,
  loadU64,
  type SysResult,
} from '@tsv/abi';
import { raiseSigpipe, skipMoved } from '../fd/blocking-io.js';
import { putInt } from '../fd/user-int.js';
import { socketOf, waitForSocket } from '../socket/blocking-socket.js';
import { parseControl } from '../socket/control-message.js';
import type { SocketFile } from '../socket/socket-file.js';
import { CONTROL_BYTES_MAX, SocketMessage } from '../socket/socket-message.js';
import type { Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

const message = new SocketMessage();
const header = new Uint8Array(SIZEOF_MSGHDR);
const headerView = new DataView(header.buffer);
/** Messages of one sendmmsg(2). */
const MESSAGE_COUNT_MAX = UIO_MAXIOV;

/** sendto(2), send(2). Errors: EAGAIN, EBADF, EFAULT, EINVAL, ENOTSOCK, EPIPE, and what the socket says. */
export function sysSendto(t: Task, a: SyscallArgs): SysResult {
  const buf = a.u64(1);
  const len = a.u64(2);
  const flags = a.u32(3);
  const destAddr = a.u64(4);
  const addrlen = a.i32(5);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  const status = t.io.reset(t.mm, buf, Math.min(len, MAX_RW_COUNT), false);
  if (status < 0) return status;
  message.clear();
  const addressStatus = destAddr === 0 ? 0 : loadAddress(t, destAddr, addrlen);
  return addressStatus < 0 ? addressStatus : send(t, socket, flags);
}

/** sendmsg(2). Errors: as sendto(2), EBADF and EPERM for what is sent along, EMSGSIZE, ENOBUFS, ETOOMANYREFS. */
export function sysSendmsg(t: Task, a: SyscallArgs): SysResult {
  const msg = a.u64(1);
  const flags = a.u32(2);

  const socket = socketOf(t, a.i32(0));
  return typeof socket === 'number' ? socket : sendMessage(t, socket, msg, flags);
}

/** sendmmsg(2). Returns how many messages were sent. Errors: as sendmsg(2), if it sent none. */
export function sysSendmmsg(t: Task, a: SyscallArgs): SysResult {
  const msgvec = a.u64(1);
  const vlen = Math.min(a.u32(2), MESSAGE_COUNT_MAX);
  const flags = a.u32(3);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  // `value` counts the messages that were sent; `moved` belongs to the one being sent.
  const { restart } = t;
  while (restart.value < vlen) {
    const addr = msgvec + restart.value * SIZEOF_MMSGHDR;
    const n = sendMessage(t, socket, addr, flags);
    if (n === BLOCKED) return BLOCKED;
    if (n < 0) return restart.value > 0 ? restart.value : n;
    const status = putInt(t, addr + MSG_LEN, n);
    if (status < 0) return restart.value > 0 ? restart.value : status;
    restart.value++;
    restart.moved = 0;
  }
  return restart.value;
}

function sendMessage(t: Task, socket: SocketFile, msg: number, flags: number): number {
  if (t.mm.copyIn(header, 0, msg, SIZEOF_MSGHDR) !== 0) return -EFAULT;
  const iovlen = loadU64(headerView, MSG_IOVLEN);
  if (iovlen > UIO_MAXIOV) return -EMSGSIZE;
  message.clear();
  const name = loadU64(headerView, MSG_NAME);
  const namelen = headerView.getInt32(MSG_NAMELEN, true);
  if (namelen < 0) return -EINVAL;
  if (name !== 0 && namelen > 0) {
    const status = loadAddress(t, name, Math.min(namelen, SIZEOF_SOCKADDR_STORAGE));
    if (status < 0) return status;
  }
  const status = t.io.resetVec(t.mm, loadU64(headerView, MSG_IOV), iovlen, false);
  if (status < 0) return status;
  const controlStatus = loadControl(t, socket);
  return controlStatus < 0 ? controlStatus : send(t, socket, flags);
}

/** The ancillary data; none for what is left of a message of which a part was sent. Errors: as sendmsg(2). */
function loadControl(t: Task, socket: SocketFile): number {
  const control = loadU64(headerView, MSG_CONTROL);
  const len = loadU64(headerView, MSG_CONTROLLEN);
  if (control === 0 || len === 0 || t.restart.moved > 0) return 0;
  if (len > CONTROL_BYTES_MAX) return -ENOBUFS;
  const status = t.mm.copyIn(message.control, 0, control, len);
  return status < 0 ? status : parseControl(message, len, socket, t);
}

/** Sends {@link message} and the bytes of `t.io`, a stream all of them unless it must not wait. */
function send(t: Task, socket: SocketFile, flags: number): number {
  const { restart, io } = t;
  if (restart.moved > 0) skipMoved(t);
  for (;;) {
    const n = socket.send(io, message, flags, t);
    if (n >= 0) {
      restart.moved += n;
      if (n > 0 && io.remaining > 0) continue;
      message.dropRights();
      return restart.moved;
    }
    message.dropRights();
    if (n === -EAGAIN) {
      const status = waitForSocket(t, socket, POLLOUT | POLLWRNORM, flags, socket.options.sendTimeoutMs);
      return status === BLOCKED || restart.moved === 0 ? status : restart.moved;
    }
    if (n === -EPIPE && socket.raisesSigpipe && (flags & MSG_NOSIGNAL) === 0 && restart.moved === 0) raiseSigpipe(t);
    return restart.moved > 0 ? restart.moved : n;
  }
}

/** Errors: EFAULT, EINVAL. */
function loadAddress(t: Task, addr: number, len: number): number {
  if (len < 0 || len > SIZEOF_SOCKADDR_STORAGE) return -EINVAL;
  const status = len === 0 ? 0 : t.mm.copyIn(message.address, 0, addr, len);
  if (status < 0) return status;
  message.addressLen = len;
  return 0;
}
