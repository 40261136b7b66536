import { EAGAIN, EINVAL, O_NONBLOCK, O_RDWR, POLLIN, POLLRDNORM } from '@tsv/abi';
import { Timer, type Clock, type TimerQueue } from '@tsv/clock';
import { OpenFile, type Inode, type IoBuffer } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';

const COUNT_BYTES = 8;
const count = new Uint8Array(COUNT_BYTES);
const countView = new DataView(count.buffer);

class FileTimer extends Timer {
  readonly #file: TimerFile;
  constructor(file: TimerFile) {
    super();
    this.#file = file;
  }
  fired(): void {
    this.#file.expired();
  }
}

/** A timer that is read, timerfd_create(2). */
export class TimerFile extends OpenFile {
  readonly #queue = new WaitQueue();
  readonly #timers: TimerQueue;
  readonly #clock: Clock;
  readonly #timer = new FileTimer(this);
  /** Whether absolute times are of the realtime clock. */
  readonly isRealtime: boolean;
  /** Monotonic time of the next expiration, Infinity while disarmed. */
  #nextMs = Infinity;
  #intervalMs = 0;
  /** Expirations not yet read. */
  #tickCount = 0;

  /** `flags` may have O_NONBLOCK. */
  constructor(inode: Inode, clock: Clock, timers: TimerQueue, isRealtime: boolean, flags: number) {
    super(inode, null, O_RDWR | (flags & O_NONBLOCK));
    this.#clock = clock;
    this.#timers = timers;
    this.isRealtime = isRealtime;
  }

  override get waiters(): WaitQueue {
    return this.#queue;
  }

  /** It has no offset, but lseek(2) succeeds, as on Linux. */
  override seek(): number {
    return 0;
  }

  override readiness(): number {
    return this.#tickCount > 0 ? POLLIN | POLLRDNORM : 0;
  }

  /** Errors: EAGAIN, EFAULT, EINVAL for a buffer of less than 8 bytes. */
  override read(io: IoBuffer): number {
    if (io.remaining < COUNT_BYTES) return -EINVAL;
    if (this.#tickCount === 0) return -EAGAIN;
    this.#countMissed();
    countView.setUint32(0, this.#tickCount >>> 0, true);
    countView.setUint32(4, Math.floor(this.#tickCount / 2 ** 32), true);
    this.#tickCount = 0;
    this.#timers.arm(this.#timer, this.#nextMs);
    return io.put(count, 0, COUNT_BYTES);
  }

  override write(): number {
    return -EINVAL;
  }

  get intervalMs(): number {
    return this.#intervalMs;
  }

  /** Milliseconds until the next expiration, 0 while disarmed. */
  get remainingMs(): number {
    if (this.#nextMs === Infinity) return 0;
    this.#countMissed();
    return Math.max(SMALLEST_MS, this.#nextMs - this.#clock.monotonicMs());
  }

  /** Expirations not yet read, for /proc/PID/fdinfo. */
  get tickCount(): number {
    return this.#tickCount;
  }

  /** Arms the timer, or disarms it if `valueMs` is 0. An absolute value is on the timer's clock. */
  set(valueMs: number, intervalMs: number, isAbsolute: boolean): void {
    const nowMs = this.#clock.monotonicMs();
    this.#tickCount = 0;
    this.#intervalMs = valueMs === 0 ? 0 : intervalMs;
    if (valueMs === 0) this.#nextMs = Infinity;
    else if (!isAbsolute) this.#nextMs = nowMs + valueMs;
    else this.#nextMs = this.isRealtime ? nowMs + valueMs - this.#clock.realtimeMs() : valueMs;
    if (this.#nextMs <= nowMs) this.expired();
    else this.#timers.arm(this.#timer, this.#nextMs);
  }

  /** An expiration is due. Those that follow are counted when somebody looks: a timer that nobody reads costs nothing. */
  expired(): void {
    this.#tickCount++;
    this.#nextMs = this.#intervalMs === 0 ? Infinity : this.#nextMs + this.#intervalMs;
    this.#timers.disarm(this.#timer);
    this.#queue.notify(POLLIN | POLLRDNORM);
  }

  /** Counts the expirations since the first one that nobody has read. */
  #countMissed(): void {
    const nowMs = this.#clock.monotonicMs();
    if (this.#tickCount === 0 || this.#nextMs > nowMs) return;
    const periods = Math.floor((nowMs - this.#nextMs) / this.#intervalMs) + 1;
    this.#tickCount += periods;
    this.#nextMs += periods * this.#intervalMs;
  }

  protected override release(): void {
    this.#timers.disarm(this.#timer);
  }
}

/** An armed timer is never shown as disarmed. */
const SMALLEST_MS = 1e-6;
