import type { Receiver } from './receiver.js';

/** Dynamic right-sizing of the receive buffer: `tcp_rcv_space_adjust()`, on what the application reads in a round trip. */
export class ReceiveTuner {
  /** Most that the buffer may grow to; 0 when SO_RCVBUF has fixed its size. */
  bytesMax = 0;
  rttMs = 0;
  #spaceBytes = 0;
  #sinceMs = 0;
  #readBytes = 0;

  start(spaceBytes: number, nowMs: number): void {
    this.#spaceBytes = spaceBytes;
    this.#sinceMs = nowMs;
  }

  /** A round trip as the receiver sees it, by timestamps. */
  onRtt(rttMs: number): void {
    this.rttMs = this.rttMs === 0 ? rttMs : Math.min(rttMs, this.rttMs + (rttMs - this.rttMs) / 8);
  }

  /** The application has read `len` bytes. Makes the buffer hold what it would read in two round trips. */
  onRead(len: number, receiver: Receiver, nowMs: number): void {
    this.#readBytes += len;
    if (this.bytesMax === 0 || nowMs - this.#sinceMs < Math.max(this.rttMs, 1)) return;
    const readBytes = this.#readBytes;
    if (readBytes > this.#spaceBytes) {
      const growth = this.#spaceBytes > 0 ? (readBytes - this.#spaceBytes) / this.#spaceBytes : 1;
      const wanted = (2 * readBytes + 16 * receiver.peerMssBytes) * (1 + 2 * Math.min(growth, 1));
      receiver.bufferBytesMax = Math.min(Math.max(receiver.bufferBytesMax, Math.ceil(wanted)), this.bytesMax);
      this.#spaceBytes = readBytes;
    }
    this.#readBytes = 0;
    this.#sinceMs = nowMs;
  }
}
