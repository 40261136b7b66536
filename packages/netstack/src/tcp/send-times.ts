import type { Sender } from './sender.js';
import { seqDiff } from './sequence.js';

/** What holds up the text that is queued: `enum tcp_chrono` of linux/tcp.h. */
export const SendLimit = { NONE: 0, NETWORK: 1, PEER_WINDOW: 2, BUFFER: 3 } as const;
export type SendLimit = (typeof SendLimit)[keyof typeof SendLimit];

/** What holds up `sender` now: nothing is queued, the network, the peer's window, or that there is no room to queue more. */
export function sendLimitOf(sender: Sender): SendLimit {
  if (sender.ring.len === 0) return SendLimit.NONE;
  const unsent = sender.unsentBytes;
  if (unsent === 0) return sender.freeBytes === 0 ? SendLimit.BUFFER : SendLimit.NETWORK;
  const next = Math.min(unsent, sender.mssBytes);
  const window = seqDiff((sender.sndUna + sender.sndWnd) | 0, sender.sndNxt);
  const mayGo = sender.cc.cwndBytes - sender.queue.inFlightBytes >= next;
  return mayGo && window < next ? SendLimit.PEER_WINDOW : SendLimit.NETWORK;
}

/** How long a connection had text to send, and what it waited for: tcpi_busy_time and those behind it, in milliseconds. */
export class SendTimes {
  #limit: SendLimit = SendLimit.NONE;
  #sinceMs = 0;
  #networkMs = 0;
  #windowMs = 0;
  #bufferMs = 0;

  /** From now on `limit` holds. */
  note(limit: SendLimit, nowMs: number): void {
    if (limit !== this.#limit) this.#count(limit, Math.floor(nowMs));
  }

  /** Time with text, whatever it waited for. */
  busyMs(nowMs: number): number {
    this.#count(this.#limit, Math.floor(nowMs));
    return this.#networkMs + this.#windowMs + this.#bufferMs;
  }

  get windowLimitedMs(): number {
    return this.#windowMs;
  }

  get bufferLimitedMs(): number {
    return this.#bufferMs;
  }

  #count(next: SendLimit, nowMs: number): void {
    const passedMs = nowMs - this.#sinceMs;
    if (this.#limit === SendLimit.NETWORK) this.#networkMs += passedMs;
    else if (this.#limit === SendLimit.PEER_WINDOW) this.#windowMs += passedMs;
    else if (this.#limit === SendLimit.BUFFER) this.#bufferMs += passedMs;
    this.#limit = next;
    this.#sinceMs = nowMs;
  }
}
