import { EINVAL } from '@tsv/abi';
import { OpenFile, seekFile, type Caller, type IoBuffer, type VfsPath } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import { Task } from '../../task/task.js';
import type { PosixQueue } from './posix-queue.js';

/** A message queue descriptor, mq_open(3). Reading it as a file tells the state of the queue, mq_overview(7). */
export class MqueueFile extends OpenFile {
  readonly queue: PosixQueue;

  constructor(queue: PosixQueue, path: VfsPath | null, flags: number) {
    super(queue, path, flags);
    this.queue = queue;
  }

  override get isSeekable(): boolean {
    return true;
  }

  override get waiters(): WaitQueue {
    return this.queue.changed;
  }

  override readiness(): number {
    return this.queue.readiness();
  }

  override seek(offset: number, whence: number): number {
    return seekFile(this, offset, whence, this.queue.sizeBytes);
  }

  override readAt(io: IoBuffer, offset: number, caller: Caller): number {
    const text = this.#describe(caller);
    const len = Math.min(io.remaining, text.length - offset);
    return len <= 0 ? 0 : io.put(text, offset, len);
  }

  override writeAt(): number {
    return -EINVAL;
  }

  /** The registration of a process ends when it closes a descriptor of the queue, mq_notify(3). */
  override flush(caller: Caller): number {
    const { queue } = this;
    if (caller instanceof Task) queue.withdrawNotification(caller);
    return 0;
  }

  #describe(caller: Caller): Uint8Array {
    const { byteCount, notification } = this.queue;
    const [notify, signo] = [notification?.notify ?? 0, notification?.signo ?? 0];
    const pid = caller instanceof Task ? (notification?.owner.pidIn(caller.pidNs) ?? 0) : 0;
    const text = `QSIZE:${pad(byteCount, 10)} NOTIFY:${pad(notify, 5)} SIGNO:${pad(signo, 5)} NOTIFY_PID:${pad(pid, 6)}\n`;
    return Uint8Array.from(text, (char) => char.charCodeAt(0));
  }
}

function pad(value: number, width: number): string {
  return String(value).padEnd(width);
}
