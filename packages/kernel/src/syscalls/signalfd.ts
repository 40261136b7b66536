import { EBADF, EFAULT, EINVAL, SFD_CLOEXEC, SFD_NONBLOCK, type SysResult } from '@tsv/abi';
import { SignalFile } from '../fd/signal-file.js';
import { UNBLOCKABLE_LOW } from '../signal/signal-actions.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** Bytes of the kernel's `sigset_t`. */
const SIGSET_BYTES = 8;

/** signalfd(2), the first version. Errors: EBADF, EFAULT, EINVAL, EMFILE. */
export function sysSignalfd(t: Task, a: SyscallArgs): SysResult {
  return signalfd(t, a.i32(0), a.u64(1), a.u64(2), 0);
}

/** signalfd(2). Errors: EBADF, EFAULT, EINVAL, EMFILE. */
export function sysSignalfd4(t: Task, a: SyscallArgs): SysResult {
  return signalfd(t, a.i32(0), a.u64(1), a.u64(2), a.u32(3));
}

function signalfd(t: Task, fd: number, mask: number, sigsetBytes: number, flags: number): number {
  const { scratch, scratchView } = t.kernel;
  if (sigsetBytes !== SIGSET_BYTES) return -EINVAL;
  if (t.mm.copyIn(scratch, 0, mask, SIGSET_BYTES) !== 0) return -EFAULT;
  if ((flags & ~(SFD_CLOEXEC | SFD_NONBLOCK)) !== 0) return -EINVAL;
  const low = scratchView.getUint32(0, true) & ~UNBLOCKABLE_LOW;
  const high = scratchView.getUint32(4, true);
  if (fd === -1) {
    const file = new SignalFile(t.kernel.anonymousFiles.createInode('[signalfd]'), t.kernel, flags);
    file.setMask(low, high);
    return t.fds.install(file, 0, (flags & SFD_CLOEXEC) !== 0);
  }
  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if (!(file instanceof SignalFile)) return -EINVAL;
  file.setMask(low, high);
  return fd;
}
