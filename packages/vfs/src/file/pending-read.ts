import type { WaitQueue } from '@tsv/waiter';

/**
 * A read of a device that a file has begun for somebody who can wait, `IoBuffer.pendingRead`. The caller tries again with
 * it when it is done, and drops it when the file did not take it back.
 */
export interface PendingRead {
  /** Told POLLIN when it is done. */
  readonly waiters: WaitQueue;
}
