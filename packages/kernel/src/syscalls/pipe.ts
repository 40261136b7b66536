import { EFAULT, EINVAL, ENOPKG, O_CLOEXEC, O_DIRECT, O_EXCL, O_NONBLOCK, type SysResult } from '@tsv/abi';
import { createPipe } from '../fd/pipe-file.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** O_NOTIFICATION_PIPE of linux/watch_queue.h. */
const O_NOTIFICATION_PIPE = O_EXCL;

/** pipe(2). Errors: EFAULT, EMFILE. */
export function sysPipe(t: Task, a: SyscallArgs): SysResult {
  return openPipe(t, a.u64(0), 0);
}

/** pipe2(2). Errors: EFAULT, EINVAL, EMFILE, ENOPKG for O_NOTIFICATION_PIPE, as a Linux without watch queues. */
export function sysPipe2(t: Task, a: SyscallArgs): SysResult {
  const pipefd = a.u64(0);
  const flags = a.u32(1);

  if ((flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT | O_NOTIFICATION_PIPE)) !== 0) return -EINVAL;
  if ((flags & O_NOTIFICATION_PIPE) !== 0) return -ENOPKG;
  return openPipe(t, pipefd, flags);
}

function openPipe(t: Task, addr: number, flags: number): number {
  const isCloseOnExec = (flags & O_CLOEXEC) !== 0;
  const [reader, writer] = createPipe(t.kernel.anonymousFiles, flags, t);
  const readFd = t.fds.install(reader, 0, isCloseOnExec);
  if (readFd < 0) {
    writer.decRef();
    return readFd;
  }
  const writeFd = t.fds.install(writer, 0, isCloseOnExec);
  if (writeFd < 0) {
    t.fds.close(readFd, t);
    return writeFd;
  }
  const { scratch, scratchView } = t.kernel;
  scratchView.setInt32(0, readFd, true);
  scratchView.setInt32(4, writeFd, true);
  if (t.mm.copyOut(addr, scratch, 0, 8) === 0) return 0;
  t.fds.close(writeFd, t);
  t.fds.close(readFd, t);
  return -EFAULT;
}
