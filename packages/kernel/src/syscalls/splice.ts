import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EPIPE,
  ESPIPE,
  MAX_RW_COUNT,
  O_APPEND,
  POLLIN,
  POLLOUT,
  POLLRDNORM,
  POLLWRNORM,
  SPLICE_F_GIFT,
  SPLICE_F_MORE,
  SPLICE_F_MOVE,
  SPLICE_F_NONBLOCK,
  UIO_MAXIOV,
  type SysResult,
} from '@tsv/abi';
import type { OpenFile } from '@tsv/vfs';
import { raiseSigpipe } from '../fd/blocking-io.js';
import { waitForDevice } from '../fd/cold-read.js';
import { readSome, type FileCursor } from '../fd/file-transfer.js';
import { PipeFile } from '../fd/pipe-file.js';
import { PipeSource, type Pipe } from '../fd/pipe.js';
import type { Task } from '../task/task.js';
import { loadOffset, storeOffset } from './sendfile.js';
import type { SyscallArgs } from './syscall-args.js';

const FLAGS = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE | SPLICE_F_GIFT;
const READABLE = POLLIN | POLLRDNORM;
const WRITABLE = POLLOUT | POLLWRNORM;
const source = new PipeSource();

/** splice(2). Errors: EAGAIN, EBADF, EFAULT, EINVAL, EPIPE, ESPIPE, and what the files return. */
export function sysSplice(t: Task, a: SyscallArgs): SysResult {
  const fdIn = a.i32(0);
  const offInAddr = a.u64(1);
  const fdOut = a.i32(2);
  const offOutAddr = a.u64(3);
  const len = Math.min(a.u64(4), MAX_RW_COUNT);
  const flags = a.u32(5);

  if (len === 0) return 0;
  if ((flags & ~FLAGS) !== 0) return -EINVAL;
  const input = t.fds.get(fdIn);
  const output = t.fds.get(fdOut);
  if (input === undefined || !input.isReadable || output === undefined || !output.isWritable) return -EBADF;
  const fromPipe = input instanceof PipeFile ? input.pipe : null;
  const toPipe = output instanceof PipeFile ? output.pipe : null;
  if ((fromPipe !== null && offInAddr !== 0) || (toPipe !== null && offOutAddr !== 0)) return -ESPIPE;
  if (fromPipe !== null && toPipe !== null) return spliceBetween(t, input, output, fromPipe, toPipe, len, flags);
  if (fromPipe !== null) return spliceOut(t, input, fromPipe, output, offOutAddr, len, flags);
  return toPipe === null ? -EINVAL : spliceIn(t, input, offInAddr, output, toPipe, len, flags);
}

/** tee(2): what is in a pipe goes to another one, and stays. Errors: EAGAIN, EBADF, EINVAL, EPIPE. */
export function sysTee(t: Task, a: SyscallArgs): SysResult {
  const fdIn = a.i32(0);
  const fdOut = a.i32(1);
  const len = Math.min(a.u64(2), MAX_RW_COUNT);
  const flags = a.u32(3);

  if ((flags & ~FLAGS) !== 0) return -EINVAL;
  if (len === 0) return 0;
  const input = t.fds.get(fdIn);
  const output = t.fds.get(fdOut);
  if (input === undefined || !input.isReadable || output === undefined || !output.isWritable) return -EBADF;
  if (!(input instanceof PipeFile) || !(output instanceof PipeFile) || input.pipe === output.pipe) return -EINVAL;
  const n = drain(input.pipe, output, len, t);
  if (n === -EAGAIN) return wait(t, input, output, flags);
  if (n === -EPIPE) raiseSigpipe(t);
  return n;
}

/** vmsplice(2): bytes are copied, as SPLICE_F_GIFT allows. Errors: EAGAIN, EBADF, EFAULT, EINVAL, EPIPE. */
export function sysVmsplice(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const iov = a.u64(1);
  const count = a.u64(2);
  const flags = a.u32(3);

  if ((flags & ~FLAGS) !== 0 || count > UIO_MAXIOV) return -EINVAL;
  const file = t.fds.get(fd);
  if (!(file instanceof PipeFile)) return -EBADF;
  const status = t.io.resetVec(t.mm, iov, count, !file.isWritable);
  if (status < 0) return status;
  const n = file.isWritable ? file.write(t.io) : file.read(t.io);
  if (n === -EPIPE) raiseSigpipe(t);
  if (n !== -EAGAIN || file.isNonblocking || (flags & SPLICE_F_NONBLOCK) !== 0) return n;
  return t.waitOn(file.waiters, file.isWritable ? WRITABLE : READABLE);
}

function spliceBetween(
  t: Task,
  input: OpenFile,
  output: OpenFile,
  from: Pipe,
  to: Pipe,
  len: number,
  flags: number,
): number {
  if (from === to) return -EINVAL;
  const n = drain(from, output, len, t);
  if (n > 0) from.consume(n);
  if (n === -EAGAIN) return wait(t, input, output, flags);
  if (n === -EPIPE) raiseSigpipe(t);
  return n;
}

/** From a pipe to a file that is none. */
function spliceOut(
  t: Task,
  input: OpenFile,
  from: Pipe,
  output: OpenFile,
  offOutAddr: number,
  len: number,
  flags: number,
): number {
  if ((output.flags & O_APPEND) !== 0) return -EINVAL;
  if (offOutAddr !== 0 && !output.isSeekable) return -EINVAL;
  const offset = offOutAddr === 0 ? -1 : loadOffset(t, offOutAddr);
  if (Number.isNaN(offset)) return -EFAULT;
  if (offOutAddr !== 0 && offset < 0) return -EINVAL;
  if (from.count === 0) return from.writerCount === 0 ? 0 : wait(t, input, output, flags);
  source.reset(from, len);
  const n = offset < 0 ? output.write(source, t) : output.writeAt(source, offset, t);
  if (n > 0) from.consume(n);
  if (n > 0 && offOutAddr !== 0 && storeOffset(t, offOutAddr, offset + n) !== 0) return -EFAULT;
  if (n === -EAGAIN) return wait(t, input, output, flags | (output.isNonblocking ? SPLICE_F_NONBLOCK : 0));
  if (n === -EPIPE) raiseSigpipe(t);
  return n;
}

/** From a file that is no pipe to a pipe. */
function spliceIn(
  t: Task,
  input: OpenFile,
  offInAddr: number,
  output: OpenFile,
  to: Pipe,
  len: number,
  flags: number,
): number {
  if (offInAddr !== 0 && !input.isSeekable) return -EINVAL;
  const from: FileCursor = { file: input, offset: offInAddr === 0 ? -1 : loadOffset(t, offInAddr) };
  if (Number.isNaN(from.offset)) return -EFAULT;
  if (offInAddr !== 0 && from.offset < 0) return -EINVAL;
  if (to.readerCount === 0) {
    raiseSigpipe(t);
    return -EPIPE;
  }
  if (to.free === 0) return wait(t, output, output, flags);
  if (t.restart.tryCount === 0) t.io.pendingRead = null;
  const read = readSome(from, Math.min(len, to.free), t);
  if (read === -EAGAIN && t.io.pendingRead !== null) return waitForDevice(t, t.io.pendingRead.waiters);
  const n = typeof read === 'number' ? read : to.write(read, false);
  if (n > 0 && offInAddr !== 0 && storeOffset(t, offInAddr, from.offset) !== 0) return -EFAULT;
  return n === -EAGAIN ? wait(t, input, input, flags | (input.isNonblocking ? SPLICE_F_NONBLOCK : 0)) : n;
}

/** Copies what `from` has to `output`. Errors: EAGAIN when either would wait. */
function drain(from: Pipe, output: PipeFile | OpenFile, len: number, t: Task): number {
  const to = (output as PipeFile).pipe;
  if (to.readerCount === 0) return -EPIPE;
  if (from.count === 0) return from.writerCount === 0 ? 0 : -EAGAIN;
  source.reset(from, Math.min(len, to.free));
  return source.remaining === 0 ? -EAGAIN : output.write(source, t);
}

/** Waits until `input` can be read or `output` written. */
function wait(t: Task, input: OpenFile, output: OpenFile, flags: number): number {
  if ((flags & SPLICE_F_NONBLOCK) !== 0) return -EAGAIN;
  if (input.waiters !== null) t.wait.on(input.waiters, input === output ? READABLE | WRITABLE : READABLE);
  if (output !== input && output.waiters !== null) t.wait.on(output.waiters, WRITABLE);
  return t.block();
}
