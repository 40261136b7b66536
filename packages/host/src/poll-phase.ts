import native from '../native/index.js';

/** Phases that are open: an open one is not collected. */
const openPhases = new Set<PollPhase>();

/**
 * The moment when Node's event loop has run everything that was due and would sleep: no immediate is pending, and
 * {@link PollPhase.timeoutMs} tells the truth.
 */
export class PollPhase {
  readonly #native: InstanceType<typeof native.PollPhase>;

  /** `callback` runs once for each {@link again} that came before. Microtasks run when it has returned. */
  constructor(callback: () => void) {
    this.#native = new native.PollPhase(() => {
      callback();
    });
    openPhases.add(this);
  }

  /** Asks for one call. When asked from the callback itself, the loop makes one turn in between. */
  again(): void {
    this.#native.again();
  }

  /** Milliseconds that the loop would sleep: 0 when it has work, infinity without timers. */
  timeoutMs(): number {
    return this.#native.timeoutMs();
  }

  /** Leaves the loop, which an open phase keeps alive. */
  close(): void {
    openPhases.delete(this);
    this.#native.close();
  }
}

/** Calls `callback` at the next such moment, and again whenever it is asked to. */
export function onPollPhase(callback: () => void): PollPhase {
  const phase = new PollPhase(callback);
  phase.again();
  return phase;
}
