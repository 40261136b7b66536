import { POLLIN } from '@tsv/abi';
import { WaitQueue } from '@tsv/waiter';
import type { HostHandle } from './host-handle.js';

/** Such work at a time. Some may be for tasks that were killed meanwhile; who finds no room has the whole sandbox wait. */
export const POOL_WORK_MAX = 64;

let workCount = 0;

/** What a thread does. */
export abstract class HostPoolWork {
  /** Told POLLIN when it is done. */
  readonly waiters = new WaitQueue();

  static get hasRoom(): boolean {
    return workCount < POOL_WORK_MAX;
  }

  constructor() {
    workCount++;
  }

  /** The result is there. */
  protected done(): void {
    workCount--;
    this.waiters.notify(POLLIN);
  }
}

/** What a thread does with a file of the host. It uses the handle until it is done. */
export abstract class HostHandleWork extends HostPoolWork {
  readonly handle: HostHandle;

  constructor(handle: HostHandle) {
    super();
    this.handle = handle;
    handle.inode.incRef();
    handle.userCount++;
  }

  protected override done(): void {
    const { inode } = this.handle;
    inode.releaseHandle(this.handle);
    inode.decRef();
    super.done();
  }
}
