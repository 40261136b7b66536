/** What a connection must know only until it is established. */
export class Handshake {
  /** SYNs sent, and when the first one was. */
  synCount = 0;
  synSentMs = 0;
  mustSendSyn = false;
  /** Our SYN asks for ECN. */
  isEcnAsked = false;
  /** A reset that answers a segment, and its sequence number. */
  mustReplyReset = false;
  replySeq = 0;

  /** Answers the segment that is being taken with a reset. */
  replyReset(seq: number): void {
    this.mustReplyReset = true;
    this.replySeq = seq;
  }
}
