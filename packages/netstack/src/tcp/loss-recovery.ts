import { AckSample } from './ack-sample.js';
import { CaState, type CongestionControl } from './congestion/congestion-control.js';
import type { DeliveryRate } from './delivery-rate.js';
import { Prr } from './prr.js';
import type { MtuProber } from './mtu-prober.js';
import type { Rack } from './rack.js';
import type { RttEstimator } from './rtt-estimator.js';
import { seqGe, seqGt, seqLe, seqLt } from './sequence.js';
import { type SentQueue, type SentSegment, SentFlag } from './sent-queue.js';

/** RFC 5681 section 3.2. */
const DUP_THRESH = 3;
/** RFC 8985 section 7.2: how long a peer may hold its acknowledgement of a single segment. */
const ACK_DELAY_MAX_MS = 200;

const sharedSample = new AckSample();

/**
 * What to do about loss: RFC 6675 and RFC 8985 with SACK, RFC 6582 without, RFC 5682 (F-RTO), RFC 3522 and RFC 3708
 * (undo), RFC 3168 (ECN). States and their changes are those of `tcp_fastretrans_alert()`.
 */
export class LossRecovery {
  readonly #queue: SentQueue;
  readonly #rack: Rack;
  #rtt: RttEstimator;
  readonly #rate: DeliveryRate;
  /** Made with the first recovery. */
  #prr: Prr | null = null;
  /** Filled in and read while one acknowledgement is taken, so all connections share it. */
  readonly sample = sharedSample;
  readonly #prober: MtuProber;
  cc: CongestionControl;
  state: CaState = CaState.OPEN;
  /** `sndNxt` when the current recovery began: `recover` of RFC 6582. */
  highSeq = 0;
  isSackUsed = false;
  isFrtoEnabled = false;
  /** Step 2b of F-RTO: new text goes out before anything is sent again. */
  holdsRetransmissions = false;
  dupAckCount = 0;
  /** Milliseconds after which to look for losses again; 0 for never. */
  reorderWaitMs = 0;
  /** Counts for TCP_INFO and /proc/net/netstat. */
  undoCount = 0;
  dsackCount = 0;
  recoveryCount = 0;

  /** The window was reduced, and the peer is to be told so (CWR, RFC 3168 section 6.1.2). The sender clears it. */
  hasCongestionSignal = false;

  #hasUndo = false;
  #undoUna = 0;
  #undoRetransBytes = 0;
  #hasRetransmitted = false;
  #priorCwndBytes = 0;
  #priorSsthreshBytes = Infinity;
  /** Timestamp of the first retransmission of this recovery. */
  #retransTs = 0;
  #isFrto = false;
  /** RFC 8985 section 7.1: end of the loss probe that is out. */
  #hasProbe = false;
  #probeEnd = 0;
  #isProbeRetransmission = false;

  constructor(
    queue: SentQueue,
    rack: Rack,
    rate: DeliveryRate,
    prober: MtuProber,
    rtt: RttEstimator,
    cc: CongestionControl,
  ) {
    this.#queue = queue;
    this.#rack = rack;
    this.#rtt = rtt;
    this.#rate = rate;
    this.#prober = prober;
    this.cc = cc;
  }

  /** Watches over a connection from now on, everything of which up to `sndUna` is acknowledged. */
  start(rtt: RttEstimator, cc: CongestionControl, sndUna: number, isSackUsed: boolean, isFrtoEnabled: boolean): void {
    this.#rtt = rtt;
    this.cc = cc;
    this.highSeq = sndUna;
    this.isSackUsed = isSackUsed;
    this.isFrtoEnabled = isFrtoEnabled;
    this.dupAckCount = 0;
    this.#retransTs = 0;
  }

  /** Something is under way, or was once, that must not be forgotten. */
  get hasLearned(): boolean {
    const isQuiet = this.state === CaState.OPEN && !this.#hasUndo && !this.#hasProbe && !this.#isFrto;
    return !isQuiet || this.hasCongestionSignal || this.undoCount + this.dsackCount + this.recoveryCount > 0;
  }

  get isReducing(): boolean {
    return this.state === CaState.CWR || this.state === CaState.RECOVERY;
  }

  /** Takes an acknowledgement whose `sample` is filled in. */
  onAck(sndUna: number, sndNxt: number, nowMs: number): void {
    const { sample } = this;
    const lostBefore = this.#queue.markedLostBytes;
    const wasReducing = this.isReducing;
    this.holdsRetransmissions = false;
    this.reorderWaitMs = 0;
    if (sample.hasDsack) this.#onDsack(sndUna, sndNxt);
    this.#endProbe(sndUna, sndNxt);
    if (this.state !== CaState.OPEN || sample.isDuplicate || this.#queue.sackedBytes > 0 || sample.hasEce) {
      this.#alert(sndUna, sndNxt, nowMs);
    } else {
      this.dupAckCount = 0;
    }
    sample.lostBytes = this.#queue.markedLostBytes - lostBefore;
    this.#rate.finish(sample, this.#rtt.minRttMs === Infinity ? 0 : this.#rtt.minRttMs);
    this.#adjustWindow(wasReducing, nowMs);
  }

  /**
   * The retransmission timer expired: RFC 5681 section 3.1, RFC 8985 section 6.3, RFC 5682 section 2.1. `retryCount`: how
   * often it did before without any progress.
   */
  onTimeout(sndUna: number, sndNxt: number, retryCount: number, nowMs: number): void {
    const queue = this.#queue;
    const isReneged = queue.head !== null && (queue.head.flags & SentFlag.SACKED) !== 0;
    // RFC 2018 section 8: the peer threw away what it had reported.
    if (isReneged) queue.forgetSacks();
    const isNew =
      this.state <= CaState.DISORDER ||
      seqGe(sndUna, this.highSeq) ||
      (this.state === CaState.LOSS && retryCount === 0);
    if (isNew) {
      this.#startUndo(sndUna);
      this.#priorCwndBytes = this.cc.cwndBytes;
      this.#priorSsthreshBytes = this.cc.ssthreshBytes;
      this.cc.ssthreshBytes = this.cc.ssthreshOnLoss(queue.outBytes);
      this.hasCongestionSignal = true;
    }
    this.#hasProbe = false;
    this.#isFrto = this.isFrtoEnabled && !isReneged && (this.state < CaState.RECOVERY || retryCount > 0);
    for (let sent = queue.head; sent !== null; sent = sent.next) {
      // Without SACK nothing else would tell that the rest is lost.
      if (sent === queue.head || !this.isSackUsed || isReneged || this.#rack.isExpired(sent, nowMs)) {
        queue.markLost(sent);
      }
    }
    queue.renoSackedBytes = 0;
    this.dupAckCount = 0;
    this.holdsRetransmissions = false;
    this.highSeq = sndNxt;
    this.cc.cwndBytes = queue.inFlightBytes + this.cc.mssBytes;
    this.#setState(CaState.LOSS);
  }

  /** The timer of RACK expired: RFC 8985 section 6.2 step 5. */
  onReorderTimeout(sndUna: number, sndNxt: number, nowMs: number): void {
    this.reorderWaitMs = 0;
    this.sample.clear();
    const lostBefore = this.#queue.markedLostBytes;
    this.#detectByTime(nowMs);
    const lost = this.#queue.markedLostBytes - lostBefore;
    if (lost === 0 || this.state >= CaState.RECOVERY || this.#isProbeLost()) return;
    this.#enterRecovery(sndUna, sndNxt);
    this.#reduce(0, lost, false);
  }

  /** `sent` goes out again at timestamp `ts`. */
  onRetransmit(sent: Readonly<SentSegment>, ts: number): void {
    if (this.#retransTs === 0) this.#retransTs = ts === 0 ? 1 : ts;
    if (this.#hasUndo) {
      this.#undoRetransBytes += sent.len;
      this.#hasRetransmitted = true;
    }
    this.onSent(sent.len);
  }

  onSent(len: number): void {
    if (this.isReducing && this.#prr !== null) this.#prr.outBytes += len;
  }

  /** The path MTU shrank: larger segments must go again, without a sign of congestion. */
  onMtuReduced(mssBytes: number): void {
    for (let sent = this.#queue.head; sent !== null; sent = sent.next) {
      if (sent.len > mssBytes) this.#queue.markLost(sent);
    }
  }

  /** Whether a loss probe should be scheduled: RFC 8985 section 7.2. */
  get canProbe(): boolean {
    return (
      this.isSackUsed &&
      this.state === CaState.OPEN &&
      !this.#hasProbe &&
      this.#queue.count > 0 &&
      this.#queue.sackedBytes === 0 &&
      this.#rtt.hasSample
    );
  }

  /** When to probe, from now: RFC 8985 section 7.2. */
  get probeTimeoutMs(): number {
    const isSingle = this.#queue.outBytes <= this.cc.mssBytes;
    const ptoMs = 2 * this.#rtt.srttMs + (isSingle ? ACK_DELAY_MAX_MS : 2);
    return Math.min(ptoMs, this.#rtt.rtoMs);
  }

  /** A loss probe went out. */
  onProbe(end: number, isRetransmission: boolean): void {
    this.#hasProbe = true;
    this.#probeEnd = end;
    this.#isProbeRetransmission = isRetransmission;
  }

  #endProbe(sndUna: number, sndNxt: number): void {
    if (!this.#hasProbe || seqLt(sndUna, this.#probeEnd)) return;
    this.#hasProbe = false;
    const { sample } = this;
    // RFC 8985 section 7.4: both copies arrived, or the acknowledgement is still that of the first.
    if (!this.#isProbeRetransmission || sample.hasDsack) return;
    if (sample.hasTimestamps && seqLt(sample.tsEcr, this.#retransTs)) return;
    if (this.state === CaState.OPEN) {
      this.#enterCwr(sndUna, sndNxt);
      if (!this.cc.ownsWindow) this.cc.cwndBytes = this.cc.ssthreshBytes;
      this.#setState(CaState.OPEN);
    }
  }

  #onDsack(sndUna: number, sndNxt: number): void {
    const { sample } = this;
    this.dsackCount++;
    this.#rack.onDsack(sndUna, sndNxt);
    if (this.#hasUndo && seqGe(sample.dsackStart, this.#undoUna)) {
      this.#undoRetransBytes -= (sample.dsackEnd - sample.dsackStart) | 0;
    }
  }

  #alert(sndUna: number, sndNxt: number, nowMs: number): void {
    const { sample } = this;
    if (sample.hasEce) this.#priorSsthreshBytes = 0;
    if (!this.isSackUsed) this.#countReno();
    if (this.state !== CaState.LOSS && this.#endByProgress(sndUna)) return;

    switch (this.state) {
      case CaState.RECOVERY:
        if (sample.hasUnaAdvanced && this.#undoPartial()) return;
        break;
      case CaState.LOSS:
        if (!this.#processLoss(sndUna, sndNxt)) {
          if (this.isSackUsed) this.#detectByTime(nowMs);
          return;
        }
        break;
      case CaState.OPEN:
      case CaState.DISORDER:
      case CaState.CWR:
        if (this.state <= CaState.DISORDER && this.#canUndoByDsack()) this.#undo(false);
        break;
    }
    this.#detect(sndUna, sndNxt, nowMs);
  }

  /** Ends CWR and RECOVERY when all is acknowledged that was out when they began. True if there is nothing more to do. */
  #endByProgress(sndUna: number): boolean {
    if (!this.isReducing || seqLt(sndUna, this.highSeq)) return false;
    if (this.state === CaState.CWR) {
      if (sndUna !== this.highSeq || this.#queue.count === 0) this.#endReduction(CaState.OPEN);
      return false;
    }
    // RFC 6582 section 3.2: without SACK, duplicates of the last acknowledgement would start another recovery.
    if (!this.isSackUsed && sndUna === this.highSeq) return true;
    if (this.#canUndo()) {
      this.#undo(false);
      this.#setState(CaState.OPEN);
      return false;
    }
    this.#rack.onRecoveryEnd();
    this.#endReduction(CaState.OPEN);
    return false;
  }

  #endReduction(state: CaState): void {
    if (!this.cc.ownsWindow && this.cc.ssthreshBytes < Infinity) this.cc.cwndBytes = this.cc.ssthreshBytes;
    this.#hasUndo = this.state === CaState.RECOVERY && this.#hasUndo;
    this.#setState(state);
  }

  #detect(sndUna: number, sndNxt: number, nowMs: number): void {
    if (this.isSackUsed) this.#detectByTime(nowMs);
    else this.#detectByDuplicates();
    if (this.state === CaState.RECOVERY) return;
    if (this.#isProbeLost()) return;
    if (this.#queue.lostBytes > 0) {
      this.#enterRecovery(sndUna, sndNxt);
      return;
    }
    if (this.sample.hasEce && this.state < CaState.CWR) this.#enterCwr(sndUna, sndNxt);
    if (this.state === CaState.CWR) return;
    const isDisordered = this.#queue.sackedBytes + this.#queue.renoSackedBytes + this.#queue.retransBytes > 0;
    this.#setState(isDisordered ? CaState.DISORDER : CaState.OPEN);
  }

  /** Whether nothing is lost but the probe of a larger path MTU: no sign of congestion (RFC 4821 section 7.7). */
  #isProbeLost(): boolean {
    const { head, lostBytes } = this.#queue;
    if (head === null || this.#prober.probeBytes === 0 || this.state >= CaState.CWR) return false;
    if (!(head.flags & SentFlag.MTU_PROBE) || !(head.flags & SentFlag.LOST) || lostBytes !== head.len) return false;
    head.flags &= ~SentFlag.MTU_PROBE;
    this.#prober.onLost();
    return true;
  }

  #detectByTime(nowMs: number): void {
    const rtt = this.#rtt;
    const isUrgent = this.state >= CaState.RECOVERY || this.#queue.sackedBytes >= DUP_THRESH * this.cc.mssBytes;
    const reoWndMs = this.#rack.reoWndMs(isUrgent, rtt.srttMs, rtt.minRttMs === Infinity ? 0 : rtt.minRttMs);
    this.reorderWaitMs = this.#rack.detectLoss(this.#queue, reoWndMs, nowMs);
  }

  /** RFC 5681 section 3.2 and RFC 6582 section 3.2 step 3: the first hole is the only one known. */
  #detectByDuplicates(): void {
    const { head } = this.#queue;
    if (head === null) return;
    const isPartial = this.state === CaState.RECOVERY && this.sample.hasUnaAdvanced;
    const isThird = this.state < CaState.RECOVERY && this.dupAckCount >= DUP_THRESH;
    if ((isPartial || isThird) && !(head.flags & SentFlag.RETRANS)) this.#queue.markLost(head);
  }

  /** RFC 3042 and RFC 6582: each duplicate says that a segment has left the network. */
  #countReno(): void {
    const { sample } = this;
    const queue = this.#queue;
    const mss = this.cc.mssBytes;
    if (sample.hasUnaAdvanced) {
      this.dupAckCount = 0;
      const left = queue.renoSackedBytes - Math.max(0, sample.ackedBytes - mss);
      queue.renoSackedBytes = this.state === CaState.RECOVERY ? Math.max(0, left) : 0;
    } else if (sample.isDuplicate) {
      this.dupAckCount++;
      sample.deliveredBytes += Math.min(mss, Math.max(0, queue.outBytes - queue.lostBytes - queue.renoSackedBytes));
      const room = Math.max(0, queue.outBytes - queue.lostBytes);
      queue.renoSackedBytes = Math.min(queue.renoSackedBytes + mss, room);
    }
  }

  /** RFC 5682 section 3.1, and the end of slow start after a timeout. True when the state is OPEN again. */
  #processLoss(sndUna: number, sndNxt: number): boolean {
    const { sample } = this;
    const isRecovered = seqGe(sndUna, this.highSeq);
    if (sample.hasUnaAdvanced && this.#canUndo()) {
      this.#undo(true);
      this.#setState(CaState.OPEN);
      return true;
    }
    if (this.#isFrto) {
      if (sample.hasOriginalDelivered) {
        // Step 3b: something arrived that was not sent again. The timeout was spurious.
        this.#isFrto = false;
        this.#undo(true);
        this.#setState(CaState.OPEN);
        return true;
      }
      if (seqGt(sndNxt, this.highSeq)) {
        if (sample.hasSacked || sample.isDuplicate) this.#isFrto = false;
      } else if (sample.hasUnaAdvanced && !isRecovered) {
        this.highSeq = sndNxt;
        this.holdsRetransmissions = true;
      } else if (sample.isDuplicate && !this.isSackUsed) {
        // Section 2.1 step 2a: a duplicate comes first, so something is missing.
        this.#isFrto = false;
      }
    }
    if (!isRecovered) return false;
    this.#hasUndo = false;
    this.#isFrto = false;
    this.#setState(CaState.OPEN);
    return true;
  }

  #enterRecovery(sndUna: number, sndNxt: number): void {
    this.recoveryCount++;
    this.#startUndo(sndUna);
    this.#startReduction(sndNxt, this.#queue.outBytes + this.sample.ackedBytes);
    this.#setState(CaState.RECOVERY);
  }

  /** RFC 3168 section 6.1.2: once a window. */
  #enterCwr(sndUna: number, sndNxt: number): void {
    this.#hasUndo = false;
    this.#startReduction(sndNxt, Infinity);
    if (seqLe(sndNxt, sndUna)) return;
    this.#setState(CaState.CWR);
  }

  #startReduction(sndNxt: number, flightBytes: number): void {
    const wasReducing = this.isReducing;
    this.highSeq = sndNxt;
    if (wasReducing) return;
    if (!this.sample.hasEce) {
      this.#priorSsthreshBytes = this.cc.ssthreshBytes;
    }
    this.#priorCwndBytes = this.cc.cwndBytes;
    (this.#prr ??= new Prr()).start(this.cc.cwndBytes);
    this.cc.ssthreshBytes = this.cc.ssthreshOnLoss(flightBytes);
    this.hasCongestionSignal = true;
  }

  #startUndo(sndUna: number): void {
    this.#hasUndo = true;
    this.#undoUna = sndUna;
    this.#undoRetransBytes = this.#queue.retransBytes;
    this.#hasRetransmitted = this.#queue.retransBytes > 0;
    this.#retransTs = 0;
  }

  #canUndoByDsack(): boolean {
    return this.#hasUndo && this.#hasRetransmitted && this.#undoRetransBytes <= 0;
  }

  /** RFC 3522: the acknowledgement was sent before our retransmission. RFC 3708: all of it was needless. */
  #canUndo(): boolean {
    if (!this.#hasUndo) return false;
    if (this.#hasRetransmitted && this.#undoRetransBytes <= 0) return true;
    const { sample } = this;
    return sample.hasTimestamps && this.#retransTs !== 0 && seqLt(sample.tsEcr, this.#retransTs);
  }

  /** A partial acknowledgement of the first copy: nothing was lost, only late. */
  #undoPartial(): boolean {
    const { sample } = this;
    const isLate = sample.hasTimestamps && this.#retransTs !== 0 && seqLt(sample.tsEcr, this.#retransTs);
    if (!this.#hasUndo || !isLate) return false;
    this.#rack.hasReordering = true;
    if (this.#queue.retransBytes > 0) return true;
    this.#undo(true);
    this.#setState(CaState.OPEN);
    return true;
  }

  #undo(unmarksLost: boolean): void {
    if (unmarksLost) this.#queue.unmarkLost();
    if (this.#priorSsthreshBytes > 0) {
      this.cc.cwndBytes = Math.max(this.cc.cwndBytes, this.#priorCwndBytes);
      this.cc.ssthreshBytes = Math.max(this.cc.ssthreshBytes, this.#priorSsthreshBytes);
      this.cc.onUndo();
    }
    this.#hasUndo = false;
    this.undoCount++;
  }

  /** What ends a recovery leaves the window at the threshold: most of what it acknowledges had arrived long before. */
  #adjustWindow(wasReducing: boolean, nowMs: number): void {
    const { sample, cc } = this;
    if (cc.ownsWindow) cc.onAck(sample, nowMs);
    else if (this.isReducing) this.#reduce(sample.deliveredBytes, sample.lostBytes, sample.hasUnaAdvanced);
    else if (sample.ackedBytes > 0 && !wasReducing) cc.onAck(sample, nowMs);
  }

  #reduce(deliveredBytes: number, lostBytes: number, hasProgress: boolean): void {
    if (this.cc.ownsWindow || this.#prr === null) return;
    const isSafe = hasProgress && lostBytes === 0;
    const inFlight = this.#queue.inFlightBytes;
    this.cc.cwndBytes = this.#prr.windowBytes(
      inFlight,
      deliveredBytes,
      isSafe,
      this.cc.ssthreshBytes,
      this.cc.mssBytes,
    );
  }

  #setState(state: CaState): void {
    if (state === this.state) return;
    this.state = state;
    this.cc.onStateChange(state, this.#queue.inFlightBytes);
  }
}
