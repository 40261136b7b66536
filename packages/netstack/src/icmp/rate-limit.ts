import { AddressMap } from '../net/address-map.js';
import type { IpAddress } from '../wire/ip-address.js';

/** icmp_msgs_per_sec and icmp_msgs_burst of ip-sysctl. */
const GLOBAL_PER_SEC = 1000;
const GLOBAL_BURST = 50;
/** icmp_ratelimit: one message a second to one destination, and a burst of six. */
const DESTINATION_PER_SEC = 1;
const DESTINATION_BURST = 6;
const DESTINATION_COUNT_MAX = 1024;

/** Tokens that come at a rate and are kept up to a burst. */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #filledMs: number;

  constructor(perSec: number, burst: number, nowMs: number) {
    this.#perMs = perSec / 1000;
    this.#burst = burst;
    this.#tokens = burst;
    this.#filledMs = nowMs;
  }

  /** Takes `count` tokens; false, and none taken, if there are not so many. */
  take(count: number, nowMs: number): boolean {
    this.#fill(nowMs);
    if (this.#tokens < count) return false;
    this.#tokens -= count;
    return true;
  }

  /** When `count` tokens, up to the burst, will be there. */
  readyAtMs(count: number, nowMs: number): number {
    this.#fill(nowMs);
    return this.#tokens >= count ? nowMs : nowMs + (count - this.#tokens) / this.#perMs;
  }

  #fill(nowMs: number): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (nowMs - this.#filledMs) * this.#perMs);
    this.#filledMs = nowMs;
  }
}

/** Limits the errors that a stack sends, RFC 1812 section 4.3.2.8 and RFC 4443 section 2.4 (f). */
export class IcmpRateLimit {
  readonly #global: TokenBucket;
  readonly #byDestination: AddressMap<TokenBucket>;

  constructor(nowMs: number, seed: number) {
    this.#global = new TokenBucket(GLOBAL_PER_SEC, GLOBAL_BURST, nowMs);
    this.#byDestination = new AddressMap(seed);
  }

  /** Whether an error may go to `dst` now; if so it is counted. */
  allows(dst: IpAddress, nowMs: number): boolean {
    let bucket = this.#byDestination.get(dst);
    if (bucket === undefined) {
      if (this.#byDestination.count >= DESTINATION_COUNT_MAX) this.#byDestination.clear();
      bucket = new TokenBucket(DESTINATION_PER_SEC, DESTINATION_BURST, nowMs);
      this.#byDestination.set(dst, bucket);
    }
    return bucket.take(1, nowMs) && this.#global.take(1, nowMs);
  }
}
