/** What one acknowledgement told: filled by the sender, read by loss recovery and congestion control, reused. */
export class AckSample {
  /** Bytes that left the retransmission queue. */
  ackedBytes = 0;
  /** Bytes that SACK blocks newly covered. */
  sackedBytes = 0;
  /** Bytes newly known to have arrived, by either. */
  deliveredBytes = 0;
  /** Bytes newly taken for lost. */
  lostBytes = 0;
  /** Round trip of the latest segment that was sent once; -1 if there is none. */
  rttMs = -1;
  /** Round trip of the first one, with the delay of its acknowledgement. */
  firstRttMs = -1;
  /** Bytes in flight before the acknowledgement. */
  priorInFlightBytes = 0;
  hasUnaAdvanced = false;
  /** A segment that was never sent again has arrived, and was sent before the current recovery began. */
  hasOriginalDelivered = false;
  /** A segment that was sent again has left the queue. */
  hasRetransmittedAcked = false;
  /** SACK blocks covered something new. */
  hasSacked = false;
  /** The peer reported text that it had already: RFC 2883. */
  hasDsack = false;
  dsackStart = 0;
  dsackEnd = 0;
  /** The probe of a larger path MTU has arrived. */
  hasProbeDelivered = false;
  isDuplicate = false;
  /** ECN-Echo, RFC 3168 section 6.1.2. */
  hasEce = false;
  hasTimestamps = false;
  tsEcr = 0;

  /** Delivery rate, see {@link DeliveryRate}; -1 if there is no sample. */
  rateBytesPerMs = -1;
  rateIntervalMs = 0;
  isAppLimited = false;
  /** Bytes delivered in all when the newest segment of the sample was sent. */
  priorDeliveredBytes = 0;
  /** Bytes delivered in all by now. */
  totalDeliveredBytes = 0;
  /** Whether the window, not the application, kept the sender from sending more. */
  isCwndLimited = false;

  clear(): void {
    this.ackedBytes = 0;
    this.sackedBytes = 0;
    this.deliveredBytes = 0;
    this.lostBytes = 0;
    this.rttMs = -1;
    this.firstRttMs = -1;
    this.priorInFlightBytes = 0;
    this.hasUnaAdvanced = false;
    this.hasOriginalDelivered = false;
    this.hasRetransmittedAcked = false;
    this.hasSacked = false;
    this.hasDsack = false;
    this.hasProbeDelivered = false;
    this.isDuplicate = false;
    this.hasEce = false;
    this.hasTimestamps = false;
    this.tsEcr = 0;
    this.rateBytesPerMs = -1;
    this.rateIntervalMs = 0;
    this.isAppLimited = false;
    this.priorDeliveredBytes = 0;
    this.totalDeliveredBytes = 0;
    this.isCwndLimited = false;
  }
}
