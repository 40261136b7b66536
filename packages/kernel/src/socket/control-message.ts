import {
  CMSG_ALIGN_BYTES,
  CMSG_LEN,
  CMSG_LEVEL,
  CMSG_TYPE,
  EBADF,
  EINVAL,
  EPERM,
  ESRCH,
  ETOOMANYREFS,
  CAP_SETGID,
  CAP_SETUID,
  CAP_SYS_ADMIN,
  CAP_SYS_RESOURCE,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  SCM_CREDENTIALS,
  SCM_MAX_FD,
  SCM_RIGHTS,
  SIZEOF_CMSGHDR,
  SIZEOF_UCRED,
  SOL_SOCKET,
  SO_PASSCRED,
  UCRED_GID,
  UCRED_PID,
  UCRED_UID,
  loadU64,
  storeI64,
  type Errno,
} from '@tsv/abi';
import type { OpenFile } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { NO_CREDENTIALS, type PeerCredentials } from './peer-credentials.js';
import type { SocketFile } from './socket-file.js';
import type { SocketMessage } from './socket-message.js';

/**
 * Reads the ancillary data that `message.control` holds, cmsg(3): rights and credentials become fields of the message;
 * other levels, and where `socket` reads it itself the rest of SOL_SOCKET, stay encoded. Errors: EBADF, EINVAL, EPERM,
 * ESRCH, ETOOMANYREFS; the message has no rights then.
 */
export function parseControl(message: SocketMessage, len: number, socket: SocketFile, t: Task): 0 | Errno {
  const { controlView } = message;
  let kept = 0;
  for (let at = 0; at + SIZEOF_CMSGHDR <= len;) {
    const cmsgLen = loadU64(controlView, at + CMSG_LEN);
    if (cmsgLen < SIZEOF_CMSGHDR || cmsgLen > len - at) return giveUp(message, -EINVAL);
    const dataAt = at + SIZEOF_CMSGHDR;
    const dataLen = cmsgLen - SIZEOF_CMSGHDR;
    const next = at + align(cmsgLen);
    const type = controlView.getInt32(at + CMSG_TYPE, true);
    const isOwn = socket.readsSocketControl && type !== SCM_RIGHTS && type !== SCM_CREDENTIALS;
    if (controlView.getInt32(at + CMSG_LEVEL, true) === SOL_SOCKET && !isOwn) {
      const status = parseSocketLevel(message, type, dataAt, dataLen, t);
      if (status < 0) return giveUp(message, status);
    } else {
      message.control.copyWithin(kept, at, at + cmsgLen);
      kept += align(cmsgLen);
    }
    at = next;
  }
  message.controlLen = kept;
  return 0;
}

function parseSocketLevel(message: SocketMessage, type: number, at: number, len: number, t: Task): 0 | Errno {
  if (type === SCM_RIGHTS) return parseRights(message, at, len, t);
  if (type !== SCM_CREDENTIALS || len !== SIZEOF_UCRED) return -EINVAL;
  const credentials = parseCredentials(message.controlView, at, t);
  if (typeof credentials === 'number') return credentials;
  message.credentials = credentials;
  return 0;
}

function parseRights(message: SocketMessage, at: number, len: number, t: Task): 0 | Errno {
  const count = Math.floor(len / 4);
  const rights = message.rights ?? [];
  if (rights.length + count > SCM_MAX_FD) return -EINVAL;
  const isUnlimited = t.creds.hasCap(CAP_SYS_RESOURCE) || t.creds.hasCap(CAP_SYS_ADMIN);
  if (!isUnlimited && t.kernel.unixFamily.inFlightCount + count > t.fds.limit) return -ETOOMANYREFS;
  message.rights = rights;
  for (let i = 0; i < count; i++) {
    const file = t.fds.get(message.controlView.getInt32(at + 4 * i, true));
    if (file === undefined) return -EBADF;
    file.incRef();
    rights.push(file);
  }
  if (rights.length === 0) message.rights = null;
  return 0;
}

/** Whoever a process says that it is must be itself, or it needs a capability, unix(7). */
function parseCredentials(mem: DataView, at: number, t: Task): PeerCredentials | Errno {
  const number = mem.getInt32(at + UCRED_PID, true);
  const uid = mem.getUint32(at + UCRED_UID, true);
  const gid = mem.getUint32(at + UCRED_GID, true);
  const { creds } = t;
  const own = t.threadGroup.leader.threadPid;
  if (number !== own.in(t.pidNs) && !creds.hasCap(CAP_SYS_ADMIN)) return -EPERM;
  const isOwnUid = uid === creds.uid || uid === creds.euid || uid === creds.suid;
  if (!isOwnUid && !creds.hasCap(CAP_SETUID)) return -EPERM;
  const isOwnGid = gid === creds.gid || gid === creds.egid || gid === creds.sgid;
  if (!isOwnGid && !creds.hasCap(CAP_SETGID)) return -EPERM;
  const pid = t.pidNs.lookup(number);
  return pid === undefined ? -ESRCH : { pid, uid, gid, groups: creds.groups };
}

function giveUp(message: SocketMessage, status: Errno): Errno {
  message.dropRights();
  return status;
}

/**
 * Encodes into `dst` what came with `message` and fits in `lenMax` bytes; descriptors are installed. What does not fit
 * is given up, and MSG_CTRUNC set. Returns the length.
 */
export function encodeControl(
  dst: Uint8Array,
  view: DataView,
  lenMax: number,
  message: SocketMessage,
  socket: SocketFile,
  flags: number,
  t: Task,
): number {
  let at = 0;
  if (socket.options.has(SO_PASSCRED)) at = encodeCredentials(view, at, lenMax, message, t);
  if (message.rights !== null) at = encodeRights(view, at, lenMax, message, (flags & MSG_CMSG_CLOEXEC) !== 0, t);
  if (message.controlLen > 0) {
    const len = Math.min(message.controlLen, lenMax - at);
    if (len < message.controlLen) message.flags |= MSG_CTRUNC;
    dst.set(message.control.subarray(0, len), at);
    at += len;
  }
  return at;
}

function encodeCredentials(view: DataView, at: number, lenMax: number, message: SocketMessage, t: Task): number {
  const room = lenMax - at - SIZEOF_CMSGHDR;
  if (room < 0) {
    message.flags |= MSG_CTRUNC;
    return at;
  }
  const { pid, uid, gid } = message.credentials ?? NO_CREDENTIALS;
  const len = Math.min(room, SIZEOF_UCRED);
  if (len < SIZEOF_UCRED) message.flags |= MSG_CTRUNC;
  storeHeader(view, at, len, SCM_CREDENTIALS);
  view.setInt32(at + SIZEOF_CMSGHDR + UCRED_PID, pid?.in(t.pidNs) ?? 0, true);
  view.setUint32(at + SIZEOF_CMSGHDR + UCRED_UID, uid, true);
  view.setUint32(at + SIZEOF_CMSGHDR + UCRED_GID, gid, true);
  return Math.min(lenMax, at + align(SIZEOF_CMSGHDR + len));
}

function encodeRights(
  view: DataView,
  at: number,
  lenMax: number,
  message: SocketMessage,
  isCloseOnExec: boolean,
  t: Task,
): number {
  const rights = message.rights!;
  message.rights = null;
  const countMax = Math.max(0, Math.floor((lenMax - at - SIZEOF_CMSGHDR) / 4));
  let count = 0;
  while (count < rights.length && count < countMax) {
    const fd = t.fds.install(rights[count]!, 0, isCloseOnExec);
    if (fd < 0) break;
    view.setInt32(at + SIZEOF_CMSGHDR + 4 * count, fd, true);
    count++;
  }
  if (count < rights.length) {
    message.flags |= MSG_CTRUNC;
    dropFrom(rights, count, count < countMax);
  }
  if (count === 0) return at;
  storeHeader(view, at, 4 * count, SCM_RIGHTS);
  return Math.min(lenMax, at + align(SIZEOF_CMSGHDR + 4 * count));
}

/** Gives up the files from `index` on; `isFirstGone` if a failed install consumed the first of them. */
function dropFrom(rights: readonly OpenFile[], index: number, isFirstGone: boolean): void {
  for (let i = isFirstGone ? index + 1 : index; i < rights.length; i++) rights[i]!.decRef();
}

function storeHeader(view: DataView, at: number, dataLen: number, type: number): void {
  storeI64(view, at + CMSG_LEN, SIZEOF_CMSGHDR + dataLen);
  view.setInt32(at + CMSG_LEVEL, SOL_SOCKET, true);
  view.setInt32(at + CMSG_TYPE, type, true);
}

function align(len: number): number {
  return Math.ceil(len / CMSG_ALIGN_BYTES) * CMSG_ALIGN_BYTES;
}
