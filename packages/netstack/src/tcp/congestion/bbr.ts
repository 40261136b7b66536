import type { TcpPathModel } from '@tsv/abi';
import type { AckSample } from '../ack-sample.js';
import { CaState, CongestionControl } from './congestion-control.js';
import { MaxFilter } from './max-filter.js';

/** draft-cardwell-iccrg-bbr-congestion-control-00 section 4. */
const HIGH_GAIN = 2 / Math.LN2;
const DRAIN_GAIN = 1 / HIGH_GAIN;
const CWND_GAIN = 2;
const CYCLE_GAINS = [1.25, 0.75, 1, 1, 1, 1, 1, 1] as const;
const BANDWIDTH_WINDOW_ROUNDS = 10;
const MIN_RTT_WINDOW_MS = 10_000;
const PROBE_RTT_MS = 200;
const CWND_SEGMENTS_MIN = 4;
const FULL_BANDWIDTH_GROWTH = 1.25;
const FULL_BANDWIDTH_ROUNDS = 3;
/** Pacing a little below the estimate keeps queues from building. */
const PACING_MARGIN = 0.99;

const Mode = { STARTUP: 0, DRAIN: 1, PROBE_BW: 2, PROBE_RTT: 3 } as const;
type Mode = (typeof Mode)[keyof typeof Mode];

/** BBR version 1: a model of the path's bandwidth and round trip instead of loss. */
export class Bbr extends CongestionControl {
  readonly #bandwidth = new MaxFilter(BANDWIDTH_WINDOW_ROUNDS);
  #mode: Mode = Mode.STARTUP;
  #pacingGain = HIGH_GAIN;
  #cwndGain = HIGH_GAIN;
  #minRttMs = Infinity;
  #minRttAtMs = 0;
  #probeRttEndMs = -1;
  #roundCount = 0;
  #roundEndBytes = 0;
  #isRoundStart = false;
  #fullBandwidth = 0;
  #fullRoundCount = 0;
  #isFilled = false;
  #cycleIndex = 0;
  #cycleAtMs = 0;
  #priorCwndBytes = 0;
  #caState: CaState = CaState.OPEN;
  #isConserving = false;
  #random = 0;

  get name(): string {
    return 'bbr';
  }

  override get ownsWindow(): boolean {
    return true;
  }

  override start(mssBytes: number, cwndBytes: number, random: number, nowMs: number): void {
    super.start(mssBytes, cwndBytes, random, nowMs);
    this.#random = random >>> 0;
    this.#minRttAtMs = nowMs;
  }

  override get model(): TcpPathModel {
    return {
      bandwidthBytesPerMs: this.#bandwidth.best,
      minRttMs: this.#minRttMs,
      pacingGain: this.#pacingGain,
      cwndGain: this.#cwndGain,
    };
  }

  onAck(sample: Readonly<AckSample>, nowMs: number): void {
    const inFlight = Math.max(0, sample.priorInFlightBytes - sample.deliveredBytes);
    this.#countRound(sample);
    this.#sampleBandwidth(sample);
    this.#checkFull(sample);
    this.#drain(inFlight, nowMs);
    this.#cycle(sample, inFlight, nowMs);
    this.#probeRtt(sample, inFlight, nowMs);
    this.#setPacing();
    this.#setWindow(sample, inFlight);
  }

  /** Loss is no signal: the window is kept for after recovery. */
  ssthreshOnLoss(): number {
    this.#saveWindow();
    return this.ssthreshBytes;
  }

  override onStateChange(state: CaState, inFlightBytes: number): void {
    const wasRecovering = this.#caState >= CaState.RECOVERY;
    this.#caState = state;
    if (state === CaState.LOSS) {
      this.#saveWindow();
      this.#fullBandwidth = 0;
      this.cwndBytes = inFlightBytes + this.mssBytes;
      this.#isConserving = false;
    } else if (state === CaState.RECOVERY && !wasRecovering) {
      this.#isConserving = true;
      this.#roundEndBytes = 0;
      this.cwndBytes = inFlightBytes + this.mssBytes;
    } else if (state < CaState.RECOVERY && wasRecovering) {
      this.#isConserving = false;
      this.cwndBytes = Math.max(this.cwndBytes, this.#priorCwndBytes);
    }
  }

  override onUndo(): void {
    this.#fullBandwidth = 0;
    this.#fullRoundCount = 0;
    this.cwndBytes = Math.max(this.cwndBytes, this.#priorCwndBytes);
  }

  #countRound(sample: Readonly<AckSample>): void {
    this.#isRoundStart = sample.deliveredBytes > 0 && sample.priorDeliveredBytes >= this.#roundEndBytes;
    if (!this.#isRoundStart) return;
    this.#roundEndBytes = sample.totalDeliveredBytes;
    this.#roundCount++;
    this.#isConserving = false;
  }

  #sampleBandwidth(sample: Readonly<AckSample>): void {
    if (sample.rateBytesPerMs < 0) return;
    if (sample.isAppLimited && sample.rateBytesPerMs < this.#bandwidth.best) return;
    this.#bandwidth.update(sample.rateBytesPerMs, this.#roundCount);
  }

  #checkFull(sample: Readonly<AckSample>): void {
    if (this.#isFilled || !this.#isRoundStart || sample.isAppLimited) return;
    if (this.#bandwidth.best >= this.#fullBandwidth * FULL_BANDWIDTH_GROWTH) {
      this.#fullBandwidth = this.#bandwidth.best;
      this.#fullRoundCount = 0;
      return;
    }
    this.#isFilled = ++this.#fullRoundCount >= FULL_BANDWIDTH_ROUNDS;
  }

  #drain(inFlight: number, nowMs: number): void {
    if (this.#mode === Mode.STARTUP && this.#isFilled) {
      this.#enter(Mode.DRAIN, DRAIN_GAIN, HIGH_GAIN);
      this.ssthreshBytes = this.#targetBytes(1);
    }
    if (this.#mode === Mode.DRAIN && inFlight <= this.#targetBytes(1)) this.#enterProbeBandwidth(nowMs);
  }

  #enterProbeBandwidth(nowMs: number): void {
    // Any phase but the draining one, so that flows do not probe in step.
    this.#random = (Math.imul(this.#random, 1664525) + 1013904223) >>> 0;
    const skipped = this.#random % (CYCLE_GAINS.length - 1);
    this.#cycleIndex = skipped === 0 ? 0 : skipped + 1;
    this.#cycleAtMs = nowMs;
    this.#enter(Mode.PROBE_BW, CYCLE_GAINS[this.#cycleIndex]!, CWND_GAIN);
  }

  #cycle(sample: Readonly<AckSample>, inFlight: number, nowMs: number): void {
    if (this.#mode !== Mode.PROBE_BW) return;
    const isLong = nowMs - this.#cycleAtMs > this.#minRttMs;
    const isOver =
      this.#pacingGain === 1
        ? isLong
        : this.#pacingGain > 1
          ? isLong && (sample.lostBytes > 0 || sample.priorInFlightBytes >= this.#targetBytes(this.#pacingGain))
          : isLong || inFlight <= this.#targetBytes(1);
    if (!isOver) return;
    this.#cycleIndex = (this.#cycleIndex + 1) % CYCLE_GAINS.length;
    this.#cycleAtMs = nowMs;
    this.#pacingGain = CYCLE_GAINS[this.#cycleIndex]!;
  }

  #probeRtt(sample: Readonly<AckSample>, inFlight: number, nowMs: number): void {
    const isExpired = nowMs - this.#minRttAtMs > MIN_RTT_WINDOW_MS;
    if (sample.rttMs >= 0 && (sample.rttMs <= this.#minRttMs || isExpired)) {
      this.#minRttMs = sample.rttMs;
      this.#minRttAtMs = nowMs;
    }
    if (isExpired && this.#mode !== Mode.PROBE_RTT) {
      this.#saveWindow();
      this.#enter(Mode.PROBE_RTT, 1, 1);
      this.#probeRttEndMs = -1;
    }
    if (this.#mode !== Mode.PROBE_RTT) return;
    if (this.#probeRttEndMs < 0) {
      if (inFlight <= CWND_SEGMENTS_MIN * this.mssBytes) this.#probeRttEndMs = nowMs + PROBE_RTT_MS;
    } else if (nowMs >= this.#probeRttEndMs) {
      this.#minRttAtMs = nowMs;
      this.cwndBytes = Math.max(this.cwndBytes, this.#priorCwndBytes);
      if (this.#isFilled) this.#enterProbeBandwidth(nowMs);
      else this.#enter(Mode.STARTUP, HIGH_GAIN, HIGH_GAIN);
    }
  }

  #setPacing(): void {
    if (this.#bandwidth.best === 0) return;
    const rate = this.#pacingGain * this.#bandwidth.best * PACING_MARGIN;
    if (this.#isFilled || rate > this.pacingBytesPerMs) this.pacingBytesPerMs = rate;
  }

  #setWindow(sample: Readonly<AckSample>, inFlight: number): void {
    const minBytes = CWND_SEGMENTS_MIN * this.mssBytes;
    if (sample.lostBytes > 0) this.cwndBytes = Math.max(this.cwndBytes - sample.lostBytes, this.mssBytes);
    if (this.#isConserving) {
      this.cwndBytes = Math.max(this.cwndBytes, inFlight + sample.deliveredBytes);
    } else {
      const target = this.#targetBytes(this.#cwndGain);
      if (this.#isFilled) this.cwndBytes = Math.min(this.cwndBytes + sample.deliveredBytes, target);
      else if (this.cwndBytes < target || sample.totalDeliveredBytes < 10 * this.mssBytes) {
        this.cwndBytes += sample.deliveredBytes;
      }
      this.cwndBytes = Math.max(this.cwndBytes, minBytes);
    }
    if (this.#mode === Mode.PROBE_RTT) this.cwndBytes = Math.min(this.cwndBytes, minBytes);
  }

  /** What fills the path `gain` times, with room for segments sent in bursts. */
  #targetBytes(gain: number): number {
    if (this.#minRttMs === Infinity || this.#bandwidth.best === 0) return gain * 10 * this.mssBytes;
    return gain * this.#bandwidth.best * Math.max(this.#minRttMs, 0.01) + 3 * this.mssBytes;
  }

  #enter(mode: Mode, pacingGain: number, cwndGain: number): void {
    this.#mode = mode;
    this.#pacingGain = pacingGain;
    this.#cwndGain = cwndGain;
  }

  #saveWindow(): void {
    const isReduced = this.#caState >= CaState.RECOVERY || this.#mode === Mode.PROBE_RTT;
    this.#priorCwndBytes = isReduced ? Math.max(this.#priorCwndBytes, this.cwndBytes) : this.cwndBytes;
  }
}
