import { EFAULT, O_RDWR, POLLIN, POLLRDNORM } from '@tsv/abi';
import { OpenFile, type Inode } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import type { Pid } from '../namespace/pid.js';
import type { Task } from './task.js';
import type { ThreadGroup } from './thread-group.js';

/** A file that refers to a process, pidfd_open(2). Readable once the process has ended. */
export class PidFile extends OpenFile {
  readonly pid: Pid;
  readonly #group: ThreadGroup;

  constructor(inode: Inode, pid: Pid, group: ThreadGroup, flags: number) {
    super(inode, null, flags);
    this.pid = pid;
    this.#group = group;
  }

  /** The process, or null once it was reaped. */
  get threadGroup(): ThreadGroup | null {
    return this.#group.isReaped ? null : this.#group;
  }

  override get waiters(): WaitQueue {
    return this.#group.exited;
  }

  override readiness(): number {
    return this.#group.isZombie ? POLLIN | POLLRDNORM : 0;
  }
}

/** A close-on-exec descriptor of the caller for the process `group`. Errors: EMFILE. */
export function installPidfd(task: Task, pid: Pid, group: ThreadGroup, flags: number): number {
  const inode = task.kernel.anonymousFiles.createInode('[pidfd]');
  return task.fds.install(new PidFile(inode, pid, group, O_RDWR | flags), 0, true);
}

/** A descriptor for a child about to be made, stored at `addr`: CLONE_PIDFD. Errors: EFAULT, EMFILE. */
export function openPidfd(task: Task, pid: Pid, group: ThreadGroup, addr: number): number {
  const fd = installPidfd(task, pid, group, 0);
  if (fd < 0 || task.mm.store32(addr, fd) === 0) return fd;
  task.fds.close(fd, task);
  return -EFAULT;
}
