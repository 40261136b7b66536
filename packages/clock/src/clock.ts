/** Time as an argument: whoever needs the time is given a clock, so that a test or a simulator can drive it. */
export interface Clock {
  /** Monotonic milliseconds with fraction; its zero has no meaning. */
  monotonicMs(): number;
  /** Milliseconds since the Unix epoch with fraction. */
  realtimeMs(): number;
}

/** A clock that moves only when told. */
export class VirtualClock implements Clock {
  #nowMs: number;
  readonly #epochMs: number;

  constructor(nowMs = 0, epochMs = 0) {
    this.#nowMs = nowMs;
    this.#epochMs = epochMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  realtimeMs(): number {
    return this.#epochMs + this.#nowMs;
  }

  /** Moves the clock forward by `ms`, 0 or more. */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`VirtualClock.advance: ${ms} ms is not forward`);
    this.#nowMs += ms;
  }
}
