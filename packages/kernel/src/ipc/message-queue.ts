import {
  MSG_CBYTES,
  MSG_CTIME,
  MSG_LRPID,
  MSG_LSPID,
  MSG_QBYTES,
  MSG_QNUM,
  MSG_RTIME,
  MSG_STIME,
  storeI64,
} from '@tsv/abi';
import { WaitQueue } from '@tsv/waiter';
import type { Pid } from '../namespace/pid.js';
import type { Task } from '../task/task.js';
import { IpcObject, nowSeconds } from './ipc-object.js';

/** Bytes of a message, MSGMAX, and of a queue until somebody sets it otherwise, MSGMNB. */
export const MESSAGE_BYTES_MAX = 8192;
export const QUEUE_BYTES_MAX = 16384;

/** A message: its type as two halves (it is the guest's `long`), and its text. */
export interface Message {
  /** 1 or more; exact below 2^53 and in order above. */
  readonly type: number;
  readonly text: Uint8Array;
}

/** A System V message queue, msgget(2). */
export class MessageQueue extends IpcObject {
  readonly messages: Message[] = [];
  byteCount = 0;
  byteCountMax = QUEUE_BYTES_MAX;
  sentAt = 0;
  receivedAt = 0;
  lastSender: Pid | null = null;
  lastReceiver: Pid | null = null;
  /** Told (POLLIN) when a message came, (POLLOUT) when there is room, and both when the queue is removed. */
  readonly changed = new WaitQueue();

  hasRoom(byteCount: number): boolean {
    return this.byteCount + byteCount <= this.byteCountMax && this.messages.length < this.byteCountMax;
  }

  send(task: Task, message: Message): void {
    this.messages.push(message);
    this.byteCount += message.text.length;
    this.sentAt = nowSeconds(task);
    this.lastSender = task.threadGroup.leader.threadPid;
  }

  /**
   * Index of the message that msgrcv(2) takes for `type`: 0 the first, above the first of that type (or of any other,
   * `isExcept`), below the first of the lowest type up to the absolute value. -1 for none.
   */
  find(type: number, isExcept: boolean): number {
    if (type === 0) return this.messages.length > 0 ? 0 : -1;
    if (type > 0) return this.messages.findIndex((message) => (message.type === type) !== isExcept);
    let found = -1;
    for (const [index, message] of this.messages.entries()) {
      if (message.type <= -type && (found < 0 || message.type < this.messages[found]!.type)) found = index;
    }
    return found;
  }

  /** Takes the message at `index` out. */
  take(task: Task, index: number): void {
    const [message] = this.messages.splice(index, 1);
    this.byteCount -= message!.text.length;
    this.receivedAt = nowSeconds(task);
    this.lastReceiver = task.threadGroup.leader.threadPid;
  }

  /** Stores a `struct msqid64_ds` as `task` sees it; the memory is zero. */
  store(task: Task, mem: DataView, at: number): void {
    this.storePerm(task, mem, at);
    storeI64(mem, at + MSG_STIME, this.sentAt);
    storeI64(mem, at + MSG_RTIME, this.receivedAt);
    storeI64(mem, at + MSG_CTIME, this.changedAt);
    storeI64(mem, at + MSG_CBYTES, this.byteCount);
    storeI64(mem, at + MSG_QNUM, this.messages.length);
    storeI64(mem, at + MSG_QBYTES, this.byteCountMax);
    mem.setInt32(at + MSG_LSPID, this.lastSender?.in(task.pidNs) ?? 0, true);
    mem.setInt32(at + MSG_LRPID, this.lastReceiver?.in(task.pidNs) ?? 0, true);
  }
}
