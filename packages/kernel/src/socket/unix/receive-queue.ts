import type { IoBuffer, OpenFile } from '@tsv/vfs';
import type { SocketMessage } from '../socket-message.js';

/** What a unix(7) socket has received and nobody has read. */
export interface ReceiveQueue {
  /** Bytes in it, against the sender's SO_SNDBUF. */
  readonly usedBytes: number;
  readonly isEmpty: boolean;
  /** Bytes of the next read, SIOCINQ. */
  readonly nextBytes: number;
  /**
   * Takes bytes from `io`, and over from `message` what is beside them. Returns how many. Errors: EAGAIN when
   * `limitBytes` are used, EFAULT, EMSGSIZE.
   */
  put(io: IoBuffer, limitBytes: number, message: SocketMessage): number;
  /**
   * Gives bytes to `io` and what is beside them to `message`; with `isPeek` they stay, and the first `offset` of them
   * are passed over. With `separatesSenders` bytes of different senders do not come together. Returns how many.
   * Errors: EAGAIN when it is empty, EFAULT.
   */
  take(io: IoBuffer, message: SocketMessage, isPeek: boolean, offset: number, separatesSenders: boolean): number;
  /** The open files in it. */
  rights(): IterableIterator<OpenFile>;
  /** Drops everything. Returns how many open files were in it. */
  clear(): number;
}
