/** Proportional Rate Reduction, RFC 6937: lowers the window evenly over the recovery. */
export class Prr {
  #priorCwndBytes = 0;
  #deliveredBytes = 0;
  /** Bytes sent in this recovery. */
  outBytes = 0;

  start(cwndBytes: number): void {
    this.#priorCwndBytes = cwndBytes;
    this.#deliveredBytes = 0;
    this.outBytes = 0;
  }

  /** The window after an acknowledgement. `isSafe`: it advanced, and nothing more was lost. */
  windowBytes(
    inFlightBytes: number,
    deliveredBytes: number,
    isSafe: boolean,
    ssthreshBytes: number,
    mssBytes: number,
  ): number {
    this.#deliveredBytes += deliveredBytes;
    let sendBytes: number;
    if (inFlightBytes > ssthreshBytes) {
      sendBytes = Math.ceil((this.#deliveredBytes * ssthreshBytes) / this.#priorCwndBytes) - this.outBytes;
    } else {
      const limit = Math.max(this.#deliveredBytes - this.outBytes, deliveredBytes) + (isSafe ? mssBytes : 0);
      sendBytes = Math.min(ssthreshBytes - inFlightBytes, limit);
    }
    // The first retransmission always goes out.
    const leastBytes = this.outBytes === 0 ? mssBytes : 0;
    return inFlightBytes + Math.max(sendBytes, leastBytes);
  }
}
