import { EBADF, EINVAL, EOPNOTSUPP, EPERM, ESRCH, type SysResult } from '@tsv/abi';
import { mayInspect } from '../cred/inspect-permission.js';
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

/** kcmp(2): 0 when both are one, else 1 or 2 for an order. Errors: EBADF, EINVAL, EOPNOTSUPP, EPERM, ESRCH. */
export function sysKcmp(t: Task, a: SyscallArgs): SysResult {
  const pid1 = a.i32(0);
  const pid2 = a.i32(1);
  const type = a.i32(2);
  const idx1 = a.u32(3);
  const idx2 = a.u32(4);

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
      return -EOPNOTSUPP;
    default:
      return -EINVAL;
  }
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
