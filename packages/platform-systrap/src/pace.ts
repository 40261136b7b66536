/** How spinning has gone: below 0 the sentry comes near, and after a new try the first miss is enough for that. */
const SCORE_MAX = 32;
const SCORE_FIRST = 16;
/** What a miss counts: it costs some 50 us, what a call costs more near than far is 5. */
const MISS_COST = 10;
/** Handovers between two looks whether it is time to try again. */
const HANDOVERS_PER_LOOK = 64;
/** After how long spinning is tried again: longer and longer while that is in vain. */
const RETRY_MS_MIN = 10;
const RETRY_MS_MAX = 640;
/** Spinning that has gone well for so long was worth trying. */
const GOOD_MS = 200;

/**
 * Decides between the two ways to wait for guests. *Far*: guests and the sentry have a processor each and look for each
 * other's answers. *Near*: they hand one processor to each other. Far is many times faster where it works, and many times slower
 * where somebody else takes the processors.
 */
export class Pace {
  isNear = false;
  #score = SCORE_FIRST;
  #handoverCount = 0;
  #retryMs = RETRY_MS_MIN;
  #retryAtMs = 0;
  #farSinceMs = 0;

  /** A guest stopped while the sentry looked. */
  found(): void {
    if (this.#score < SCORE_MAX) this.#score++;
  }

  /** A guest stopped soon after looking was in vain, or slept when it was answered, or there are more guests than processors. Returns whether to come near. */
  missed(): boolean {
    this.#score -= MISS_COST;
    return this.#score < 0;
  }

  comeNear(nowMs: number): void {
    this.isNear = true;
    const wasGood = nowMs - this.#farSinceMs >= GOOD_MS;
    this.#retryMs = wasGood ? RETRY_MS_MIN : Math.min(RETRY_MS_MAX, this.#retryMs * 2);
    this.#retryAtMs = nowMs + this.#retryMs;
    this.#handoverCount = 0;
  }

  goFar(nowMs: number): void {
    this.isNear = false;
    this.#farSinceMs = nowMs;
    this.#score = 0;
  }

  /** Counts a handover. Returns whether it is time to ask {@link mayRetry}. */
  handedOver(): boolean {
    return ++this.#handoverCount % HANDOVERS_PER_LOOK === 0;
  }

  mayRetry(nowMs: number): boolean {
    return nowMs >= this.#retryAtMs;
  }
}
