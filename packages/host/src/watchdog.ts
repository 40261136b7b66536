import native from '../native/index.js';

/** What a {@link Watchdog} does about a thread that is stuck. */
export type WatchdogAction = 'log' | 'panic';

const COUNT = 0;
const LIMIT_MS = 1;
const COUNT_MAX = 0x7fff_ffff;
/** How often it looks within the shortest limit. */
const LOOKS = 4;

/** What a {@link Watchdog} is made with. */
export interface WatchdogOptions {
  /** The shortest limit that {@link Watchdog.begin} will be given. */
  readonly limitMsMin: number;
  /** `panic` ends the process by SIGABRT, after the message. */
  readonly action: WatchdogAction;
  /** Descriptor that the message is written to. */
  readonly logFd: number;
  readonly message: string;
}

/** A thread that notices when this one does not come back from what it does. */
export class Watchdog {
  readonly #native: InstanceType<typeof native.Watchdog>;
  readonly #memory: Uint32Array;
  #count = 0;

  constructor({ limitMsMin, action, logFd, message }: WatchdogOptions) {
    const periodMs = Math.max(1, Math.floor(limitMsMin / LOOKS));
    this.#native = new native.Watchdog(periodMs, action === 'panic', logFd, new TextEncoder().encode(message));
    this.#memory = new Uint32Array(this.#native.memory());
  }

  /** What begins now may take `limitMs`. */
  begin(limitMs: number): void {
    this.#memory[LIMIT_MS] = limitMs;
    this.#count = this.#count >= COUNT_MAX ? 1 : this.#count + 1;
    this.#memory[COUNT] = this.#count;
  }

  /** This thread waits for something to do. */
  rest(): void {
    this.#memory[COUNT] = 0;
  }

  close(): void {
    this.#native.close();
  }
}
