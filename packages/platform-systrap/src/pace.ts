/** What a stop that the sentry saw while it spun has saved, compared with one that is handed over near. */
const SAVED_US = 2.5;
/** The same with more guests than processors: near, each stop is two switches of the host. */
const SAVED_IN_CROWD_US = 5;
/** What it costs to wake a thread on another processor. */
export const WAKE_US = 50;
/** What spinning may lose in a row when it is new or has saved much, and when it is tried again. */
const CREDIT_MAX_US = 20_000;
const CREDIT_RETRY_US = 1000;
/** Handovers between two looks whether it is time to try again. */
const HANDOVERS_PER_LOOK = 64;
/** After how long spinning is tried again: longer and longer while that is in vain. */
const RETRY_MS_MIN = 5;
const RETRY_MS_MAX = 40;
/**
 * How long the sentry is near at first. A loop that spins is hot at once, and V8 takes 15 ms of another processor to optimize
 * it, where the guest would run: as long as many programs take.
 */
const FIRST_NEAR_MS = 20;
/** Spinning that has gone well for so long was worth trying. */
const GOOD_MS = 200;

/**
 * Decides between the two ways to wait for guests. *Far*: guests and the sentry have a processor each and look for each
 * other's answers. *Near*: they hand one processor to each other. Far is many times faster where it works, and slower where
 * somebody else takes the processors. What far has saved and lost is an account in microseconds: when nothing is left of it,
 * the sentry comes near.
 */
export class Pace {
  isNear = true;
  #creditUs = CREDIT_MAX_US;
  /** What spinning may lose when it is tried next. */
  #nextCreditUs = CREDIT_MAX_US;
  #handoverCount = 0;
  #retryMs = RETRY_MS_MIN;
  #retryAtMs = 0;
  #farSinceMs = 0;

  /** Whether spinning was not tried yet. */
  get isNew(): boolean {
    return this.isNear && this.#nextCreditUs === CREDIT_MAX_US;
  }

  /** The first guest is about to run. */
  begin(nowMs: number): void {
    this.#retryAtMs = nowMs + FIRST_NEAR_MS;
  }

  /** A guest stopped while the sentry looked. */
  found(): void {
    if (this.#creditUs < CREDIT_MAX_US) this.#creditUs += SAVED_US;
  }

  /**
   * A guest stopped after the sentry had looked for so long, and another may have waited for the processor that this took.
   * Returns whether to come near.
   */
  foundInCrowd(lookedUs: number): boolean {
    this.#creditUs = Math.min(CREDIT_MAX_US, this.#creditUs + SAVED_IN_CROWD_US - lookedUs);
    return this.#creditUs < 0;
  }

  /**
   * So much time was lost: a guest slept when it was answered, or stopped after the sentry had ceased to look, or the sentry
   * looked in vain while there were more guests than processors. Returns whether to come near.
   */
  missed(lostUs: number): boolean {
    this.#creditUs -= lostUs;
    return this.#creditUs < 0;
  }

  comeNear(nowMs: number): void {
    this.isNear = true;
    this.#nextCreditUs = CREDIT_RETRY_US;
    const wasGood = nowMs - this.#farSinceMs >= GOOD_MS;
    this.#retryMs = wasGood ? RETRY_MS_MIN : Math.min(RETRY_MS_MAX, this.#retryMs * 2);
    this.#retryAtMs = nowMs + this.#retryMs;
    this.#handoverCount = 0;
  }

  goFar(nowMs: number): void {
    this.isNear = false;
    this.#farSinceMs = nowMs;
    this.#creditUs = this.#nextCreditUs;
  }

  /** Counts a handover. Returns whether it is time to ask {@link mayRetry}. */
  handedOver(): boolean {
    return ++this.#handoverCount % HANDOVERS_PER_LOOK === 0;
  }

  mayRetry(nowMs: number): boolean {
    return nowMs >= this.#retryAtMs;
  }
}
