import {
  EBADF,
  EFAULT,
  FIOASYNC,
  FIOCLEX,
  FIONBIO,
  FIONCLEX,
  FIONREAD,
  FIOQSIZE,
  ENOTTY,
  O_ASYNC,
  O_NONBLOCK,
  storeI64,
  type SysResult,
} from '@tsv/abi';
import { setStatusFlags } from '../fd/async-owner.js';
import { getInt, putInt } from '../fd/user-int.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** ioctl(2): what every file has; the rest is the file's. Errors: EBADF, EFAULT, ENOTTY, and what the file returns. */
export function sysIoctl(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const cmd = a.u32(1);
  const arg = a.u64(2);

  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  switch (cmd) {
    case FIOCLEX:
      t.fds.setCloseOnExec(fd, true);
      return 0;
    case FIONCLEX:
      t.fds.setCloseOnExec(fd, false);
      return 0;
    case FIONBIO: {
      const value = getInt(t, arg);
      if (Number.isNaN(value)) return -EFAULT;
      return setStatusFlags(file, fd, value !== 0 ? file.flags | O_NONBLOCK : file.flags & ~O_NONBLOCK);
    }
    case FIOASYNC: {
      const value = getInt(t, arg);
      if (Number.isNaN(value)) return -EFAULT;
      if (file.waiters === null) return value !== 0 ? -ENOTTY : 0;
      return setStatusFlags(file, fd, value !== 0 ? file.flags | O_ASYNC : file.flags & ~O_ASYNC);
    }
    case FIOQSIZE:
      if (!file.inode.isRegular && !file.inode.isDirectory) return -ENOTTY;
      file.inode.refresh();
      storeI64(t.kernel.scratchView, 0, file.inode.sizeBytes);
      return t.mm.copyOut(arg, t.kernel.scratch, 0, 8);
    case FIONREAD:
      if (!file.inode.isRegular) return file.ioctl(cmd, arg, t);
      file.inode.refresh();
      return putInt(t, arg, file.inode.sizeBytes - file.pos);
    default:
      return file.ioctl(cmd, arg, t);
  }
}
