import type { Errno } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { Cgroup } from './cgroup.js';
import type { Controller } from './cgroup-settings.js';

/** A control file of every cgroup that has its controller. */
export interface ControlFile {
  readonly name: string;
  /** Null for what every cgroup has. */
  readonly controller: Controller | null;
  /** Whether the root of the hierarchy has it, too. */
  readonly isOnRoot: boolean;
  /** The content for `reader`, null for the kernel itself. */
  read?(cgroup: Cgroup, reader: Task | null): string;
  /** A write of `text`, without spaces around it. Errors are the result of write(2). */
  write?(cgroup: Cgroup, text: string, writer: Task | null): 0 | Errno;
}
