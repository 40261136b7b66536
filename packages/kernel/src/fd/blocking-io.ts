import { EPIPE, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, EAGAIN, SIGPIPE, SI_USER } from '@tsv/abi';
import { IN_ACCESS, IN_MODIFY, notifyFile, type OpenFile } from '@tsv/vfs';
import { sendSignal } from '../signal/send-signal.js';
import { userSignal } from '../signal/sig-info.js';
import { waitForSocket } from '../socket/blocking-socket.js';
import { SocketFile } from '../socket/socket-file.js';
import { BLOCKED } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import { continueRead, waitForRead, waitForReadAt, type ColdRead } from './cold-read.js';
import { limitFileSizeAtPos } from './file-size-limit.js';

/** The file of a call: the one that it waits on already, else the one that `fd` refers to now. */
export function fileOf(t: Task, fd: number): OpenFile | undefined {
  return t.restart.file ?? t.fds.get(fd);
}

/** Waits for an event of `mask` on `file`, which stays open meanwhile. Returns what the handler must return. */
export function waitForFile(t: Task, file: OpenFile, mask: number): number {
  if (file instanceof SocketFile) {
    const { receiveTimeoutMs, sendTimeoutMs } = file.options;
    return waitForSocket(t, file, mask, 0, (mask & POLLIN) !== 0 ? receiveTimeoutMs : sendTimeoutMs);
  }
  const waiters = file.waiters;
  if (waiters === null) throw new Error('waitForFile: a file that is always ready made its caller wait');
  t.restart.holdFile(file);
  return t.waitOn(waiters, mask);
}

/**
 * Reads once at the file offset into `t.io`, waiting for data if the file blocks, and for devices always: what was moved
 * before is not read again.
 */
export function readBlocking(t: Task, file: OpenFile): number {
  const { io } = t;
  io.canWait = true;
  const { coldRead } = t.restart;
  if (coldRead !== null) return goOn(t, file, coldRead);
  const n = file.read(io, t);
  if (io.pendingRead !== null) return waitForRead(t, file, n);
  if (n > 0) notifyFile(file, IN_ACCESS);
  return n === -EAGAIN && !file.isNonblocking ? waitForFile(t, file, POLLIN | POLLRDNORM) : n;
}

/** Reads at `offset` into `t.io`, waiting for devices. */
export function readAtBlocking(t: Task, file: OpenFile, offset: number): number {
  const { io } = t;
  io.canWait = true;
  const { coldRead } = t.restart;
  if (coldRead !== null) return goOn(t, file, coldRead);
  const n = file.readAt(io, offset, t);
  if (io.pendingRead !== null) return waitForReadAt(t, file, offset, n);
  if (n > 0) notifyFile(file, IN_ACCESS);
  return n;
}

/** Reads once what needs no device, preadv2(2) RWF_NOWAIT: from the file offset on if `offset` is -1. */
export function readNowait(t: Task, file: OpenFile, offset: number): number {
  const { io } = t;
  io.canWait = true;
  const n = offset === -1 ? file.read(io, t) : file.readAt(io, offset, t);
  // The device reads on: a later try finds it done.
  io.pendingRead = null;
  if (n > 0) notifyFile(file, IN_ACCESS);
  return n;
}

function goOn(t: Task, file: OpenFile, cold: ColdRead): number {
  skipMoved(t);
  return continueRead(t, file, cold);
}

/**
 * Writes `t.io` at the file offset. A file that blocks takes everything, in as many tries as it needs; what was
 * moved is told when the call ends early. Raises SIGPIPE when the other end is gone.
 */
export function writeBlocking(t: Task, file: OpenFile): number {
  const { io, restart } = t;
  const status = limitFileSizeAtPos(t, file);
  if (status < 0) return status;
  for (;;) {
    const n = file.write(io, t);
    if (n > 0) {
      restart.moved += n;
      notifyFile(file, IN_MODIFY);
      if (io.remaining === 0 || file.waiters === null) return restart.moved;
      continue;
    }
    if (n === -EAGAIN && !file.isNonblocking) {
      const wait = waitForFile(t, file, POLLOUT | POLLWRNORM);
      return wait === BLOCKED || restart.moved === 0 ? wait : restart.moved;
    }
    if (n === -EPIPE && !(file instanceof SocketFile && !file.raisesSigpipe)) raiseSigpipe(t);
    return restart.moved > 0 ? restart.moved : n;
  }
}

/** Skips what earlier tries of the call have moved; `t.io` was just set up for the whole. */
export function skipMoved(t: Task): void {
  const { io } = t;
  let left = t.restart.moved;
  while (left > 0) {
    const len = io.segment(left);
    if (len <= 0) return;
    io.advance(len);
    left -= len;
  }
}

/** The thread wrote to something that nobody reads, pipe(7). */
export function raiseSigpipe(t: Task): void {
  sendSignal(t, userSignal(SIGPIPE, SI_USER, t.threadGroup.pidIn(t.pidNs), t.creds.uid));
}
