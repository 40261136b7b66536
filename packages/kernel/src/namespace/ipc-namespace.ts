import { IpcIds } from '../ipc/ipc-ids.js';
import { MESSAGE_QUEUES_MAX, SEMAPHORE_SETS_MAX, SHM_SEGMENTS_MAX } from '../ipc/ipc-limits.js';
import type { MessageQueue } from '../ipc/message-queue.js';
import { MqueueFileSystem } from '../ipc/mqueue/mqueue-file-system.js';
import { MqueueLimits } from '../ipc/mqueue/mqueue-limits.js';
import type { SemaphoreSet } from '../ipc/semaphore-set.js';
import type { ShmSegment } from '../ipc/shm-segment.js';
import type { Kernel } from '../kernel.js';
import type { UserNamespace } from './user-namespace.js';

/** ipc_namespaces(7): the System V objects and POSIX message queues that a task sees. */
export class IpcNamespace {
  readonly userNs: UserNamespace;
  readonly shm = new IpcIds<ShmSegment>(SHM_SEGMENTS_MAX);
  readonly sem = new IpcIds<SemaphoreSet>(SEMAPHORE_SETS_MAX);
  readonly msg = new IpcIds<MessageQueue>(MESSAGE_QUEUES_MAX);
  readonly mqueueLimits = new MqueueLimits();
  #mqueues: MqueueFileSystem | null = null;

  constructor(userNs: UserNamespace) {
    this.userNs = userNs;
  }

  /** Its POSIX message queues, made when somebody first wants them. */
  mqueues(kernel: Kernel): MqueueFileSystem {
    this.#mqueues ??= new MqueueFileSystem(kernel, this.mqueueLimits);
    return this.#mqueues;
  }
}
