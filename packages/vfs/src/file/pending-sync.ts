import type { WaitQueue } from '@tsv/waiter';

/** A file's being written out to a device, which `OpenFile.beginSync` has begun for somebody who can wait. */
export interface PendingSync {
  /** Told POLLIN when it is done. */
  readonly waiters: WaitQueue;
  /** What fsync(2) says; null until it is done. */
  readonly result: number | null;
}
