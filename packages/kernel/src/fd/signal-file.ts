import { EAGAIN, EINVAL, O_NONBLOCK, O_RDWR, POLLIN, POLLRDNORM, SIZEOF_SIGNALFD_SIGINFO } from '@tsv/abi';
import { OpenFile, type Inode, type IoBuffer } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import type { Kernel } from '../kernel.js';
import { SigSet } from '../signal/sig-set.js';
import type { Task } from '../task/task.js';
import { storeSignalfdInfo } from './signalfd-info.js';

const info = new Uint8Array(SIZEOF_SIGNALFD_SIGINFO);
const infoView = new DataView(info.buffer);

/** Signals as a file, signalfd(2). It gives the pending signals of whoever reads or polls, not of its maker. */
export class SignalFile extends OpenFile {
  readonly #kernel: Kernel;
  readonly #mask = new SigSet();

  /** `flags` may have O_NONBLOCK. */
  constructor(inode: Inode, kernel: Kernel, flags: number) {
    super(inode, null, O_RDWR | (flags & O_NONBLOCK));
    this.#kernel = kernel;
  }

  override get waiters(): WaitQueue {
    return this.#reader().threadGroup.signalArrived;
  }

  /** It has no offset, but lseek(2) succeeds, as on Linux. */
  override seek(): number {
    return 0;
  }

  override readiness(): number {
    return this.#reader().signals.hasPending(this.#mask.low, this.#mask.high) ? POLLIN | POLLRDNORM : 0;
  }

  get mask(): Readonly<SigSet> {
    return this.#mask;
  }

  /** Sets the signals that it gives. Its waiters look again: one of them may be pending. */
  setMask(low: number, high: number): void {
    this.#mask.set(low, high);
    this.waiters.notify(POLLIN | POLLRDNORM);
  }

  /** Reads as many signals as fit. Errors: EAGAIN, EFAULT, EINVAL for a buffer too small for one. */
  override read(io: IoBuffer): number {
    if (io.remaining < SIZEOF_SIGNALFD_SIGINFO) return -EINVAL;
    const { signals } = this.#reader();
    let moved = 0;
    while (io.remaining >= SIZEOF_SIGNALFD_SIGINFO) {
      const taken = signals.takeOf(this.#mask.low, this.#mask.high);
      if (taken === null) break;
      storeSignalfdInfo(infoView, taken);
      const n = io.put(info, 0, SIZEOF_SIGNALFD_SIGINFO);
      if (n < 0) return moved > 0 ? moved : n;
      moved += n;
    }
    return moved > 0 ? moved : -EAGAIN;
  }

  override write(): number {
    return -EINVAL;
  }

  #reader(): Task {
    return this.#kernel.current!;
  }
}
