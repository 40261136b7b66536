import { storeI64 } from '@tsv/abi';
import type { Clock } from '@tsv/clock';
import { chunkAt, chunkOf, type MemoryFile } from '@tsv/platform';
import {
  PARAM_BASE_TSC,
  PARAM_IS_READY,
  PARAM_MONOTONIC_NSEC,
  PARAM_MONOTONIC_SEC,
  PARAM_MULT,
  PARAM_REALTIME_NSEC,
  PARAM_REALTIME_SEC,
  PARAM_SEQUENCE,
  PARAM_VALID_TICKS,
} from '../mm/vdso-image.generated.js';
import type { Vdso } from '../mm/vdso.js';

/** The time stamp counter that guests read with `rdtsc`. It must run at one speed, on all CPUs. */
export interface TscSource {
  /** The counter now; may be rounded above 2^53. */
  readTsc(): number;
}

/** Apart from each other, two samples give the frequency to some millionths. */
const CALIBRATION_MS_MIN = 20;
/** The frequency is that of at least this long before: the host's clock is adjusted now and then. */
const CALIBRATION_MS_MAX = 10_000;
/** Parameters are good for this long at most, and for this many times the span that they were measured over. */
const VALID_MS_MAX = 1000;
const VALID_PER_CALIBRATION = 4;
/** Tries to read clock and counter close together. */
const SAMPLE_TRIES = 5;
/** When clocks computed by guests are ahead, they run this much slower at most until they are right again. */
const SLOWDOWN_MAX = 0.1;
/** Smaller changes between the two clocks are rounding. */
const OFFSET_CHANGE_MS = 0.002;
const NSEC_PER_SEC = 1_000_000_000;
const TWO_32 = 0x1_0000_0000;

/**
 * Writes the clock parameters that the vDSO computes times from. Nothing runs while nobody asks: parameters expire, the
 * vDSO makes a system call then, and the handler calls {@link refresh}.
 */
export class Timekeeper {
  readonly #view: DataView;
  readonly #words: Int32Array;
  readonly #at: number;
  readonly #clock: Clock;
  readonly #tsc: TscSource;
  /** Where the frequency is measured from, and what will be that next. */
  #originMs: number;
  #originTsc: number;
  #nextOriginMs: number;
  #nextOriginTsc: number;
  /** What guests compute with: the monotonic clock was `#baseMs` at `#baseTsc`, a tick is `#msPerTick`. */
  #baseMs = 0;
  #baseTsc = 0;
  #msPerTick = 0;
  /** CLOCK_REALTIME less CLOCK_MONOTONIC. */
  #offsetMs = 0;
  #refreshMs: number;
  /** The last sample. */
  #sampleMs = 0;
  #sampleTsc = 0;

  constructor(memory: MemoryFile, vdso: Vdso, clock: Clock, tsc: TscSource) {
    const chunk = memory.chunks[chunkOf(vdso.paramPfn)]!;
    this.#at = chunkAt(vdso.paramPfn);
    this.#view = memory.views[chunkOf(vdso.paramPfn)]!;
    this.#words = new Int32Array(chunk.buffer, chunk.byteOffset + this.#at, 1);
    this.#clock = clock;
    this.#tsc = tsc;
    this.#sample();
    this.#originMs = this.#nextOriginMs = this.#sampleMs;
    this.#originTsc = this.#nextOriginTsc = this.#sampleTsc;
    this.#refreshMs = this.#sampleMs + CALIBRATION_MS_MIN;
  }

  /** Renews the parameters if they expire soon. Called by system calls that tell the time. */
  refresh(): void {
    if (this.#clock.monotonicMs() < this.#refreshMs) return;
    this.#sample();
    const spanMs = this.#sampleMs - this.#originMs;
    const ticks = this.#sampleTsc - this.#originTsc;
    if (!(ticks > 0)) return this.#restart();
    const msPerTick = spanMs / ticks;
    const validMs = Math.min(VALID_MS_MAX, spanMs * VALID_PER_CALIBRATION);
    this.#rebase(msPerTick, validMs);
    this.#write(Math.floor(validMs / msPerTick));
    this.#refreshMs = this.#sampleMs + validMs / 2;
    if (this.#sampleMs - this.#nextOriginMs < CALIBRATION_MS_MAX) return;
    this.#originMs = this.#nextOriginMs;
    this.#originTsc = this.#nextOriginTsc;
    this.#nextOriginMs = this.#sampleMs;
    this.#nextOriginTsc = this.#sampleTsc;
  }

  /** Continues from the sample, but never behind what guests may have computed. */
  #rebase(msPerTick: number, validMs: number): void {
    const computedMs = this.#baseMs + (this.#sampleTsc - this.#baseTsc) * this.#msPerTick;
    const aheadMs = this.#msPerTick === 0 ? 0 : Math.max(0, computedMs - this.#sampleMs);
    this.#baseMs = this.#sampleMs + aheadMs;
    this.#baseTsc = this.#sampleTsc;
    this.#msPerTick = msPerTick * (1 - Math.min(SLOWDOWN_MAX, aheadMs / validMs));
  }

  /** The counter went back: a sandbox was restored on another machine, for one. */
  #restart(): void {
    this.#originMs = this.#nextOriginMs = this.#sampleMs;
    this.#originTsc = this.#nextOriginTsc = this.#sampleTsc;
    this.#msPerTick = 0;
    this.#refreshMs = this.#sampleMs + CALIBRATION_MS_MIN;
    this.#beginWrite();
    this.#view.setUint32(this.#at + PARAM_IS_READY, 0, true);
    this.#endWrite();
  }

  #sample(): void {
    let closest = Infinity;
    for (let i = 0; i < SAMPLE_TRIES; i++) {
      const before = this.#tsc.readTsc();
      const ms = this.#clock.monotonicMs();
      const apart = this.#tsc.readTsc() - before;
      if (apart >= closest) continue;
      closest = apart;
      this.#sampleMs = ms;
      this.#sampleTsc = Math.round(before + apart / 2);
    }
  }

  #write(validTicks: number): void {
    // A double of today's date is exact to a quarter of a microsecond only: the offset stays unless it was changed.
    const offsetMs = this.#clock.realtimeMs() - this.#clock.monotonicMs();
    if (Math.abs(offsetMs - this.#offsetMs) > OFFSET_CHANGE_MS) this.#offsetMs = offsetMs;
    this.#beginWrite();
    this.#view.setUint32(this.#at + PARAM_IS_READY, 1, true);
    storeI64(this.#view, this.#at + PARAM_BASE_TSC, this.#baseTsc);
    storeI64(this.#view, this.#at + PARAM_VALID_TICKS, validTicks);
    storeI64(this.#view, this.#at + PARAM_MULT, Math.round(this.#msPerTick * 1e6 * TWO_32));
    this.#storeTime(PARAM_MONOTONIC_SEC, PARAM_MONOTONIC_NSEC, this.#baseMs, 0);
    this.#storeTime(PARAM_REALTIME_SEC, PARAM_REALTIME_NSEC, this.#baseMs, this.#offsetMs);
    this.#endWrite();
  }

  /** Stores `ms + offsetMs`, which are added as whole seconds and nanoseconds. */
  #storeTime(secAt: number, nsecAt: number, ms: number, offsetMs: number): void {
    let sec = Math.floor(ms / 1000) + Math.floor(offsetMs / 1000);
    let nsec = Math.floor((ms % 1000) * 1e6) + Math.floor((offsetMs - Math.floor(offsetMs / 1000) * 1000) * 1e6);
    if (nsec >= NSEC_PER_SEC) {
      sec++;
      nsec -= NSEC_PER_SEC;
    }
    storeI64(this.#view, this.#at + secAt, sec);
    storeI64(this.#view, this.#at + nsecAt, nsec);
  }

  /** Readers try again while the sequence is odd, and when it has changed. */
  #beginWrite(): void {
    Atomics.add(this.#words, PARAM_SEQUENCE, 1);
  }

  #endWrite(): void {
    Atomics.add(this.#words, PARAM_SEQUENCE, 1);
  }
}
