import type { TokenBucket } from '../icmp/rate-limit.js';
import { ACK, FIN, RST, SYN } from '../tcp/segment.js';
import type { SniffedNames, TakenConnection } from '../policy/interceptor.js';
import { FlowVerdict } from './flow-policy.js';
import { Tuple } from './tuple.js';

/** States of a tracked TCP connection, as `/proc/net/nf_conntrack` names them. */
export const FlowState = {
  NONE: 0,
  SYN_SENT: 1,
  SYN_RECV: 2,
  ESTABLISHED: 3,
  FIN_WAIT: 4,
  CLOSE_WAIT: 5,
  LAST_ACK: 6,
  TIME_WAIT: 7,
  CLOSE: 8,
} as const;
export type FlowState = (typeof FlowState)[keyof typeof FlowState];

/** net.netfilter.nf_conntrack_tcp_timeout_*, by state. */
export const TCP_TIMEOUTS_MS: Readonly<Record<FlowState, number>> = {
  [FlowState.NONE]: 300_000,
  [FlowState.SYN_SENT]: 120_000,
  [FlowState.SYN_RECV]: 60_000,
  [FlowState.ESTABLISHED]: 432_000_000,
  [FlowState.FIN_WAIT]: 120_000,
  [FlowState.CLOSE_WAIT]: 60_000,
  [FlowState.LAST_ACK]: 30_000,
  [FlowState.TIME_WAIT]: 120_000,
  [FlowState.CLOSE]: 10_000,
};

/** The entry of one direction in the table. */
export interface FlowEnd {
  readonly tuple: Tuple;
  readonly flow: Flow;
  readonly isReply: boolean;
  hash: number;
  next: FlowEnd | null;
}

/** A tracked connection. Where addresses are translated, `reply` is not the reverse of `original`. */
export class Flow {
  readonly original: FlowEnd;
  readonly reply: FlowEnd;
  state: FlowState = FlowState.NONE;
  /** Whether the peer has answered. */
  hasReply = false;
  /** Whether it has shown that it lasts: a TCP connection is made, or datagrams go both ways for a while. */
  isAssured = false;
  /** A number that no other flow of the table has; 0 before it is confirmed. */
  id = 0;
  /** When its first packet came. */
  readonly beganMs: number;
  /** Whether it is in the table: it came through all hooks. */
  isConfirmed = false;
  /** Whether source and destination have been settled by the nat table. */
  isSourceSettled = false;
  isDestinationSettled = false;
  expiresMs = 0;
  mark = 0;
  /** Packets and bytes by direction: original, reply. */
  readonly packets: [number, number] = [0, 0];
  readonly bytes: [number, number] = [0, 0];
  /** What the policy has said, and how much it lets through; null for all. */
  verdict: FlowVerdict = FlowVerdict.UNDECIDED;
  limiter: TokenBucket | null = null;
  /** What its client has asked for, once it was looked at. */
  names: SniffedNames | null = null;
  /** The program that takes the connection over; null if none does. */
  takeOver: ((connection: TakenConnection) => void) | null = null;

  constructor(original: Tuple, nowMs: number) {
    this.beganMs = nowMs;
    this.original = { tuple: new Tuple(), flow: this, isReply: false, hash: 0, next: null };
    this.reply = { tuple: new Tuple(), flow: this, isReply: true, hash: 0, next: null };
    this.original.tuple.copyFrom(original);
    this.reply.tuple.reverseOf(original);
  }

  get isTranslated(): boolean {
    return this.hasNewSource || this.hasNewDestination;
  }

  /** Whether packets leave with another source than they came with. */
  get hasNewSource(): boolean {
    const { tuple } = this.original;
    const reply = this.reply.tuple;
    return !reply.dst.equals(tuple.src) || reply.dstPort !== tuple.srcPort;
  }

  /** Whether packets go to another destination than they were sent to. */
  get hasNewDestination(): boolean {
    const { tuple } = this.original;
    const reply = this.reply.tuple;
    return !reply.src.equals(tuple.dst) || reply.srcPort !== tuple.dstPort;
  }

  /** Follows a TCP segment with these control bits. */
  seeTcp(flags: number, isReply: boolean): void {
    this.state = stateOnSegment(this.state, flags, isReply);
    if (this.hasReply && this.state === FlowState.ESTABLISHED) this.isAssured = true;
  }
}

/**
 * The state after a segment of a direction; a FIN sent again counts as the other side's, as in Linux. Loose, as
 * nf_conntrack_tcp_loose: a connection may be met half way.
 */
export function stateOnSegment(state: FlowState, flags: number, isReply: boolean): FlowState {
  if (flags & RST) return FlowState.CLOSE;
  switch (state) {
    case FlowState.NONE:
      return (flags & SYN) !== 0 && !isReply ? FlowState.SYN_SENT : FlowState.ESTABLISHED;
    case FlowState.SYN_SENT:
      return isReply && (flags & SYN) !== 0 ? FlowState.SYN_RECV : FlowState.SYN_SENT;
    case FlowState.SYN_RECV:
      return flags & FIN ? FlowState.FIN_WAIT : !isReply && !(flags & SYN) ? FlowState.ESTABLISHED : state;
    case FlowState.ESTABLISHED:
      return flags & FIN ? FlowState.FIN_WAIT : state;
    case FlowState.FIN_WAIT:
      if (flags & FIN) return FlowState.LAST_ACK;
      return (flags & (SYN | ACK)) === ACK ? FlowState.CLOSE_WAIT : state;
    case FlowState.CLOSE_WAIT:
      return flags & FIN ? FlowState.LAST_ACK : state;
    case FlowState.LAST_ACK:
      return (flags & (SYN | FIN | ACK)) === ACK ? FlowState.TIME_WAIT : state;
    case FlowState.TIME_WAIT:
    case FlowState.CLOSE:
      return (flags & SYN) !== 0 && !isReply ? FlowState.SYN_SENT : state;
  }
}
