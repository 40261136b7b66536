import {
  EAGAIN,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  MAX_RW_COUNT,
  MSG_CMSG_CLOEXEC,
  MSG_CONTROL,
  MSG_CONTROLLEN,
  MSG_DONTWAIT,
  MSG_FLAGS,
  MSG_IOV,
  MSG_IOVLEN,
  MSG_LEN,
  MSG_NAME,
  MSG_NAMELEN,
  MSG_PEEK,
  MSG_WAITALL,
  MSG_WAITFORONE,
  POLLIN,
  POLLRDNORM,
  SIZEOF_MMSGHDR,
  SIZEOF_MSGHDR,
  SOCK_STREAM,
  UIO_MAXIOV,
  loadU64,
  storeI64,
  type SysResult,
} from '@tsv/abi';
import { skipMoved } from '../fd/blocking-io.js';
import { loadTimeout, storeTimeLeft } from '../fd/poll-timeout.js';
import { getInt, putInt } from '../fd/user-int.js';
import { socketOf, waitForSocket } from '../socket/blocking-socket.js';
import { encodeControl } from '../socket/control-message.js';
import type { SocketFile } from '../socket/socket-file.js';
import { CONTROL_BYTES_MAX, SocketMessage } from '../socket/socket-message.js';
import type { Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

const message = new SocketMessage();
const header = new Uint8Array(SIZEOF_MSGHDR);
const headerView = new DataView(header.buffer);
const control = new Uint8Array(CONTROL_BYTES_MAX);
const controlView = new DataView(control.buffer);
const MESSAGE_COUNT_MAX = UIO_MAXIOV;

/** recvfrom(2), recv(2). Errors: EAGAIN, EBADF, EFAULT, EINVAL, ENOTSOCK, and what the socket says. */
export function sysRecvfrom(t: Task, a: SyscallArgs): SysResult {
  const buf = a.u64(1);
  const len = a.u64(2);
  const flags = a.u32(3);
  const srcAddr = a.u64(4);
  const addrlen = a.u64(5);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  const status = t.io.reset(t.mm, buf, Math.min(len, MAX_RW_COUNT), true);
  if (status < 0) return status;
  const n = receive(t, socket, flags);
  if (n < 0) return n;
  message.dropRights();
  if (srcAddr === 0) return n;
  const room = getInt(t, addrlen);
  if (Number.isNaN(room)) return -EFAULT;
  if (room < 0) return -EINVAL;
  const stored = t.mm.copyOut(srcAddr, message.address, 0, Math.min(room, message.addressLen));
  const status2 = stored < 0 ? stored : putInt(t, addrlen, message.addressLen);
  return status2 < 0 ? status2 : n;
}

/** recvmsg(2). Errors: EAGAIN, EBADF, EFAULT, EINVAL, EMSGSIZE, ENOTSOCK, and what the socket says. */
export function sysRecvmsg(t: Task, a: SyscallArgs): SysResult {
  const msg = a.u64(1);
  const flags = a.u32(2);

  const socket = socketOf(t, a.i32(0));
  return typeof socket === 'number' ? socket : receiveMessage(t, socket, msg, flags);
}

/** recvmmsg(2). Returns how many messages were received. The timeout is looked at after each. Errors: as recvmsg(2). */
export function sysRecvmmsg(t: Task, a: SyscallArgs): SysResult {
  const msgvec = a.u64(1);
  const vlen = Math.min(a.u32(2), MESSAGE_COUNT_MAX);
  const flags = a.u32(3);
  const timeout = a.u64(4);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  const { restart } = t;
  if (restart.tryCount === 0) {
    const status = loadTimeout(t, timeout);
    if (status < 0) return status;
  }
  // `value` counts the messages that were received.
  while (restart.value < vlen) {
    const isMore = restart.value > 0 && (flags & MSG_WAITFORONE) !== 0;
    const addr = msgvec + restart.value * SIZEOF_MMSGHDR;
    const n = receiveMessage(t, socket, addr, (flags & ~MSG_WAITFORONE) | (isMore ? MSG_DONTWAIT : 0));
    if (n === BLOCKED) return BLOCKED;
    if (n < 0) return restart.value > 0 ? storeTimeLeft(t, timeout, restart.value) : n;
    const status = putInt(t, addr + MSG_LEN, n);
    if (status < 0) return restart.value > 0 ? restart.value : status;
    restart.value++;
    restart.moved = 0;
    if (restart.deadlineMs <= t.kernel.clock.monotonicMs()) break;
  }
  return storeTimeLeft(t, timeout, restart.value);
}

function receiveMessage(t: Task, socket: SocketFile, msg: number, flags: number): number {
  if (t.mm.copyIn(header, 0, msg, SIZEOF_MSGHDR) !== 0) return -EFAULT;
  const iovlen = loadU64(headerView, MSG_IOVLEN);
  if (iovlen > UIO_MAXIOV) return -EMSGSIZE;
  const name = loadU64(headerView, MSG_NAME);
  const namelen = headerView.getInt32(MSG_NAMELEN, true);
  if (name !== 0 && namelen < 0) return -EINVAL;
  const controlAddr = loadU64(headerView, MSG_CONTROL);
  const controlMax = controlAddr === 0 ? 0 : Math.min(loadU64(headerView, MSG_CONTROLLEN), CONTROL_BYTES_MAX);
  const status = t.io.resetVec(t.mm, loadU64(headerView, MSG_IOV), iovlen, true);
  if (status < 0) return status;

  const n = receive(t, socket, flags);
  if (n < 0) return n;
  const controlLen = encodeControl(control, controlView, controlMax, message, socket, flags, t);
  message.dropRights();
  if (controlLen > 0 && t.mm.copyOut(controlAddr, control, 0, controlLen) !== 0) return -EFAULT;
  if (name !== 0) {
    const len = Math.min(namelen, message.addressLen);
    if (t.mm.copyOut(name, message.address, 0, len) !== 0) return -EFAULT;
    headerView.setInt32(MSG_NAMELEN, message.addressLen, true);
    if (t.mm.copyOut(msg + MSG_NAMELEN, header, MSG_NAMELEN, 4) !== 0) return -EFAULT;
  }
  storeI64(headerView, MSG_CONTROLLEN, controlLen);
  headerView.setInt32(MSG_FLAGS, message.flags | (flags & MSG_CMSG_CLOEXEC), true);
  return t.mm.copyOut(msg + MSG_CONTROLLEN, header, MSG_CONTROLLEN, 12) !== 0 ? -EFAULT : n;
}

/** Receives into `t.io` and {@link message}: a stream until SO_RCVLOWAT bytes, or all with MSG_WAITALL, are there. */
function receive(t: Task, socket: SocketFile, flags: number): number {
  const { restart, io } = t;
  const enough = (flags & MSG_WAITALL) !== 0 ? io.remaining : Math.min(io.remaining, socket.options.receiveLowWater);
  const waitsForMore = (flags & MSG_PEEK) === 0 && socket.type === SOCK_STREAM;
  message.clear();
  if (restart.moved > 0) skipMoved(t);
  for (;;) {
    const n = socket.receive(io, message, flags, t);
    if (n === -EAGAIN) {
      const status = waitForSocket(t, socket, POLLIN | POLLRDNORM, flags, socket.options.receiveTimeoutMs);
      return status === BLOCKED || restart.moved === 0 ? status : restart.moved;
    }
    if (n < 0) return restart.moved > 0 ? restart.moved : n;
    restart.moved += n;
    if (n === 0 || !waitsForMore || restart.moved >= enough || message.rights !== null) return restart.moved;
  }
}
