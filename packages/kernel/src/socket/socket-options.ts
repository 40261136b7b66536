/** Default and largest buffer sizes: /proc/sys/net/core/{r,w}mem_{default,max}. */
export const BUFFER_BYTES_DEFAULT = 212992;
export const BUFFER_BYTES_MAX = 212992;
/** Smallest sizes that SO_SNDBUF and SO_RCVBUF give, socket(7). */
export const SEND_BYTES_MIN = 4608;
export const RECEIVE_BYTES_MIN = 2304;

/** The SOL_SOCKET options that every socket keeps, socket(7). */
export class SocketOptions {
  /** Bits of on-off options, by their SO_* number below 64. */
  #low = 0;
  #high = 0;
  /** SO_SNDBUF and SO_RCVBUF, as getsockopt(2) tells them: twice what was asked for. */
  sendBytes = BUFFER_BYTES_DEFAULT;
  receiveBytes = BUFFER_BYTES_DEFAULT;
  receiveLowWater = 1;
  /** SO_RCVTIMEO and SO_SNDTIMEO; Infinity for none. */
  receiveTimeoutMs = Infinity;
  sendTimeoutMs = Infinity;
  isLingering = false;
  lingerSeconds = 0;
  priority = 0;
  mark = 0;
  /** SO_TIMESTAMPING, SOF_TIMESTAMPING_* bits. */
  timestamping = 0;
  /** SO_PEEK_OFF: where MSG_PEEK begins, -1 for the front. */
  peekOffset = -1;

  has(name: number): boolean {
    return name < 32 ? ((this.#low >>> name) & 1) !== 0 : ((this.#high >>> (name - 32)) & 1) !== 0;
  }

  set(name: number, isOn: boolean): void {
    const bit = 1 << (name & 31);
    if (name < 32) this.#low = isOn ? this.#low | bit : this.#low & ~bit;
    else this.#high = isOn ? this.#high | bit : this.#high & ~bit;
  }

  /** What an accepted socket inherits from the one that listens. */
  copyFrom(other: SocketOptions): void {
    this.#low = other.#low;
    this.#high = other.#high;
    this.sendBytes = other.sendBytes;
    this.receiveBytes = other.receiveBytes;
    this.receiveLowWater = other.receiveLowWater;
    this.receiveTimeoutMs = other.receiveTimeoutMs;
    this.sendTimeoutMs = other.sendTimeoutMs;
    this.isLingering = other.isLingering;
    this.lingerSeconds = other.lingerSeconds;
    this.priority = other.priority;
    this.mark = other.mark;
    this.timestamping = other.timestamping;
  }
}
