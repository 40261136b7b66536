import {
  EAFNOSUPPORT,
  EAGAIN,
  EFAULT,
  EINPROGRESS,
  EINVAL,
  EOPNOTSUPP,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  SHUT_RDWR,
  SIZEOF_SOCKADDR_STORAGE,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_TYPE_MASK,
  SOMAXCONN,
  type SysResult,
} from '@tsv/abi';
import { getInt, putInt } from '../fd/user-int.js';
import { socketOf, waitForSocket } from '../socket/blocking-socket.js';
import type { SocketFile } from '../socket/socket-file.js';
import type { Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

const SOCK_FLAGS = SOCK_CLOEXEC | SOCK_NONBLOCK;
/** A type beyond every SOCK_*. */
const SOCK_TYPE_END = 11;
const address = new Uint8Array(SIZEOF_SOCKADDR_STORAGE);

/** socket(2). Errors: EAFNOSUPPORT, EINVAL, EMFILE, and what the family says. */
export function sysSocket(t: Task, a: SyscallArgs): SysResult {
  const domain = a.i32(0);
  const type = a.i32(1);
  const protocol = a.i32(2);

  const status = checkType(type);
  if (status < 0) return status;
  const family = t.kernel.socketFamilies.lookup(domain);
  if (family === undefined) return -EAFNOSUPPORT;
  const socket = family.create(t, type & SOCK_TYPE_MASK, protocol, type & SOCK_NONBLOCK);
  return typeof socket === 'number' ? socket : t.fds.install(socket, 0, (type & SOCK_CLOEXEC) !== 0);
}

/** socketpair(2). Errors: EAFNOSUPPORT, EFAULT, EINVAL, EMFILE, EOPNOTSUPP, and what the family says. */
export function sysSocketpair(t: Task, a: SyscallArgs): SysResult {
  const domain = a.i32(0);
  const type = a.i32(1);
  const protocol = a.i32(2);
  const sv = a.u64(3);

  const status = checkType(type);
  if (status < 0) return status;
  const family = t.kernel.socketFamilies.lookup(domain);
  if (family === undefined) return -EAFNOSUPPORT;
  if (family.createPair === null) return -EOPNOTSUPP;
  const pair = family.createPair(t, type & SOCK_TYPE_MASK, protocol, type & SOCK_NONBLOCK);
  if (typeof pair === 'number') return pair;
  return installPair(t, pair[0], pair[1], (type & SOCK_CLOEXEC) !== 0, sv);
}

/** bind(2). Errors: EBADF, EFAULT, EINVAL, ENOTSOCK, and what the family says. */
export function sysBind(t: Task, a: SyscallArgs): SysResult {
  const addrlen = a.i32(2);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  const status = loadAddress(t, a.u64(1), addrlen);
  if (status < 0) return status;
  return addrlen < 2 ? -EINVAL : socket.bind(address, addrlen, t);
}

/** listen(2). Errors: EBADF, ENOTSOCK, EOPNOTSUPP, and what the family says. */
export function sysListen(t: Task, a: SyscallArgs): SysResult {
  const backlog = a.u32(1);

  const socket = socketOf(t, a.i32(0));
  return typeof socket === 'number' ? socket : socket.listen(Math.min(backlog, SOMAXCONN), t);
}

/** accept(2). Errors: as accept4(2). */
export function sysAccept(t: Task, a: SyscallArgs): SysResult {
  return accept(t, a, 0);
}

/** accept4(2). Errors: EAGAIN, EBADF, EFAULT, EINVAL, EMFILE, ENOTSOCK, EOPNOTSUPP, and what the family says. */
export function sysAccept4(t: Task, a: SyscallArgs): SysResult {
  const flags = a.u32(3);

  return (flags & ~SOCK_FLAGS) !== 0 ? -EINVAL : accept(t, a, flags);
}

function accept(t: Task, a: SyscallArgs, flags: number): number {
  const addr = a.u64(1);
  const addrlen = a.u64(2);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  const accepted = socket.accept(flags & SOCK_NONBLOCK, t);
  if (accepted === -EAGAIN) {
    return waitForSocket(t, socket, POLLIN | POLLRDNORM, 0, socket.options.receiveTimeoutMs);
  }
  if (typeof accepted === 'number') return accepted;
  if (addr !== 0) {
    const len = accepted.peerAddress(address);
    const status = len < 0 ? len : storeAddress(t, addr, addrlen, len);
    if (status < 0) {
      accepted.decRef();
      return status;
    }
  }
  return t.fds.install(accepted, 0, (flags & SOCK_CLOEXEC) !== 0);
}

/** connect(2). Errors: EAGAIN, EBADF, EFAULT, EINPROGRESS, EINVAL, ENOTSOCK, and what the family says. */
export function sysConnect(t: Task, a: SyscallArgs): SysResult {
  const addrlen = a.i32(2);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  let result: number;
  if (t.restart.phase === CONNECT_IN_PROGRESS) {
    result = socket.connectResult();
  } else {
    const status = loadAddress(t, a.u64(1), addrlen);
    if (status < 0) return status;
    if (addrlen < 2) return -EINVAL;
    result = socket.connect(address, addrlen, t);
  }
  if (result !== -EAGAIN && result !== -EINPROGRESS) return result;
  const isInProgress = result === -EINPROGRESS;
  const waited = waitForSocket(t, socket, POLLOUT | POLLWRNORM, 0, socket.options.sendTimeoutMs);
  if (waited === BLOCKED && isInProgress) t.restart.phase = CONNECT_IN_PROGRESS;
  return waited === -EAGAIN && isInProgress ? -EINPROGRESS : waited;
}

/** `restart.phase` of a connect(2) that has begun. */
const CONNECT_IN_PROGRESS = 1;

/** getsockname(2). Errors: EBADF, EFAULT, EINVAL, ENOTSOCK. */
export function sysGetsockname(t: Task, a: SyscallArgs): SysResult {
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  const len = socket.localAddress(address);
  return len < 0 ? len : storeAddress(t, a.u64(1), a.u64(2), len);
}

/** getpeername(2). Errors: EBADF, EFAULT, EINVAL, ENOTCONN, ENOTSOCK. */
export function sysGetpeername(t: Task, a: SyscallArgs): SysResult {
  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  const len = socket.peerAddress(address);
  return len < 0 ? len : storeAddress(t, a.u64(1), a.u64(2), len);
}

/** shutdown(2). Errors: EBADF, EINVAL, ENOTCONN, ENOTSOCK. */
export function sysShutdown(t: Task, a: SyscallArgs): SysResult {
  const how = a.i32(1);

  const socket = socketOf(t, a.i32(0));
  if (typeof socket === 'number') return socket;
  return how < 0 || how > SHUT_RDWR ? -EINVAL : socket.shutdown(how as 0 | 1 | 2);
}

/** Copies a `sockaddr` of `len` bytes in. Errors: EFAULT, EINVAL. */
function loadAddress(t: Task, addr: number, len: number): number {
  if (len < 0 || len > SIZEOF_SOCKADDR_STORAGE) return -EINVAL;
  return len === 0 ? 0 : t.mm.copyIn(address, 0, addr, len);
}

/** Copies the `len` bytes of {@link address} out, as many as the caller has room for. Errors: EFAULT, EINVAL. */
function storeAddress(t: Task, addr: number, addrlen: number, len: number): number {
  const room = getInt(t, addrlen);
  if (Number.isNaN(room)) return -EFAULT;
  if (room < 0) return -EINVAL;
  const status = t.mm.copyOut(addr, address, 0, Math.min(room, len));
  return status < 0 ? status : putInt(t, addrlen, len);
}

function installPair(t: Task, a: SocketFile, b: SocketFile, isCloseOnExec: boolean, sv: number): number {
  const first = t.fds.install(a, 0, isCloseOnExec);
  if (first < 0) {
    b.decRef();
    return first;
  }
  const second = t.fds.install(b, 0, isCloseOnExec);
  const { scratch, scratchView } = t.kernel;
  scratchView.setInt32(0, first, true);
  scratchView.setInt32(4, second, true);
  if (second >= 0 && t.mm.copyOut(sv, scratch, 0, 8) === 0) return 0;
  if (second >= 0) t.fds.close(second, t);
  t.fds.close(first, t);
  return second < 0 ? second : -EFAULT;
}

/** Errors: EINVAL for flags or a type that do not exist. */
function checkType(type: number): number {
  if ((type & ~(SOCK_FLAGS | SOCK_TYPE_MASK)) !== 0) return -EINVAL;
  const kind = type & SOCK_TYPE_MASK;
  return kind === 0 || kind >= SOCK_TYPE_END ? -EINVAL : 0;
}
