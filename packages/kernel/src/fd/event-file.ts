import { EAGAIN, EINVAL, O_NONBLOCK, O_RDWR, POLLERR, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from '@tsv/abi';
import { OpenFile, type Inode, type IoBuffer } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';

const VALUE_BYTES = 8;
const value = new Uint8Array(VALUE_BYTES);
const valueView = new DataView(value.buffer);
const HALF_MAX = 0xffff_ffff;

/** An event counter, eventfd(2): an unsigned 64-bit number in two halves. */
export class EventFile extends OpenFile {
  readonly #queue = new WaitQueue();
  readonly #isSemaphore: boolean;
  #low: number;
  #high = 0;

  /** `flags` may have O_NONBLOCK. */
  constructor(inode: Inode, initial: number, isSemaphore: boolean, flags: number) {
    super(inode, null, O_RDWR | (flags & O_NONBLOCK));
    this.#low = initial;
    this.#isSemaphore = isSemaphore;
  }

  override get waiters(): WaitQueue {
    return this.#queue;
  }

  /** The counter, rounded beyond 2^53. */
  get count(): number {
    return this.#high * 2 ** 32 + this.#low;
  }

  /** It has no offset, but lseek(2) succeeds, as on Linux. */
  override seek(): number {
    return 0;
  }

  override readiness(): number {
    let events = 0;
    if (!this.#isZero()) events |= POLLIN | POLLRDNORM;
    if (this.#high === HALF_MAX && this.#low === HALF_MAX) events |= POLLERR;
    if (this.#high < HALF_MAX || this.#low < HALF_MAX - 1) events |= POLLOUT | POLLWRNORM;
    return events;
  }

  /** Errors: EAGAIN, EFAULT, EINVAL for a buffer of less than 8 bytes. */
  override read(io: IoBuffer): number {
    if (io.remaining < VALUE_BYTES) return -EINVAL;
    if (this.#isZero()) return -EAGAIN;
    valueView.setUint32(0, this.#isSemaphore ? 1 : this.#low, true);
    valueView.setUint32(4, this.#isSemaphore ? 0 : this.#high, true);
    if (!this.#isSemaphore) {
      this.#low = 0;
      this.#high = 0;
    } else if (this.#low > 0) {
      this.#low--;
    } else {
      this.#low = HALF_MAX;
      this.#high--;
    }
    this.#queue.notify(POLLOUT | POLLWRNORM);
    return io.put(value, 0, VALUE_BYTES);
  }

  /** Errors: EAGAIN when the counter would pass 2^64 - 2, EFAULT, EINVAL for less than 8 bytes and for 2^64 - 1. */
  override write(io: IoBuffer): number {
    if (io.remaining < VALUE_BYTES) return -EINVAL;
    const moved = io.take(value, 0, VALUE_BYTES);
    if (moved < 0) return moved;
    return this.add(valueView.getUint32(0, true), valueView.getUint32(4, true)) ?? VALUE_BYTES;
  }

  /** Adds to the counter; null, or the errors of {@link write}. */
  add(low: number, high: number): number | null {
    if (low === HALF_MAX && high === HALF_MAX) return -EINVAL;
    const lowSum = this.#low + low;
    const newLow = lowSum >>> 0;
    const newHigh = this.#high + high + (lowSum > HALF_MAX ? 1 : 0);
    if (newHigh > HALF_MAX || (newHigh === HALF_MAX && newLow === HALF_MAX)) return -EAGAIN;
    this.#low = newLow;
    this.#high = newHigh;
    if (!this.#isZero()) this.#queue.notify(POLLIN | POLLRDNORM);
    return null;
  }

  #isZero(): boolean {
    return this.#low === 0 && this.#high === 0;
  }
}
