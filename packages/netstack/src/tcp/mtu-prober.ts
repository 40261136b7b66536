import type { TcpSettings } from './tcp-settings.js';

/** A search this close is over: `tcp_probe_threshold`. */
const SEARCH_BYTES_MIN = 8;
/** How long a found size is kept before larger ones are tried again: `tcp_probe_interval`. */
const SEARCH_AGAIN_MS = 600_000;
/** Timeouts in a row that make a path a suspected black hole: `tcp_retries1`. */
const BLACK_HOLE_RETRIES = 3;
/** Segments in flight or waiting that make a lost probe quick to find. */
const SEGMENTS_MIN = 11;
const SEGMENTS_BEHIND = 4;

/**
 * Packetization layer path MTU discovery, RFC 4821: looks for the largest segment that arrives by sending some that are
 * larger than the others, and falls back when nothing arrives, without any help of ICMP. Sizes are bytes of text.
 */
export class MtuProber {
  /** 0 never, 1 when a black hole is suspected, 2 from the start: tcp_mtu_probing. */
  mode: 0 | 1 | 2 = 0;
  /** Where the search starts, and what is never gone below. */
  baseBytes = 1024;
  leastBytes = 48;
  /** The probe that is out; 0 if none is. */
  probeBytes = 0;
  isSearching = false;
  #ceilingBytes = 0;
  #lowBytes = 0;
  #highBytes = 0;
  #settledMs = Infinity;

  /** Nothing was sent yet; segments have `mssBytes`. */
  start(settings: Readonly<TcpSettings>, mssBytes: number): void {
    this.mode = settings.mtuProbing;
    this.baseBytes = settings.mtuProbeBaseMss;
    this.leastBytes = settings.mssBytesMin;
    this.probeBytes = 0;
    this.#ceilingBytes = mssBytes;
    this.#highBytes = mssBytes;
    this.#lowBytes = 0;
  }

  /** The link takes segments of `mssBytes`. Returns what to send by default. */
  setCeiling(mssBytes: number): number {
    this.#ceilingBytes = mssBytes;
    this.#highBytes = mssBytes;
    this.#lowBytes = Math.min(this.#lowBytes, mssBytes);
    if (this.mode === 2 && !this.isSearching) this.#search();
    return this.isSearching ? this.#lowBytes : mssBytes;
  }

  /** How long a probe should go out now; 0 for none. `unsentBytes`, `windowBytes`: what there is, and may be sent. */
  nextProbe(unsentBytes: number, windowBytes: number, cwndBytes: number, mssBytes: number, nowMs: number): number {
    if (!this.isSearching || this.probeBytes > 0 || cwndBytes < SEGMENTS_MIN * mssBytes) return 0;
    if (this.#highBytes - this.#lowBytes < SEARCH_BYTES_MIN) {
      this.#settle(nowMs);
      return 0;
    }
    // The first try is the whole way: most paths take it.
    const isFirst = this.#highBytes === this.#ceilingBytes;
    const wanted = isFirst ? this.#highBytes : (this.#lowBytes + this.#highBytes + 1) >> 1;
    const neededBytes = wanted + SEGMENTS_BEHIND * mssBytes;
    const isAffordable = unsentBytes >= neededBytes && windowBytes >= neededBytes && cwndBytes >= neededBytes;
    return isAffordable ? wanted : 0;
  }

  /** The probe arrived. Returns the new segment size. */
  onDelivered(): number {
    this.#lowBytes = Math.max(this.#lowBytes, this.probeBytes);
    this.probeBytes = 0;
    return this.#lowBytes;
  }

  /** The probe alone was lost: it was too large. */
  onLost(): void {
    this.#highBytes = Math.max(this.probeBytes - 1, this.#lowBytes);
    this.probeBytes = 0;
  }

  /** Everything is in doubt: a timeout tells nothing of the probe. Returns a smaller size to try, or 0. */
  onTimeout(retryCount: number, mssBytes: number): number {
    this.probeBytes = 0;
    if (this.mode === 0 || retryCount < BLACK_HOLE_RETRIES) return 0;
    if (!this.isSearching) this.#search();
    else this.#lowBytes = Math.max(Math.min(this.#lowBytes >> 1, this.baseBytes), this.leastBytes);
    return this.#lowBytes < mssBytes ? this.#lowBytes : 0;
  }

  #search(): void {
    this.isSearching = true;
    this.#lowBytes = Math.min(this.baseBytes, this.#ceilingBytes);
  }

  #settle(nowMs: number): void {
    if (this.#settledMs === Infinity) {
      this.#settledMs = nowMs;
    } else if (nowMs - this.#settledMs >= SEARCH_AGAIN_MS) {
      this.#settledMs = Infinity;
      this.#highBytes = this.#ceilingBytes;
    }
  }
}
