import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM, S_IFREG, type Errno } from '@tsv/abi';
import { SyntheticInode, type Caller, type OpenFile, type VfsPath } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import type { Task } from '../../task/task.js';
import type { MqNotification } from './mq-notification.js';
import { MqWait, MqWaiters, type MqMessage } from './mq-waiters.js';
import { MqueueFile } from './mqueue-file.js';
import type { MqueueFileSystem } from './mqueue-file-system.js';

/** `struct mq_attr` of a queue: how much it can hold. */
export interface MqAttributes {
  readonly messageCountMax: number;
  readonly messageBytesMax: number;
}

/** FILENT_SIZE: what stat(2) says that a queue's file has. */
const FILE_BYTES = 80;

/** A POSIX message queue, mq_overview(7): a file of the mqueue filesystem. */
export class PosixQueue extends SyntheticInode {
  declare readonly fs: MqueueFileSystem;
  readonly attributes: MqAttributes;
  /** Told of readiness, poll(2). */
  readonly changed = new WaitQueue();
  readonly senders = new MqWaiters();
  readonly receivers = new MqWaiters();
  notification: MqNotification | null = null;
  /** Bytes in messages. */
  byteCount = 0;
  /** By rising priority, later ones before earlier ones of the same: the last is the next. */
  readonly #messages: MqMessage[] = [];
  #refCount = 0;
  readonly #onGone: () => void;

  /** `onGone` is called when it has no name and nobody holds it. */
  constructor(fs: MqueueFileSystem, permissions: number, attributes: MqAttributes, onGone: () => void) {
    super(fs, S_IFREG | permissions);
    this.attributes = attributes;
    this.sizeBytes = FILE_BYTES;
    this.#onGone = onGone;
  }

  get messageCount(): number {
    return this.#messages.length;
  }

  get isFull(): boolean {
    return this.#messages.length >= this.attributes.messageCountMax;
  }

  /** Events that are true now, poll(2). */
  readiness(): number {
    return (this.messageCount > 0 ? POLLIN | POLLRDNORM : 0) | (this.isFull ? 0 : POLLOUT | POLLWRNORM);
  }

  /** `sender` sends a message; there is room. Who waits longest to receive gets it. */
  send(sender: Task, message: MqMessage): void {
    const receiver = this.receivers.takeFirst();
    if (receiver !== null) {
      receiver.message = message;
      receiver.finish();
    } else {
      this.#insert(message);
      if (this.messageCount === 1) this.#notify(sender);
      this.changed.notify(POLLIN | POLLRDNORM);
    }
    this.#stamp();
  }

  /** Takes the oldest message of the highest priority out, null for none. Who waits longest to send can do so. */
  receive(): MqMessage | null {
    const message = this.#messages.pop();
    if (message === undefined) return null;
    this.byteCount -= message.bytes.length;
    const sender = this.senders.takeFirst();
    if (sender === null) {
      this.changed.notify(POLLOUT | POLLWRNORM);
    } else {
      this.#insert(sender.message!);
      sender.finish();
    }
    this.#stamp();
    return message;
  }

  /** `task` waits with `message` at the end of `waiters`. */
  wait(task: Task, waiters: MqWaiters, message: MqMessage | null): MqWait {
    const wait = new MqWait(task, message);
    waiters.add(wait);
    return wait;
  }

  /** The registration of the process of `task` ends, if it has one. */
  withdrawNotification(task: Task): void {
    const { notification } = this;
    if (notification?.owner !== task.threadGroup) return;
    this.notification = null;
    notification.withdraw();
  }

  override open(path: VfsPath | null, flags: number, _caller: Caller): OpenFile | Errno {
    return new MqueueFile(this, path, flags);
  }

  override incRef(): void {
    this.#refCount++;
  }

  override decRef(): void {
    this.#refCount--;
    if (this.#refCount < 0) throw new Error('PosixQueue.decRef: no reference is left');
    this.#releaseIfUnused();
  }

  /** Its name is gone, mq_unlink(2). */
  dropName(): void {
    this.nlink = 0;
    this.fs.stampNow(this.ctime);
    this.#releaseIfUnused();
  }

  #insert(message: MqMessage): void {
    let [low, high] = [0, this.#messages.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#messages[middle]!.priority < message.priority) low = middle + 1;
      else high = middle;
    }
    this.#messages.splice(low, 0, message);
    this.byteCount += message.bytes.length;
  }

  #notify(sender: Task): void {
    const { notification } = this;
    this.notification = null;
    notification?.messageCame(sender);
  }

  #stamp(): void {
    for (const time of [this.atime, this.mtime, this.ctime]) this.fs.stampNow(time);
  }

  #releaseIfUnused(): void {
    if (this.#refCount === 0 && this.nlink === 0) this.#onGone();
  }
}
