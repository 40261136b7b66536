import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EISDIR,
  EPIPE,
  ESPIPE,
  MAX_RW_COUNT,
  O_APPEND,
  POLLOUT,
  POLLWRNORM,
  loadI64,
  storeI64,
  type SysResult,
} from '@tsv/abi';
import type { OpenFile } from '@tsv/vfs';
import { raiseSigpipe } from '../fd/blocking-io.js';
import { waitForDevice } from '../fd/cold-read.js';
import { transfer, type FileCursor } from '../fd/file-transfer.js';
import type { Task } from '../task/task.js';
import { BLOCKED } from './syscall.js';
import type { SyscallArgs } from './syscall-args.js';

/** sendfile(2). Errors: EAGAIN, EBADF, EFAULT, EINVAL, ESPIPE, and what the files return. */
export function sysSendfile(t: Task, a: SyscallArgs): SysResult {
  const outFd = a.i32(0);
  const inFd = a.i32(1);
  const offsetAddr = a.u64(2);
  const count = a.u64(3);

  const input = t.fds.get(inFd);
  const output = t.fds.get(outFd);
  if (input === undefined || !input.isReadable || output === undefined || !output.isWritable) return -EBADF;
  if (offsetAddr !== 0 && !input.isSeekable) return -ESPIPE;
  if (!input.isSeekable || input.inode.isDirectory || (output.flags & O_APPEND) !== 0) return -EINVAL;
  const offset = offsetAddr === 0 ? -1 : loadOffset(t, offsetAddr);
  if (Number.isNaN(offset)) return -EFAULT;
  if (offsetAddr !== 0 && offset < 0) return -EINVAL;

  return sendAll(t, { file: input, offset }, output, Math.min(count, MAX_RW_COUNT), offsetAddr);
}

/** Sends until `count` bytes are sent or the file ends, waiting for room; what earlier tries have sent counts. */
function sendAll(t: Task, from: FileCursor, output: OpenFile, count: number, offsetAddr: number): number {
  const { restart } = t;
  if (restart.tryCount === 0) t.io.pendingRead = null;
  const to: FileCursor = { file: output, offset: -1 };
  let n = 1;
  while (n > 0 && restart.moved < count) {
    n = transfer(from, to, count - restart.moved, t);
    if (n > 0) restart.moved += n;
  }
  if (offsetAddr !== 0 && storeOffset(t, offsetAddr, from.offset) !== 0) return -EFAULT;
  if (n === -EAGAIN && t.io.pendingRead !== null) return waitForDevice(t, t.io.pendingRead.waiters);
  if (n === -EAGAIN && !output.isNonblocking) return waitForRoom(t, output);
  if (n === -EPIPE) raiseSigpipe(t);
  return restart.moved > 0 || n > 0 ? restart.moved : n;
}

/** copy_file_range(2). Errors: EBADF, EFAULT, EINVAL, EISDIR, and what the files return. */
export function sysCopyFileRange(t: Task, a: SyscallArgs): SysResult {
  const fdIn = a.i32(0);
  const offInAddr = a.u64(1);
  const fdOut = a.i32(2);
  const offOutAddr = a.u64(3);
  const len = a.u64(4);
  const flags = a.u32(5);

  const input = t.fds.get(fdIn);
  const output = t.fds.get(fdOut);
  if (input === undefined || output === undefined) return -EBADF;
  const offIn = offInAddr === 0 ? -1 : loadOffset(t, offInAddr);
  const offOut = offOutAddr === 0 ? -1 : loadOffset(t, offOutAddr);
  if (Number.isNaN(offIn) || Number.isNaN(offOut)) return -EFAULT;
  if (flags !== 0) return -EINVAL;
  const status = checkCopy(input, output);
  if (status < 0) return status;
  if ((offInAddr !== 0 && offIn < 0) || (offOutAddr !== 0 && offOut < 0)) return -EINVAL;

  const count = Math.min(len, MAX_RW_COUNT);
  const inAt = offIn < 0 ? input.pos : offIn;
  const outAt = offOut < 0 ? output.pos : offOut;
  if (input.inode === output.inode && inAt < outAt + count && outAt < inAt + count) return -EINVAL;
  const from: FileCursor = { file: input, offset: offIn };
  const to: FileCursor = { file: output, offset: offOut };
  if (t.restart.tryCount === 0) t.io.pendingRead = null;
  const n = transfer(from, to, count, t);
  if (n === -EAGAIN && t.io.pendingRead !== null) return waitForDevice(t, t.io.pendingRead.waiters);
  if (n <= 0) return n;
  if (offInAddr !== 0 && storeOffset(t, offInAddr, from.offset) !== 0) return -EFAULT;
  return offOutAddr !== 0 && storeOffset(t, offOutAddr, to.offset) !== 0 ? -EFAULT : n;
}

/** Errors: EBADF, EINVAL, EISDIR. */
function checkCopy(input: OpenFile, output: OpenFile): number {
  if (input.inode.isDirectory || output.inode.isDirectory) return -EISDIR;
  if (!input.inode.isRegular || !output.inode.isRegular) return -EINVAL;
  return !input.isReadable || !output.isWritable || (output.flags & O_APPEND) !== 0 ? -EBADF : 0;
}

function waitForRoom(t: Task, output: OpenFile): number {
  const status = t.waitOn(output.waiters!, POLLOUT | POLLWRNORM);
  return status === BLOCKED || t.restart.moved === 0 ? status : t.restart.moved;
}

/** An offset in the caller's memory; NaN where it cannot be read. */
export function loadOffset(t: Task, addr: number): number {
  return t.mm.copyIn(t.kernel.scratch, 0, addr, 8) === 0 ? loadI64(t.kernel.scratchView, 0) : NaN;
}

export function storeOffset(t: Task, addr: number, offset: number): number {
  storeI64(t.kernel.scratchView, 0, offset);
  return t.mm.copyOut(addr, t.kernel.scratch, 0, 8);
}
