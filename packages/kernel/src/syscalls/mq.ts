import {
  CLOCK_REALTIME,
  EACCES,
  EAGAIN,
  EBADF,
  EBUSY,
  EEXIST,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOENT,
  ENOTSOCK,
  ETIMEDOUT,
  MQ_CURMSGS,
  MQ_FLAGS,
  MQ_MAXMSG,
  MQ_MSGSIZE,
  MQ_PRIO_MAX,
  NOTIFY_COOKIE_LEN,
  NSIG,
  O_ACCMODE,
  O_CREAT,
  O_EXCL,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  SIGEV_NONE,
  SIGEV_NOTIFY_AT,
  SIGEV_SIGNAL,
  SIGEV_SIGNO_AT,
  SIGEV_THREAD,
  SIGEV_VALUE_AT,
  SIZEOF_MQ_ATTR,
  SIZEOF_SIGEVENT,
  SIZEOF_TIMESPEC,
  loadI64,
  loadTimespecMs,
  loadU64,
  storeI64,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { IN_CREATE, IN_OPEN, MAY_EXEC, MAY_READ, MAY_WRITE, VfsPath, notifyChild, notifyFile } from '@tsv/vfs';
import { fileOf } from '../fd/blocking-io.js';
import { MqNotification, type MqNotifyRequest } from '../ipc/mqueue/mq-notification.js';
import { MqWait, type MqMessage, type MqWaiters } from '../ipc/mqueue/mq-waiters.js';
import { MqueueFile } from '../ipc/mqueue/mqueue-file.js';
import type { MqueueFileSystem } from '../ipc/mqueue/mqueue-file-system.js';
import type { MqAttributes } from '../ipc/mqueue/posix-queue.js';
import { NetlinkSocket } from '../socket/netlink/netlink-socket.js';
import { SocketFile } from '../socket/socket-file.js';
import type { Task } from '../task/task.js';
import { monotonicDeadline } from '../time/guest-clock.js';
import type { SyscallArgs } from './syscall-args.js';
import { BLOCKED } from './syscall.js';

/** Flags that a queue's descriptor keeps. */
const FILE_FLAGS = O_ACCMODE | O_NONBLOCK;

/** mq_open(2). Errors: EACCES, EEXIST, EFAULT, EINVAL, EMFILE, ENAMETOOLONG, ENOENT, ENOSPC. */
export function sysMqOpen(t: Task, a: SyscallArgs): SysResult {
  const nameAddr = a.u64(0);
  const oflag = a.i32(1);
  const mode = a.u32(2);
  const attrAddr = a.u64(3);

  const attributes = attrAddr === 0 ? null : loadAttributes(t, attrAddr);
  if (typeof attributes === 'number') return attributes;
  const name = queueNameAt(t, nameAddr);
  if (typeof name === 'number') return name;
  const mqueues = t.ns.ipc.mqueues(t.kernel);
  let path = t.kernel.vfs.resolve(t, mqueues.rootPath, name, 0);
  if (typeof path === 'number') {
    if (path !== -ENOENT || (oflag & O_CREAT) === 0) return path;
    path = createQueue(t, mqueues, name, mode & 0o7777 & ~t.umask, attributes);
    if (typeof path === 'number') return path;
  } else {
    const denied = checkExisting(t, path, oflag);
    if (denied < 0) {
      path.decRef();
      return denied;
    }
  }
  const file = path.inode.open(path, oflag & FILE_FLAGS, t);
  path.decRef();
  if (typeof file === 'number') return file;
  notifyFile(file, IN_OPEN);
  return t.fds.install(file, 0, true);
}

function checkExisting(t: Task, path: VfsPath, oflag: number): 0 | Errno {
  if ((oflag & O_CREAT) !== 0 && (oflag & O_EXCL) !== 0) return -EEXIST;
  const access = oflag & O_ACCMODE;
  if (access === O_ACCMODE) return -EINVAL;
  const mask = access === O_RDONLY ? MAY_READ : access === O_WRONLY ? MAY_WRITE : MAY_READ | MAY_WRITE;
  return path.inode.checkAccess(mask, t.creds);
}

/** The new queue's path, with a reference for the caller. */
function createQueue(
  t: Task,
  mqueues: MqueueFileSystem,
  name: string,
  permissions: number,
  attributes: MqAttributes | null,
): VfsPath | Errno {
  const { root, rootPath } = mqueues;
  const denied = root.checkAccess(MAY_WRITE | MAY_EXEC, t.creds);
  if (denied < 0) return denied;
  const queue = root.createQueue(name, permissions, attributes, t);
  if (typeof queue === 'number') return queue;
  const path = new VfsPath(rootPath.mount, t.kernel.vfs.nameAdded(rootPath.dentry, name, queue));
  path.incRef();
  notifyChild(root, name, false, IN_CREATE);
  return path;
}

/** Errors: EACCES for a name that is none of a file in one directory, EFAULT, ENAMETOOLONG, ENOENT. */
function queueNameAt(t: Task, addr: number): string | Errno {
  const name = t.mm.copyInPath(addr);
  if (typeof name === 'number') return name;
  if (name === '') return -ENOENT;
  return name.includes('/') || name === '.' || name === '..' ? -EACCES : name;
}

function loadAttributes(t: Task, addr: number): MqAttributes | Errno {
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_MQ_ATTR) < 0) return -EFAULT;
  return { messageCountMax: loadI64(scratchView, MQ_MAXMSG), messageBytesMax: loadI64(scratchView, MQ_MSGSIZE) };
}

/** mq_unlink(2). Errors: EACCES, EFAULT, ENAMETOOLONG, ENOENT, EPERM. */
export function sysMqUnlink(t: Task, a: SyscallArgs): SysResult {
  const name = queueNameAt(t, a.u64(0));
  if (typeof name === 'number') return name;
  return t.kernel.vfs.unlinkAt(t, t.ns.ipc.mqueues(t.kernel).rootPath, name);
}

/** mq_timedsend(2). Errors: EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EMSGSIZE, ETIMEDOUT. */
export function sysMqTimedsend(t: Task, a: SyscallArgs): SysResult {
  const mqdes = a.i32(0);
  const msgAddr = a.u64(1);
  const len = a.u64(2);
  const priority = a.u32(3);
  const timeoutAddr = a.u64(4);

  const status = loadDeadline(t, timeoutAddr);
  if (status < 0) return status;
  if (priority >= MQ_PRIO_MAX) return -EINVAL;
  const file = queueFileOf(t, mqdes);
  if (typeof file === 'number') return file;
  if (!file.isWritable) return -EBADF;
  const { queue } = file;
  if (len > queue.attributes.messageBytesMax) return -EMSGSIZE;
  const wait = waitOf(t);
  if (wait?.isDone === true) return 0;
  const message = wait?.message ?? loadMessage(t, msgAddr, len, priority);
  if (typeof message === 'number') return message;
  if (queue.isFull) return file.isNonblocking ? -EAGAIN : waitIn(t, file, queue.senders, message);
  queue.send(t, message);
  return 0;
}

/** mq_timedreceive(2). Errors: EAGAIN, EBADF, EFAULT, EINTR, EINVAL, EMSGSIZE, ETIMEDOUT. */
export function sysMqTimedreceive(t: Task, a: SyscallArgs): SysResult {
  const mqdes = a.i32(0);
  const msgAddr = a.u64(1);
  const len = a.u64(2);
  const priorityAddr = a.u64(3);
  const timeoutAddr = a.u64(4);

  const status = loadDeadline(t, timeoutAddr);
  if (status < 0) return status;
  const file = queueFileOf(t, mqdes);
  if (typeof file === 'number') return file;
  if (!file.isReadable) return -EBADF;
  const { queue } = file;
  if (len < queue.attributes.messageBytesMax) return -EMSGSIZE;
  const message = waitOf(t)?.message ?? queue.receive();
  if (message === null) return file.isNonblocking ? -EAGAIN : waitIn(t, file, queue.receivers, null);
  if (priorityAddr !== 0 && t.mm.store32(priorityAddr, message.priority) < 0) return -EFAULT;
  const { bytes } = message;
  return t.mm.copyOut(msgAddr, bytes, 0, bytes.length) < 0 ? -EFAULT : bytes.length;
}

/** The queue's file of a call, also one that waits. Errors: EBADF. */
function queueFileOf(t: Task, mqdes: number): MqueueFile | Errno {
  const file = fileOf(t, mqdes);
  return file instanceof MqueueFile ? file : -EBADF;
}

function waitOf(t: Task): MqWait | null {
  const { object } = t.restart;
  return object instanceof MqWait ? object : null;
}

function loadMessage(t: Task, addr: number, len: number, priority: number): MqMessage | Errno {
  const bytes = new Uint8Array(len);
  return t.mm.copyIn(bytes, 0, addr, len) < 0 ? -EFAULT : { priority, bytes };
}

/** Sets `restart.deadlineMs` at the first try, NaN without one. Errors: EFAULT, EINVAL. */
function loadDeadline(t: Task, timeoutAddr: number): 0 | Errno {
  if (timeoutAddr === 0 || t.restart.tryCount > 0) return 0;
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, timeoutAddr, SIZEOF_TIMESPEC) < 0) return -EFAULT;
  const untilMs = loadTimespecMs(scratchView, 0);
  if (Number.isNaN(untilMs)) return -EINVAL;
  t.restart.deadlineMs = monotonicDeadline(t, CLOCK_REALTIME, untilMs);
  return 0;
}

/** Waits at an end of the queue until the message has changed hands, the deadline or a signal. */
function waitIn(t: Task, file: MqueueFile, waiters: MqWaiters, message: MqMessage | null): SysResult {
  const { restart, kernel } = t;
  const wait = waitOf(t) ?? file.queue.wait(t, waiters, message);
  restart.object = wait;
  restart.holdFile(file);
  let result: SysResult = -ETIMEDOUT;
  if (!(kernel.clock.monotonicMs() >= restart.deadlineMs)) {
    if (!Number.isNaN(restart.deadlineMs)) t.wait.until(restart.deadlineMs);
    result = t.block();
  }
  if (result !== BLOCKED) waiters.remove(wait);
  return result;
}

/** mq_notify(2). Errors: EBADF, EBUSY, EFAULT, EINVAL, ENOTSOCK. */
export function sysMqNotify(t: Task, a: SyscallArgs): SysResult {
  const mqdes = a.i32(0);
  const eventAddr = a.u64(1);

  const request = eventAddr === 0 ? null : loadNotifyRequest(t, eventAddr);
  if (typeof request === 'number') return request;
  const file = t.fds.get(mqdes);
  if (!(file instanceof MqueueFile)) return -EBADF;
  const { queue } = file;
  if (request === null) {
    queue.withdrawNotification(t);
    return 0;
  }
  if (queue.notification !== null) return -EBUSY;
  queue.notification = new MqNotification(t, request);
  return 0;
}

function loadNotifyRequest(t: Task, addr: number): MqNotifyRequest | Errno {
  const { scratch, scratchView: mem } = t.kernel;
  if (t.mm.copyIn(scratch, 0, addr, SIZEOF_SIGEVENT) < 0) return -EFAULT;
  const notify = mem.getInt32(SIGEV_NOTIFY_AT, true);
  const signo = mem.getInt32(SIGEV_SIGNO_AT, true);
  const valueLow = mem.getUint32(SIGEV_VALUE_AT, true);
  const valueHigh = mem.getUint32(SIGEV_VALUE_AT + 4, true);
  if (notify !== SIGEV_NONE && notify !== SIGEV_SIGNAL && notify !== SIGEV_THREAD) return -EINVAL;
  if (notify === SIGEV_SIGNAL && (signo < 0 || signo > NSIG)) return -EINVAL;
  const request = { notify, signo, valueLow, valueHigh, socket: null, cookie: null };
  if (notify !== SIGEV_THREAD) return request;
  // The C library waits for the cookie in a thread of its own, and starts the function there: mq_notify(3).
  const cookie = new Uint8Array(NOTIFY_COOKIE_LEN);
  if (t.mm.copyIn(cookie, 0, loadU64(mem, SIGEV_VALUE_AT), NOTIFY_COOKIE_LEN) < 0) return -EFAULT;
  const socket = t.fds.get(signo);
  if (socket === undefined) return -EBADF;
  if (!(socket instanceof SocketFile)) return -ENOTSOCK;
  return socket instanceof NetlinkSocket ? { ...request, socket, cookie } : -EINVAL;
}

/** mq_getsetattr(2). Errors: EBADF, EFAULT, EINVAL. */
export function sysMqGetsetattr(t: Task, a: SyscallArgs): SysResult {
  const mqdes = a.i32(0);
  const newAddr = a.u64(1);
  const oldAddr = a.u64(2);

  const { scratch, scratchView: mem } = t.kernel;
  let flags = 0;
  if (newAddr !== 0) {
    if (t.mm.copyIn(scratch, 0, newAddr, SIZEOF_MQ_ATTR) < 0) return -EFAULT;
    flags = loadI64(mem, MQ_FLAGS);
    if (flags !== 0 && flags !== O_NONBLOCK) return -EINVAL;
  }
  const file = t.fds.get(mqdes);
  if (!(file instanceof MqueueFile)) return -EBADF;
  const { attributes, messageCount } = file.queue;
  scratch.fill(0, 0, SIZEOF_MQ_ATTR);
  storeI64(mem, MQ_FLAGS, file.flags & O_NONBLOCK);
  storeI64(mem, MQ_MAXMSG, attributes.messageCountMax);
  storeI64(mem, MQ_MSGSIZE, attributes.messageBytesMax);
  storeI64(mem, MQ_CURMSGS, messageCount);
  if (newAddr !== 0) file.setStatusFlags((file.flags & ~O_NONBLOCK) | flags);
  return oldAddr !== 0 && t.mm.copyOut(oldAddr, scratch, 0, SIZEOF_MQ_ATTR) < 0 ? -EFAULT : 0;
}
