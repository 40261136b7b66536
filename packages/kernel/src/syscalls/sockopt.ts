import {
  CAP_NET_ADMIN,
  EDOM,
  EFAULT,
  EINVAL,
  ENODATA,
  EPERM,
  ERANGE,
  L_LINGER,
  L_ONOFF,
  SIZEOF_LINGER,
  SIZEOF_TIMEVAL,
  SIZEOF_UCRED,
  SOL_SOCKET,
  SO_ACCEPTCONN,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_COOKIE,
  SO_DEBUG,
  SO_DOMAIN,
  SO_DONTROUTE,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_MARK,
  SO_NO_CHECK,
  SO_OOBINLINE,
  SO_PASSCRED,
  SO_PASSSEC,
  SO_PEEK_OFF,
  SO_PEERCRED,
  SO_PEERGROUPS,
  SO_PEERNAME,
  SO_PRIORITY,
  SO_PROTOCOL,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_RCVTIMEO,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_RXQ_OVFL,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_SNDLOWAT,
  SO_SNDTIMEO,
  SO_TIMESTAMP,
  SO_TIMESTAMPNS,
  SO_TYPE,
  SO_ZEROCOPY,
  UCRED_GID,
  UCRED_PID,
  UCRED_UID,
  loadI64,
  storeI64,
  storeTimevalMs,
  type SysResult,
} from '@tsv/abi';
import { getInt, putInt } from '../fd/user-int.js';
import { socketOf } from '../socket/blocking-socket.js';
import { NO_CREDENTIALS } from '../socket/peer-credentials.js';
import type { SocketFile } from '../socket/socket-file.js';
import { BUFFER_BYTES_MAX, RECEIVE_BYTES_MIN, SEND_BYTES_MIN } from '../socket/socket-options.js';
import { UnixSocket } from '../socket/unix/unix-socket.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** Options that are on or off and kept as they are set. */
const FLAG_OPTIONS: ReadonlySet<number> = new Set([
  SO_REUSEADDR,
  SO_DONTROUTE,
  SO_BROADCAST,
  SO_KEEPALIVE,
  SO_OOBINLINE,
  SO_NO_CHECK,
  SO_REUSEPORT,
  SO_PASSCRED,
  SO_TIMESTAMP,
  SO_TIMESTAMPNS,
  SO_PASSSEC,
  SO_RXQ_OVFL,
  SO_ZEROCOPY,
]);
/** Longest option value. */
const OPTION_BYTES_MAX = 4096;
const option = new Uint8Array(OPTION_BYTES_MAX);
const view = new DataView(option.buffer);
const PRIORITY_MAX = 6;

/** getsockopt(2). Errors: EBADF, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, and what the socket says. */
export function sysGetsockopt(t: Task, a: SyscallArgs): SysResult {
  const level = a.i32(1);
  const optname = a.i32(2);
  const optval = a.u64(3);
  const optlen = a.u64(4);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  const room = getInt(t, optlen);
  if (Number.isNaN(room)) return -EFAULT;
  if (room < 0) return -EINVAL;
  const long = socket.getLongOption(level, optname, optval, room, t);
  if (long !== null) return long < 0 ? long : putInt(t, optlen, long);
  const len =
    level === SOL_SOCKET
      ? getSocketOption(t, socket, optname, room)
      : socket.getOption(level, optname, view, Math.min(room, OPTION_BYTES_MAX), t);
  if (len === -ERANGE) return putInt(t, optlen, view.getInt32(0, true)) < 0 ? -EFAULT : -ERANGE;
  if (len < 0) return len;
  const stored = Math.min(len, room);
  if (t.mm.copyOut(optval, option, 0, stored) !== 0) return -EFAULT;
  return putInt(t, optlen, stored);
}

/** setsockopt(2). Errors: EBADF, EDOM, EFAULT, EINVAL, ENOPROTOOPT, ENOTSOCK, EPERM, and what the socket says. */
export function sysSetsockopt(t: Task, a: SyscallArgs): SysResult {
  const level = a.i32(1);
  const optname = a.i32(2);
  const optval = a.u64(3);
  const optlen = a.i32(4);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  if (optlen < 0) return -EINVAL;
  const long = socket.setLongOption(level, optname, optval, optlen, t);
  if (long !== null) return long;
  const len = Math.min(optlen, OPTION_BYTES_MAX);
  if (level !== SOL_SOCKET) {
    if (len > 0 && t.mm.copyIn(option, 0, optval, len) !== 0) return -EFAULT;
    return socket.setOption(level, optname, view, len, t);
  }
  if (len < 4 && optname !== SO_BINDTODEVICE) return -EINVAL;
  if (len > 0 && t.mm.copyIn(option, 0, optval, len) !== 0) return -EFAULT;
  const status = setSocketOption(t, socket, optname, len);
  if (status === 0) socket.optionChanged(optname);
  return status;
}

/** Stores the option in {@link view}. Returns its length. Errors: ENOPROTOOPT, ERANGE with the length needed. */
function getSocketOption(t: Task, socket: SocketFile, name: number, room: number): number {
  const { options } = socket;
  if (FLAG_OPTIONS.has(name)) return storeInt(options.has(name) ? 1 : 0);
  switch (name) {
    case SO_DEBUG:
      return storeInt(0);
    case SO_TYPE:
      return storeInt(socket.type);
    case SO_DOMAIN:
      return storeInt(socket.family);
    case SO_PROTOCOL:
      return storeInt(socket.protocol);
    case SO_ERROR:
      return storeInt(-socket.takeError());
    case SO_ACCEPTCONN:
      return storeInt(socket.isListening ? 1 : 0);
    case SO_SNDBUF:
      return storeInt(options.sendBytes);
    case SO_RCVBUF:
      return storeInt(options.receiveBytes);
    case SO_RCVLOWAT:
      return storeInt(options.receiveLowWater);
    case SO_SNDLOWAT:
      return storeInt(1);
    case SO_PRIORITY:
      return storeInt(options.priority);
    case SO_MARK:
      return storeInt(options.mark);
    case SO_PEEK_OFF:
      return storeInt(options.peekOffset);
    case SO_COOKIE:
      storeI64(view, 0, socket.inode.ino);
      return 8;
    case SO_LINGER:
      view.setInt32(L_ONOFF, options.isLingering ? 1 : 0, true);
      view.setInt32(L_LINGER, options.lingerSeconds, true);
      return SIZEOF_LINGER;
    case SO_RCVTIMEO:
      return storeTimeout(options.receiveTimeoutMs);
    case SO_SNDTIMEO:
      return storeTimeout(options.sendTimeoutMs);
    default:
      return getPeerOption(t, socket, name, room);
  }
}

function getPeerOption(t: Task, socket: SocketFile, name: number, room: number): number {
  if (name === SO_PEERNAME) {
    const len = socket.peerAddress(option);
    return len >= 0 && room > len ? -EINVAL : len;
  }
  const peer = socket instanceof UnixSocket ? socket.peerCredentials : null;
  if (name === SO_PEERCRED) {
    const { pid, uid, gid } = peer ?? NO_CREDENTIALS;
    view.setInt32(UCRED_PID, pid?.in(t.pidNs) ?? 0, true);
    view.setInt32(UCRED_UID, peer === null ? -1 : uid, true);
    view.setInt32(UCRED_GID, peer === null ? -1 : gid, true);
    return SIZEOF_UCRED;
  }
  if (name !== SO_PEERGROUPS) return socket.getSocketOption(name, view, Math.min(room, OPTION_BYTES_MAX), t);
  if (peer === null) return -ENODATA;
  const len = peer.groups.length * 4;
  if (room < len) {
    view.setInt32(0, len, true);
    return -ERANGE;
  }
  peer.groups.forEach((gid, index) => view.setUint32(4 * index, gid, true));
  return len;
}

/** Sets an option from the `len` bytes, 4 or more, in {@link view}. */
function setSocketOption(t: Task, socket: SocketFile, name: number, len: number): number {
  const { options } = socket;
  const value = view.getInt32(0, true);
  if (FLAG_OPTIONS.has(name)) {
    if (name === SO_ZEROCOPY && (value < 0 || value > 1)) return -EINVAL;
    options.set(name, value !== 0);
    // There is one time stamp: in the unit that was asked for last.
    if (name === SO_TIMESTAMP) options.set(SO_TIMESTAMPNS, false);
    else if (name === SO_TIMESTAMPNS) options.set(SO_TIMESTAMP, false);
    return 0;
  }
  const isAdmin = t.creds.hasCap(CAP_NET_ADMIN);
  switch (name) {
    case SO_DEBUG:
      return value !== 0 && !isAdmin ? -EPERM : 0;
    case SO_SNDBUF:
      options.sendBytes = Math.max(SEND_BYTES_MIN, 2 * Math.min(value >>> 0, BUFFER_BYTES_MAX));
      return 0;
    case SO_RCVBUF:
      options.receiveBytes = Math.max(RECEIVE_BYTES_MIN, 2 * Math.min(value >>> 0, BUFFER_BYTES_MAX));
      return 0;
    case SO_SNDBUFFORCE:
      if (!isAdmin) return -EPERM;
      options.sendBytes = Math.max(SEND_BYTES_MIN, 2 * Math.min(Math.max(value, 0), FORCED_BYTES_MAX));
      return 0;
    case SO_RCVBUFFORCE:
      if (!isAdmin) return -EPERM;
      options.receiveBytes = Math.max(RECEIVE_BYTES_MIN, 2 * Math.min(Math.max(value, 0), FORCED_BYTES_MAX));
      return 0;
    case SO_RCVLOWAT:
      options.receiveLowWater = value < 0 ? 0x7fffffff : Math.max(1, value);
      return 0;
    case SO_PRIORITY:
      if ((value < 0 || value > PRIORITY_MAX) && !isAdmin) return -EPERM;
      options.priority = value;
      return 0;
    case SO_MARK:
      if (!isAdmin) return -EPERM;
      options.mark = value;
      return 0;
    case SO_PEEK_OFF:
      if (value < -1) return -EINVAL;
      options.peekOffset = value;
      return 0;
    case SO_LINGER:
      if (len < SIZEOF_LINGER) return -EINVAL;
      options.isLingering = value !== 0;
      if (options.isLingering) options.lingerSeconds = view.getInt32(L_LINGER, true);
      return 0;
    case SO_RCVTIMEO:
    case SO_SNDTIMEO:
      return setIoTimeout(socket, name, len);
    default:
      return socket.setSocketOption(name, view, len, t);
  }
}

/** A bound on what SO_SNDBUFFORCE makes us keep for one socket. */
const FORCED_BYTES_MAX = 16 * 1024 * 1024;

/** Errors: EDOM, EINVAL. */
function setIoTimeout(socket: SocketFile, name: number, len: number): number {
  if (len < SIZEOF_TIMEVAL) return -EINVAL;
  const sec = loadI64(view, 0);
  const usec = loadI64(view, 8);
  if (usec < 0 || usec >= 1e6) return -EDOM;
  const isNone = sec === 0 && usec === 0;
  const timeoutMs = isNone ? Infinity : Math.max(0, sec * 1e3 + usec / 1e3);
  if (name === SO_RCVTIMEO) socket.options.receiveTimeoutMs = timeoutMs;
  else socket.options.sendTimeoutMs = timeoutMs;
  return 0;
}

function storeInt(value: number): number {
  view.setInt32(0, value, true);
  return 4;
}

function storeTimeout(timeoutMs: number): number {
  storeTimevalMs(view, 0, timeoutMs === Infinity ? 0 : timeoutMs);
  return SIZEOF_TIMEVAL;
}
