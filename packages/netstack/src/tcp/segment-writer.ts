import type { IpAddress } from '../wire/ip-address.js';
import { Receiver } from './receiver.js';
import { ACK, CWR, ECE, Ecn, FIN, PSH, RST, type Segment, type SegmentSink, SYN, URG } from './segment.js';
import { seqDiff, seqGt, seqLt } from './sequence.js';
import type { Sender } from './sender.js';
import { SentFlag, type SentSegment } from './sent-queue.js';
import type { TcpContext } from './tcp-settings.js';

/** SACK blocks beside timestamps: RFC 7323 appendix A. */
const SACK_BLOCKS_WITH_TIMESTAMPS = 3;
const SACK_BLOCKS_ALONE = 4;

/** Makes the segments of a connection from the state of its halves, and hands them to the sink. */
export abstract class SegmentWriter {
  readonly context: TcpContext;
  readonly sender: Sender;
  readonly receiver = new Receiver();
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;

  /** Both sides agreed on timestamps, RFC 7323. */
  hasTimestamps = false;
  /** RFC 3168: the peer is to be told of congestion. */
  protected hasEcnEcho = false;

  /** Segments sent, and those with text. */
  segmentOutCount = 0;
  textOutCount = 0;

  constructor(
    context: TcpContext,
    sender: Sender,
    local: IpAddress,
    localPort: number,
    remote: IpAddress,
    remotePort: number,
  ) {
    this.context = context;
    this.sender = sender;
    this.local = local;
    this.localPort = localPort;
    this.remote = remote;
    this.remotePort = remotePort;
  }

  /** Our timestamp at `nowMs`. */
  tsNow(nowMs: number): number {
    return (Math.floor(nowMs) + this.sender.tsOffset) | 0;
  }

  /** An acknowledgement without text. */
  protected writeAck(nowMs: number, sink: SegmentSink): void {
    const seg = this.#begin(ACK, this.sender.sndNxt, nowMs);
    this.receiver.addSackBlocks(seg, this.hasTimestamps ? SACK_BLOCKS_WITH_TIMESTAMPS : SACK_BLOCKS_ALONE);
    this.#emitAck(seg, sink);
  }

  /** A segment below the window, which the peer must answer: keepalive and zero-window probe, as Linux sends them. */
  protected writeProbe(nowMs: number, sink: SegmentSink): void {
    this.#emitAck(this.#begin(ACK, (this.sender.sndUna - 1) | 0, nowMs), sink);
  }

  /** `sent`, which the sender has just counted, with its text. `mssBytes`: what the path takes. */
  protected writeText(sent: Readonly<SentSegment>, nowMs: number, sink: SegmentSink): void {
    const sender = this.sender;
    const isRetransmission = (sent.flags & SentFlag.EVER_RETRANS) !== 0;
    let flags = ACK;
    if (sent.flags & SentFlag.FIN) flags |= FIN;
    if (!seqLt(sent.end, sender.endSeq)) flags |= PSH;
    const seg = this.#begin(flags, sent.seq, nowMs);
    const len = sender.textLen(sent);
    this.#setText(seg, sender.textOffset(sent), len);
    const isProbe = (sent.flags & SentFlag.MTU_PROBE) !== 0 && !isRetransmission;
    if (len > sender.mssBytes && !isProbe) seg.segmentBytes = sender.mssBytes;
    // RFC 3168 section 6.1.4: a bare FIN is no data packet.
    if (this.sender.isEcnUsed && !isRetransmission && len > 0) {
      seg.ecn = Ecn.ECT_0;
      if (sender.recovery.hasCongestionSignal) {
        seg.flags |= CWR;
        sender.recovery.hasCongestionSignal = false;
      }
    }
    if (sender.hasUrgent && seqGt(sender.sndUp, sent.seq)) {
      seg.flags |= URG;
      seg.urgentPointer = Math.min(seqDiff(sender.sndUp, sent.seq), 0xffff);
    }
    if (isRetransmission) this.context.counters.RetransSegs++;
    this.#emitAck(seg, sink);
  }

  /** A SYN, or the SYN and ACK of a simultaneous open; the caller adds options. */
  protected beginSyn(flags: number, nowMs: number): Segment {
    const seg = this.#begin(flags, this.sender.iss, nowMs);
    // RFC 7323 section 2.2: never scaled.
    seg.window = Math.min(this.receiver.freeBytes, 0xffff);
    return seg;
  }

  /** Text from the ring for a SYN. */
  protected setSynText(seg: Segment, len: number): void {
    this.#setText(seg, 0, len);
  }

  protected write(seg: Segment, sink: SegmentSink): void {
    this.context.counters.OutSegs++;
    this.segmentOutCount++;
    if (seg.textLen > 0) this.textOutCount++;
    sink.emit(seg);
  }

  /** A reset of this connection. */
  protected writeReset(nowMs: number, sink: SegmentSink): void {
    const seg = this.#begin(RST | ACK, this.sender.sndNxt, nowMs);
    this.context.counters.OutRsts++;
    this.write(seg, sink);
  }

  /** A reset that answers an unacceptable acknowledgement: <SEQ=SEG.ACK><CTL=RST>, RFC 9293 section 3.5.2. */
  protected writeResetAt(seq: number, sink: SegmentSink): void {
    const seg = this.#header(RST, seq);
    this.context.counters.OutRsts++;
    this.write(seg, sink);
  }

  #emitAck(seg: Segment, sink: SegmentSink): void {
    this.receiver.onAckSent();
    this.write(seg, sink);
  }

  #begin(flags: number, seq: number, nowMs: number): Segment {
    const seg = this.#header(flags, seq);
    const receiver = this.receiver;
    if (flags & ACK) {
      seg.ack = receiver.rcvNxt;
      if (!(flags & SYN)) seg.window = receiver.offerWindow(receiver.windowShift);
      if (this.hasEcnEcho && !(flags & (SYN | RST))) seg.flags |= ECE;
    }
    if (this.hasTimestamps) {
      seg.hasTimestamps = true;
      seg.tsVal = this.tsNow(nowMs);
      seg.tsEcr = flags & ACK ? receiver.tsRecent : 0;
    }
    return seg;
  }

  #header(flags: number, seq: number): Segment {
    const seg = this.context.segment;
    seg.clear();
    seg.src = this.local;
    seg.dst = this.remote;
    seg.srcPort = this.localPort;
    seg.dstPort = this.remotePort;
    seg.flags = flags;
    seg.seq = seq;
    return seg;
  }

  #setText(seg: Segment, offset: number, len: number): void {
    if (len <= 0) return;
    const { ring } = this.sender;
    if (ring.span(offset, len) === len) {
      seg.setText(ring.bytes, ring.spanAt, len);
      return;
    }
    const { gatherBytes } = this.context;
    ring.copyTo(offset, gatherBytes, 0, len);
    seg.setText(gatherBytes, 0, len);
  }
}
