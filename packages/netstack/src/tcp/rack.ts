import { seqGt, seqLt } from './sequence.js';
import { type SentQueue, type SentSegment, SentFlag } from './sent-queue.js';

/** RFC 8985 section 6.2: recoveries for which a widened window is kept. */
const REO_WND_PERSIST = 16;
const REO_WND_MULT_MAX = 255;

/** RACK: loss detection by time, RFC 8985 section 6. */
export class Rack {
  /**
   * Number of the latest transmission that was delivered (RACK.segment); 0 if none was. RFC 8985 compares times, which
   * are the same for many segments when the clock is coarse.
   */
  #order = 0;
  rttMs = 0;
  hasReordering = false;
  #fack = 0;
  #reoWndMult = 1;
  #reoWndPersist = REO_WND_PERSIST;
  /** Until `sndUna` passes it, further D-SACKs count for the same round trip. */
  #dsackRoundSeq = 0;
  #hasDsackRound = false;

  /** Everything up to `sndUna` is acknowledged; `rttMs` is the last round trip, 0 if there was none. */
  start(sndUna: number, rttMs: number): void {
    this.#order = 0;
    this.#fack = sndUna;
    this.rttMs = rttMs;
  }

  /** Something about the path is known that is not known of a new one. */
  get hasLearned(): boolean {
    return this.hasReordering || this.#hasDsackRound || this.#reoWndMult > 1;
  }

  /**
   * Section 6.2 steps 2 and 3: `sent` was delivered. `isAmbiguous`: it was sent again and the acknowledgement may be one
   * of the first copy.
   */
  onDelivered(sent: Readonly<SentSegment>, isAmbiguous: boolean, minRttMs: number, nowMs: number): void {
    const rttMs = nowMs - sent.xmitMs;
    const isRetransmitted = (sent.flags & SentFlag.EVER_RETRANS) !== 0;
    if (seqGt(sent.end, this.#fack)) this.#fack = sent.end;
    else if (seqLt(sent.end, this.#fack) && !isRetransmitted) this.hasReordering = true;
    if (isRetransmitted && (isAmbiguous || rttMs < minRttMs)) return;
    this.rttMs = rttMs;
    if (sent.order > this.#order) this.#order = sent.order;
  }

  /** Section 6.2 step 4: D-SACK says that the window for reordering was too small. */
  onDsack(sndUna: number, sndNxt: number): void {
    if (this.#hasDsackRound && seqLt(sndUna, this.#dsackRoundSeq)) return;
    this.#hasDsackRound = true;
    this.#dsackRoundSeq = sndNxt;
    if (this.#reoWndMult < REO_WND_MULT_MAX) this.#reoWndMult++;
    this.#reoWndPersist = REO_WND_PERSIST;
  }

  /** A recovery ended. */
  onRecoveryEnd(): void {
    if (--this.#reoWndPersist <= 0) {
      this.#reoWndMult = 1;
      this.#reoWndPersist = REO_WND_PERSIST;
    }
  }

  /** How much later than a later one a segment may arrive. `isUrgent`: in recovery, or three segments were SACKed. */
  reoWndMs(isUrgent: boolean, srttMs: number, minRttMs: number): number {
    if (!this.hasReordering && isUrgent) return 0;
    return Math.min((minRttMs / 4) * this.#reoWndMult, srttMs);
  }

  /**
   * Section 6.2 step 5: marks what is lost, and returns after how many milliseconds to look again; 0 if nothing waits.
   */
  detectLoss(queue: SentQueue, reoWndMs: number, nowMs: number): number {
    let waitMs = 0;
    if (this.#order === 0) return 0;
    for (let sent = queue.head; sent !== null; sent = sent.next) {
      const { flags } = sent;
      if (sent.order >= this.#order) {
        // What was sent once lies in the order of sending: all that follow were sent after RACK.segment too.
        if (!(flags & (SentFlag.EVER_RETRANS | SentFlag.SACKED))) break;
        continue;
      }
      if (flags & SentFlag.SACKED || (flags & (SentFlag.LOST | SentFlag.RETRANS)) === SentFlag.LOST) continue;
      const remainingMs = sent.xmitMs + this.rttMs + reoWndMs - nowMs;
      if (remainingMs <= 0) queue.markLost(sent);
      else waitMs = Math.max(waitMs, remainingMs);
    }
    return waitMs;
  }

  /** Whether `sent` would be lost by now if segments were never reordered. */
  isExpired(sent: Readonly<SentSegment>, nowMs: number): boolean {
    return sent.xmitMs + this.rttMs <= nowMs;
  }
}
