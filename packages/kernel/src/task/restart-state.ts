import type { OpenFile, PendingSync } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import type { ColdRead } from '../fd/cold-read.js';

/** What a blocked system call keeps between its tries, as plain data. Cleared when a new call begins. */
export class RestartState {
  /** How often the handler has returned BLOCKED in this call: 0 on the first try. */
  tryCount = 0;
  /** Monotonic deadline of the wait; Infinity for none, NaN while the handler has not set it. */
  deadlineMs = NaN;
  /** Bytes or items moved so far. */
  moved = 0;
  /** For the handler's own use. */
  phase = 0;
  value = 0;
  /** An object that the wait is about (a futex key, a child). Must be data that can be printed and saved. */
  object: unknown = null;
  /** The file that the call waits on, held: a descriptor closed meanwhile does not end the wait. Set by {@link holdFile}. */
  file: OpenFile | null = null;
  /** A read of {@link file} that waits for a device. */
  coldRead: ColdRead | null = null;
  /** What the call is made again for after -EIOCBQUEUED; null when others only are to have their turn. */
  work: WaitQueue | null = null;
  /** {@link file} is being written out to a device. */
  pendingSync: PendingSync | null = null;

  /** Keeps `file` open until the call ends. */
  holdFile(file: OpenFile): void {
    if (this.file !== null) return;
    file.incRef();
    this.file = file;
  }

  /** The call has ended. */
  dropFile(): void {
    const file = this.file;
    this.file = null;
    this.coldRead = null;
    this.pendingSync = null;
    file?.decRef();
  }

  clear(): void {
    if (this.file !== null) this.dropFile();
    if (this.tryCount === 0 && this.object === null && this.moved === 0 && this.phase === 0) {
      this.deadlineMs = NaN;
      this.value = 0;
      return;
    }
    this.tryCount = 0;
    this.deadlineMs = NaN;
    this.moved = 0;
    this.phase = 0;
    this.value = 0;
    this.object = null;
  }
}
