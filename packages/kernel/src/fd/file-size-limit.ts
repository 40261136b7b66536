import { EFBIG, O_APPEND, RLIMIT_FSIZE, RLIM_INFINITY, SIGXFSZ } from '@tsv/abi';
import type { Inode, OpenFile } from '@tsv/vfs';
import { sendSignal } from '../signal/send-signal.js';
import { kernelSignal } from '../signal/sig-info.js';
import type { Task } from '../task/task.js';

/**
 * Cuts a write of `t.io` at `offset` of `file` to what RLIMIT_FSIZE allows, setrlimit(2). Returns 0. Errors: EFBIG, with
 * SIGXFSZ for the thread, when nothing may be written there.
 */
export function limitFileSize(t: Task, file: OpenFile, offset: number): number {
  const limit = t.threadGroup.limits.soft(RLIMIT_FSIZE);
  const { io } = t;
  if (limit === RLIM_INFINITY || offset + io.remaining <= limit || !file.inode.isRegular) return 0;
  if (offset >= limit) {
    sendSignal(t, kernelSignal(SIGXFSZ));
    return -EFBIG;
  }
  io.remaining = limit - offset;
  return 0;
}

/** {@link limitFileSize} at the file offset, or at the end for a file that is appended to. */
export function limitFileSizeAtPos(t: Task, file: OpenFile): number {
  if (t.threadGroup.limits.soft(RLIMIT_FSIZE) === RLIM_INFINITY) return 0;
  return limitFileSize(t, file, (file.flags & O_APPEND) === 0 ? file.pos : file.inode.sizeBytes);
}

/** Whether `inode` may be made `lenBytes` long, truncate(2). Returns 0. Errors: EFBIG, with SIGXFSZ for the thread. */
export function checkNewSize(t: Task, inode: Inode, lenBytes: number): number {
  const limit = t.threadGroup.limits.soft(RLIMIT_FSIZE);
  if (limit === RLIM_INFINITY || lenBytes <= limit || !inode.isRegular) return 0;
  inode.refresh();
  if (lenBytes <= inode.sizeBytes) return 0;
  sendSignal(t, kernelSignal(SIGXFSZ));
  return -EFBIG;
}
