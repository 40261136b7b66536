import {
  CAP_SYS_RESOURCE,
  E2BIG,
  EAGAIN,
  EFAULT,
  EIDRM,
  EINVAL,
  ENOMSG,
  EPERM,
  ERESTARTNOHAND,
  IPC_INFO,
  IPC_NOWAIT,
  IPC_RMID,
  IPC_SET,
  IPC_STAT,
  MSG_COPY,
  MSG_EXCEPT,
  MSG_INFO,
  MSG_NOERROR,
  MSG_QBYTES,
  MSG_STAT,
  MSG_STAT_ANY,
  POLLIN,
  POLLOUT,
  SIZEOF_MSGINFO,
  SIZEOF_MSQID_DS,
  loadI64,
  loadU64,
  storeI64,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { MESSAGE_QUEUES_MAX } from '../ipc/ipc-limits.js';
import { S_IRUGO, S_IWUGO, nowSeconds } from '../ipc/ipc-object.js';
import { MESSAGE_BYTES_MAX, MessageQueue, QUEUE_BYTES_MAX } from '../ipc/message-queue.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** `struct msgbuf`: a `long`, then the text. */
const TYPE_BYTES = 8;

/** msgget(2). Errors: EACCES, EEXIST, ENOENT, ENOSPC. */
export function sysMsgget(t: Task, a: SyscallArgs): SysResult {
  const key = a.i32(0);
  const flags = a.u32(1);
  const queue = t.ns.ipc.msg.get(
    t,
    key,
    flags,
    () => new MessageQueue(t, key, flags),
    () => 0,
  );
  return typeof queue === 'number' ? queue : queue.id;
}

/** The queue `id`; one that a waiting call is about may be gone meanwhile. Errors: EIDRM, EINVAL. */
function queueOf(t: Task, id: number): MessageQueue | Errno {
  const { restart } = t;
  if (restart.object instanceof MessageQueue && restart.object.isRemoved) return -EIDRM;
  return t.ns.ipc.msg.lookup(id);
}

/** msgsnd(2). Errors: EACCES, EAGAIN, EFAULT, EIDRM, EINTR, EINVAL. */
export function sysMsgsnd(t: Task, a: SyscallArgs): SysResult {
  const id = a.i32(0);
  const msgpAddr = a.u64(1);
  const msgsz = a.u64(2);
  const flags = a.u32(3);

  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, msgpAddr, TYPE_BYTES) < 0) return -EFAULT;
  const type = loadI64(scratchView, 0);
  if (msgsz > MESSAGE_BYTES_MAX || id < 0 || type < 1) return -EINVAL;
  const text = new Uint8Array(msgsz);
  if (t.mm.copyIn(text, 0, msgpAddr + TYPE_BYTES, msgsz) < 0) return -EFAULT;
  const queue = queueOf(t, id);
  if (typeof queue === 'number') return queue;
  const denied = queue.checkAccess(t, S_IWUGO);
  if (denied < 0) return denied;
  if (!queue.hasRoom(msgsz)) {
    if ((flags & IPC_NOWAIT) !== 0) return -EAGAIN;
    return waitFor(t, queue, POLLOUT);
  }
  queue.send(t, { type, text });
  queue.changed.notify(POLLIN);
  return 0;
}

/** msgrcv(2). Errors: E2BIG, EACCES, EFAULT, EIDRM, EINTR, EINVAL, ENOMSG. */
export function sysMsgrcv(t: Task, a: SyscallArgs): SysResult {
  const id = a.i32(0);
  const msgpAddr = a.u64(1);
  const msgsz = a.i64(2);
  const msgtyp = a.i64(3);
  const flags = a.u32(4);

  if (id < 0 || msgsz < 0) return -EINVAL;
  const isCopy = (flags & MSG_COPY) !== 0;
  if (isCopy && ((flags & MSG_EXCEPT) !== 0 || (flags & IPC_NOWAIT) === 0)) return -EINVAL;
  const queue = queueOf(t, id);
  if (typeof queue === 'number') return queue;
  const denied = queue.checkAccess(t, S_IRUGO);
  if (denied < 0) return denied;
  const index = isCopy ? msgtyp : queue.find(msgtyp, (flags & MSG_EXCEPT) !== 0);
  const message = queue.messages[index];
  if (message === undefined) return (flags & IPC_NOWAIT) !== 0 ? -ENOMSG : waitFor(t, queue, POLLIN);
  if (message.text.length > msgsz && (flags & MSG_NOERROR) === 0) return -E2BIG;

  const { scratch, scratchView } = t.kernel;
  const len = Math.min(message.text.length, msgsz);
  if (!isCopy) {
    queue.take(t, index);
    queue.changed.notify(POLLOUT);
  }
  storeI64(scratchView, 0, message.type);
  if (t.mm.copyOut(msgpAddr, scratch, 0, TYPE_BYTES) < 0) return -EFAULT;
  return t.mm.copyOut(msgpAddr + TYPE_BYTES, message.text, 0, len) < 0 ? -EFAULT : len;
}

function waitFor(t: Task, queue: MessageQueue, mask: number): SysResult {
  t.restart.object = queue;
  t.wait.on(queue.changed, mask);
  return t.block(ERESTARTNOHAND);
}

/** msgctl(2). Errors: EACCES, EFAULT, EIDRM, EINVAL, EPERM. */
export function sysMsgctl(t: Task, a: SyscallArgs): SysResult {
  const id = a.i32(0);
  const cmd = a.i32(1);
  const bufAddr = a.u64(2);
  if (id < 0 || cmd < 0) return -EINVAL;

  if (cmd === IPC_INFO || cmd === MSG_INFO) return tellLimits(t, cmd, bufAddr);
  const isByIndex = cmd === MSG_STAT || cmd === MSG_STAT_ANY;
  const queue = isByIndex ? t.ns.ipc.msg.at(id) : t.ns.ipc.msg.lookup(id);
  if (typeof queue === 'number') return queue;
  switch (cmd) {
    case IPC_STAT:
    case MSG_STAT:
    case MSG_STAT_ANY:
      return stat(t, queue, cmd, bufAddr);
    case IPC_SET:
      return set(t, queue, bufAddr);
    case IPC_RMID:
      return queue.checkOwner(t) || remove(t, queue);
    default:
      return -EINVAL;
  }
}

function remove(t: Task, queue: MessageQueue): 0 {
  t.ns.ipc.msg.remove(queue);
  queue.changed.notify(POLLIN | POLLOUT);
  return 0;
}

function stat(t: Task, queue: MessageQueue, cmd: number, bufAddr: number): SysResult {
  const denied = cmd === MSG_STAT_ANY ? 0 : queue.checkAccess(t, S_IRUGO);
  if (denied < 0) return denied;
  const { scratch, scratchView } = t.kernel;
  scratch.fill(0, 0, SIZEOF_MSQID_DS);
  queue.store(t, scratchView, 0);
  if (t.mm.copyOut(bufAddr, scratch, 0, SIZEOF_MSQID_DS) < 0) return -EFAULT;
  return cmd === IPC_STAT ? 0 : queue.id;
}

function set(t: Task, queue: MessageQueue, bufAddr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  if (t.mm.copyIn(scratch, 0, bufAddr, SIZEOF_MSQID_DS) < 0) return -EFAULT;
  const denied = queue.checkOwner(t);
  if (denied < 0) return denied;
  const byteCountMax = loadU64(scratchView, MSG_QBYTES);
  // Differs: no one may let a queue hold more, for it is memory of the kernel's.
  if (byteCountMax > QUEUE_BYTES_MAX) return t.creds.hasCap(CAP_SYS_RESOURCE) ? -EINVAL : -EPERM;
  const status = queue.loadPerm(t, scratchView, 0);
  if (status < 0) return status;
  queue.byteCountMax = byteCountMax;
  queue.changedAt = nowSeconds(t);
  queue.changed.notify(POLLIN | POLLOUT);
  return 0;
}

function tellLimits(t: Task, cmd: number, bufAddr: number): SysResult {
  const { scratch, scratchView } = t.kernel;
  const { msg } = t.ns.ipc;
  let [messageCount, byteCount] = [0, 0];
  for (const queue of msg.all()) {
    messageCount += queue.messages.length;
    byteCount += queue.byteCount;
  }
  const isInfo = cmd === MSG_INFO;
  const pool = isInfo ? msg.count : (MESSAGE_QUEUES_MAX * QUEUE_BYTES_MAX) / 1024;
  const map = isInfo ? messageCount : QUEUE_BYTES_MAX;
  const total = isInfo ? byteCount : QUEUE_BYTES_MAX;
  const fields = [pool, map, MESSAGE_BYTES_MAX, QUEUE_BYTES_MAX, MESSAGE_QUEUES_MAX, SEGMENT_BYTES, total];
  scratch.fill(0, 0, SIZEOF_MSGINFO);
  for (const [index, value] of fields.entries()) scratchView.setInt32(index * 4, value, true);
  scratchView.setUint16(fields.length * 4, SEGMENTS_MAX, true);
  if (t.mm.copyOut(bufAddr, scratch, 0, SIZEOF_MSGINFO) < 0) return -EFAULT;
  return Math.max(msg.indexMax, 0);
}

/** MSGSSZ and MSGSEG. */
const SEGMENT_BYTES = 16;
const SEGMENTS_MAX = 0xffff;
