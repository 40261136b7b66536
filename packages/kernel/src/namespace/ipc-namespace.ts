import { IpcIds } from '../ipc/ipc-ids.js';
import { MESSAGE_QUEUES_MAX, SEMAPHORE_SETS_MAX, SHM_SEGMENTS_MAX } from '../ipc/ipc-limits.js';
import type { MessageQueue } from '../ipc/message-queue.js';
import type { SemaphoreSet } from '../ipc/semaphore-set.js';
import type { ShmSegment } from '../ipc/shm-segment.js';
import type { UserNamespace } from './user-namespace.js';

/** ipc_namespaces(7): the System V objects that a task sees. */
export class IpcNamespace {
  readonly userNs: UserNamespace;
  readonly shm = new IpcIds<ShmSegment>(SHM_SEGMENTS_MAX);
  readonly sem = new IpcIds<SemaphoreSet>(SEMAPHORE_SETS_MAX);
  readonly msg = new IpcIds<MessageQueue>(MESSAGE_QUEUES_MAX);

  constructor(userNs: UserNamespace) {
    this.userNs = userNs;
  }
}
