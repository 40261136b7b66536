import { Connection } from './connection.js';
import type { Handshake } from './handshake.js';
import { Urgent } from './receiver.js';
import { ACK, CWR, Ecn, FIN, RST, type Segment, SYN, URG } from './segment.js';
import { seqAdd, seqDiff, seqGt, seqLe, seqLt } from './sequence.js';
import { TcpError } from './tcp-error.js';
import { canReceiveText, stateOnFin, stateOnFinAcked, TcpState } from './tcp-state.js';

/** SEGMENT ARRIVES: RFC 9293 section 3.10.7. */
export abstract class SegmentArrival extends Connection {
  #invalidAnsweredMs = -Infinity;

  /** Takes a segment of this connection. It is borrowed. */
  input(seg: Readonly<Segment>, nowMs: number): void {
    this.context.nowMs = nowMs;
    this.wantsOutput = true;
    this.context.counters.InSegs++;
    this.segmentInCount++;
    if (seg.textLen > 0) this.textInCount++;
    if (this.currentState === TcpState.CLOSE) return;
    if (this.currentState === TcpState.SYN_SENT) this.#inputSynSent(seg, this.handshake!, nowMs);
    else this.#inputSynchronized(seg, nowMs);
  }

  /** A segment in SYN-SENT: RFC 9293 section 3.10.7.3, step for step. */
  #inputSynSent(seg: Readonly<Segment>, handshake: Handshake, nowMs: number): void {
    const { sender } = this;
    const hasAck = (seg.flags & ACK) !== 0;
    if (hasAck && (seqLe(seg.ack, sender.iss) || seqGt(seg.ack, sender.sndNxt))) {
      if (!(seg.flags & RST)) handshake.replyReset(seg.ack);
      return;
    }
    if (seg.flags & RST) {
      if (hasAck) this.end(TcpError.REFUSED);
      return;
    }
    if (!(seg.flags & SYN)) return;
    this.takeSyn(seg, nowMs);
    if (!hasAck) {
      // Simultaneous open.
      this.setState(TcpState.SYN_RECV);
      handshake.mustSendSyn = true;
      handshake.synCount = 0;
      return;
    }
    const ackedBytes = seqDiff(seg.ack, sender.iss);
    // As Linux, whose tcpi_bytes_acked counts the SYN of who calls.
    sender.ackedBytes = ackedBytes;
    this.noteSynAcked(ackedBytes - 1, nowMs);
    sender.onSynAcked(seg.ack, nowMs);
    sender.setWindow(seg, seg.window);
    const rttMs = handshake.synCount === 1 ? nowMs - handshake.synSentMs : -1;
    this.becomeEstablished(rttMs, handshake.synCount > 1, nowMs);
    this.receiver.ackNow();
  }

  /** A segment in any other state: RFC 9293 section 3.10.7.4, step for step, with RFC 5961 and RFC 7323. */
  #inputSynchronized(seg: Readonly<Segment>, nowMs: number): void {
    const { receiver } = this;
    if (this.#isSynAckOfSimultaneousOpen(seg)) {
      this.#acceptAck(seg, nowMs);
      return;
    }
    if (!(seg.flags & RST) && this.hasTimestamps && receiver.isOldDuplicate(seg, nowMs)) {
      this.context.counters.PAWSEstab++;
      this.#answerInvalid(seg, nowMs);
      return;
    }
    // First: the sequence number.
    if (!receiver.isAcceptable(seg)) {
      this.#onUnacceptable(seg, nowMs);
      return;
    }
    // Second: RST. RFC 5961 section 3.2.
    if (seg.flags & RST) {
      if (seg.seq === receiver.rcvNxt) this.#onReset();
      else this.#challenge(nowMs);
      return;
    }
    // Fourth: SYN. RFC 5961 section 4.2.
    if (seg.flags & SYN) {
      this.context.counters.TCPSYNChallenge++;
      this.#challenge(nowMs);
      return;
    }
    // Fifth: ACK.
    this.lastHeardMs = nowMs;
    this.keepAlive?.onHeard();
    if (!(seg.flags & ACK) || !this.#acceptAck(seg, nowMs)) return;
    if (this.hasTimestamps) this.#noteTimestamp(seg, nowMs);
    if (this.sender.isEcnUsed) this.#noteEcn(seg);
    // Sixth: URG.
    if (seg.flags & URG && canReceiveText(this.currentState)) receiver.noteUrgent(seg);
    // Seventh and eighth: text and FIN.
    this.#acceptText(seg, nowMs);
  }

  #isSynAckOfSimultaneousOpen(seg: Readonly<Segment>): boolean {
    return (
      this.currentState === TcpState.SYN_RECV &&
      (seg.flags & (SYN | ACK | RST)) === (SYN | ACK) &&
      seg.seq === this.receiver.irs &&
      seg.ack === this.sender.sndNxt
    );
  }

  #onUnacceptable(seg: Readonly<Segment>, nowMs: number): void {
    if (seg.flags & RST) return;
    if (seg.flags & SYN) {
      this.context.counters.TCPSYNChallenge++;
      this.#challenge(nowMs);
      return;
    }
    if (this.currentState === TcpState.TIME_WAIT && seg.flags & FIN) this.enterTimeWait(nowMs);
    // With a closed window, acknowledgements and urgent pointers are still valid (MUST-66).
    if (this.receiver.windowBytes === 0 && seg.seq === this.receiver.rcvNxt && seg.flags & ACK) {
      this.#acceptAck(seg, nowMs);
      if (seg.flags & URG && canReceiveText(this.currentState)) this.receiver.noteUrgent(seg);
    }
    this.receiver.noteUnacceptable(seg);
    this.#answerInvalid(seg, nowMs);
  }

  /** Fifth of section 3.10.7.4. False if the segment is to be dropped. */
  #acceptAck(seg: Readonly<Segment>, nowMs: number): boolean {
    const { sender } = this;
    if (this.currentState === TcpState.SYN_RECV && !this.#acceptAckOfSyn(seg, nowMs)) return false;
    if (seqGt(seg.ack, sender.sndNxt)) {
      this.#challenge(nowMs);
      return false;
    }
    if (seqLt(seg.ack, sender.sndUna)) {
      // RFC 5961 section 5.2.
      if (seqDiff(sender.sndUna, seg.ack) <= Math.max(sender.maxSndWnd, 1)) return true;
      this.#challenge(nowMs);
      return false;
    }
    const isFinAckedBefore = sender.isFinAcked;
    if (sender.acceptAck(seg, this.tsNow(nowMs), nowMs)) {
      this.softError = 0;
      this.tuneSendBuffer();
    }
    if (sender.isFinAcked && !isFinAckedBefore) this.#onFinAcked(nowMs);
    return this.currentState !== TcpState.CLOSE;
  }

  #acceptAckOfSyn(seg: Readonly<Segment>, nowMs: number): boolean {
    const { sender } = this;
    if (seqLe(seg.ack, sender.iss) || seqGt(seg.ack, sender.sndNxt)) {
      this.handshake?.replyReset(seg.ack);
      return false;
    }
    sender.onSynAcked(seg.ack, nowMs);
    sender.setWindow(seg, seg.flags & SYN ? seg.window : seg.window << sender.windowShift);
    this.becomeEstablished(-1, this.handshake !== null && this.handshake.synCount > 1, nowMs);
    return true;
  }

  #onFinAcked(nowMs: number): void {
    this.setState(stateOnFinAcked(this.currentState));
    if (this.currentState === TcpState.TIME_WAIT) this.enterTimeWait(nowMs);
    else if (this.currentState === TcpState.CLOSE) this.end(0);
    else if (this.currentState === TcpState.FIN_WAIT2 && this.hasNoOwner) this.waitForFin(nowMs);
  }

  #noteTimestamp(seg: Readonly<Segment>, nowMs: number): void {
    this.receiver.noteTimestamp(seg, nowMs);
    if (seg.hasTimestamps && seg.textLen >= this.receiver.peerMssBytes && seg.tsEcr !== 0) {
      this.tuner.onRtt(Math.max(0, seqDiff(this.tsNow(nowMs), seg.tsEcr)));
    }
  }

  /** RFC 3168 section 6.1.3. */
  #noteEcn(seg: Readonly<Segment>): void {
    if (seg.flags & CWR) this.hasEcnEcho = false;
    if (seg.ecn !== Ecn.CE) return;
    if (!this.hasEcnEcho) this.receiver.quickAck();
    this.hasEcnEcho = true;
  }

  #acceptText(seg: Readonly<Segment>, nowMs: number): void {
    const { receiver } = this;
    if (!canReceiveText(this.currentState)) {
      // Text after the peer's FIN is a mistake that is ignored; a FIN sent again is acknowledged.
      if (seg.len > 0) receiver.ackNow();
      if (seg.flags & FIN && this.currentState === TcpState.TIME_WAIT) this.enterTimeWait(nowMs);
      return;
    }
    if (seg.len === 0) return;
    if (this.hasNoOwner && seg.textLen > 0 && seqGt(seqAdd(seg.seq, seg.textLen), receiver.rcvNxt)) {
      // RFC 9293 section 3.6.1, SHLD-3: nobody is left to read it.
      this.context.counters.TCPAbortOnData++;
      this.mustReset = true;
      this.end(0);
      return;
    }
    const count = receiver.acceptText(seg, nowMs);
    if (receiver.urgent === Urgent.AWAITED) receiver.takeUrgentByte(seg);
    if (count > 0 && this.isReadShut) receiver.discard(count);
    if (!receiver.isFinReceived) return;
    this.setState(stateOnFin(this.currentState, this.sender.isFinAcked));
    if (this.currentState === TcpState.TIME_WAIT) this.enterTimeWait(nowMs);
  }

  #onReset(): void {
    if (this.currentState === TcpState.ESTABLISHED || this.currentState === TcpState.CLOSE_WAIT)
      this.context.counters.EstabResets++;
    switch (this.currentState) {
      case TcpState.SYN_RECV:
        this.end(TcpError.REFUSED);
        return;
      case TcpState.CLOSE_WAIT:
        this.end(TcpError.PIPE);
        return;
      case TcpState.TIME_WAIT:
        // RFC 1337: a reset does not cut TIME_WAIT short.
        return;
      default:
        this.end(TcpError.RESET);
    }
  }

  /** A challenge acknowledgement, if the limits allow one: RFC 5961 section 7. */
  #challenge(nowMs: number): void {
    if (nowMs - this.#invalidAnsweredMs < this.context.settings.invalidRateLimitMs) return;
    if (!this.context.takeChallengeAck(nowMs)) return;
    this.#invalidAnsweredMs = nowMs;
    this.receiver.ackNow();
  }

  /** Acknowledges a segment outside of the window. Those without text at a limited rate, so that two peers do not loop. */
  #answerInvalid(seg: Readonly<Segment>, nowMs: number): void {
    if (seg.len === 0) {
      if (nowMs - this.#invalidAnsweredMs < this.context.settings.invalidRateLimitMs) return;
      this.#invalidAnsweredMs = nowMs;
    }
    this.receiver.ackNow();
  }
}
