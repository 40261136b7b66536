import { EBADF, EFAULT, EINVAL, ENOENT, EPERM, ESRCH, type SysResult } from '@tsv/abi';
import { mayInspect } from '../cred/inspect-permission.js';
import { EpollFile } from '../fd/epoll-file.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** `linux/kcmp.h`. */
const KCMP_FILE = 0;
const KCMP_VM = 1;
const KCMP_FILES = 2;
const KCMP_FS = 3;
const KCMP_SIGHAND = 4;
const KCMP_IO = 5;
const KCMP_SYSVSEM = 6;
const KCMP_EPOLL_TFD = 7;

/** `struct kcmp_epoll_slot`: an epoll descriptor, one that it watches, and which of those with that number. */
const SIZEOF_KCMP_EPOLL_SLOT = 12;
const EFD = 0;
const TFD = 4;
const TOFF = 8;
const slotBytes = new Uint8Array(SIZEOF_KCMP_EPOLL_SLOT);
const slot = new DataView(slotBytes.buffer);

/** kcmp(2): 0 when both are one, else 1 or 2 for an order. Errors: EBADF, EFAULT, EINVAL, ENOENT, EPERM, ESRCH. */
export function sysKcmp(t: Task, a: SyscallArgs): SysResult {
  const pid1 = a.i32(0);
  const pid2 = a.i32(1);
  const type = a.i32(2);
  const idx1 = a.u32(3);
  const idx2 = a.u64(4);

  const one = t.pidNs.lookup(pid1)?.task ?? null;
  const other = t.pidNs.lookup(pid2)?.task ?? null;
  if (one === null || other === null || one.hasExited || other.hasExited) return -ESRCH;
  if (!mayInspect(t, one) || !mayInspect(t, other)) return -EPERM;
  switch (type) {
    case KCMP_FILE: {
      const [file1, file2] = [one.fds.get(idx1 | 0), other.fds.get(idx2 | 0)];
      return file1 === undefined || file2 === undefined ? -EBADF : order(file1, file2);
    }
    case KCMP_VM:
      return order(one.mm, other.mm);
    case KCMP_FILES:
      return order(one.fds, other.fds);
    case KCMP_FS:
      return order(one.fs, other.fs);
    case KCMP_SIGHAND:
      return order(one.threadGroup.signalActions, other.threadGroup.signalActions);
    case KCMP_IO:
      return 0; // Nobody has an I/O context of his own.
    case KCMP_SYSVSEM:
      return one.semaphoreUndo === null || other.semaphoreUndo === null
        ? Number(one.semaphoreUndo !== other.semaphoreUndo)
        : order(one.semaphoreUndo, other.semaphoreUndo);
    case KCMP_EPOLL_TFD:
      return compareWatched(t, one, idx1, other, idx2);
    default:
      return -EINVAL;
  }
}

/** Whether a file is the one that a slot of another task's epoll file watches. */
function compareWatched(t: Task, one: Task, fd: number, other: Task, slotAddr: number): SysResult {
  if (t.mm.copyIn(slotBytes, 0, slotAddr, SIZEOF_KCMP_EPOLL_SLOT) !== 0) return -EFAULT;
  const file = one.fds.get(fd | 0);
  const epoll = other.fds.get(slot.getInt32(EFD, true));
  if (file === undefined || epoll === undefined) return -EBADF;
  if (!(epoll instanceof EpollFile)) return -EINVAL;
  const watched = epoll.watched(slot.getInt32(TFD, true), slot.getUint32(TOFF, true));
  return watched === null ? -ENOENT : order(file, watched);
}

const numbers = new WeakMap<object, number>();
let lastNumber = 0;

/** Linux orders by address; here it is by who was asked for first. */
function order(one: object, other: object): number {
  const [a, b] = [numberOf(one), numberOf(other)];
  return a === b ? 0 : a < b ? 1 : 2;
}

function numberOf(object: object): number {
  let number = numbers.get(object);
  if (number === undefined) {
    number = ++lastNumber;
    numbers.set(object, number);
  }
  return number;
}
