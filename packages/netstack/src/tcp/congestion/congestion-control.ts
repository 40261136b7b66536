import type { TcpPathModel } from '@tsv/abi';
import type { AckSample } from '../ack-sample.js';

/** State of loss recovery, `enum tcp_ca_state` of `linux/tcp.h`. */
export const CaState = { OPEN: 0, DISORDER: 1, CWR: 2, RECOVERY: 3, LOSS: 4 } as const;
export type CaState = (typeof CaState)[keyof typeof CaState];

/** Initial window in segments, RFC 6928. */
export const INITIAL_WINDOW_SEGMENTS = 10;
/** Smallest threshold in segments, RFC 5681 section 3.1. */
export const SSTHRESH_SEGMENTS_MIN = 2;

/** How much may be in flight. One object a connection; windows are in bytes. */
export abstract class CongestionControl {
  mssBytes = 536;
  cwndBytes = 0;
  ssthreshBytes = Infinity;
  /** Sending rate; 0 for as fast as the window allows. */
  pacingBytesPerMs = 0;

  /** Name for TCP_CONGESTION. */
  abstract get name(): string;

  /** Sets the window in all states and paces by itself. Otherwise recovery reduces it by PRR (RFC 6937). */
  get ownsWindow(): boolean {
    return false;
  }

  /** Starts with the window `cwndBytes`. `random`: any 32-bit number. */
  start(mssBytes: number, cwndBytes: number, _random: number, _nowMs: number): void {
    this.mssBytes = mssBytes;
    this.cwndBytes = cwndBytes;
  }

  /** An acknowledgement came that may raise the window. */
  abstract onAck(sample: Readonly<AckSample>, nowMs: number): void;

  /** The threshold after a loss, with `flightBytes` out by then; after a mark of congestion that is Infinity. */
  abstract ssthreshOnLoss(flightBytes: number): number;

  /** Loss recovery goes to `state`. `inFlightBytes`: what is out now. */
  onStateChange(_state: CaState, _inFlightBytes: number): void {
    return;
  }

  /** The last reduction was for nothing; the window is restored to what it was. */
  onUndo(): void {
    return;
  }

  /** Nothing is in flight any more, and nothing is left to be sent. */
  onRest(): void {
    return;
  }

  /** Sending goes on after `idleMs` without anything in flight. */
  onIdleEnd(_idleMs: number): void {
    return;
  }

  /** What TCP_CC_INFO tells of an algorithm that models the path; null for others. */
  get model(): TcpPathModel | null {
    return null;
  }

  get isInSlowStart(): boolean {
    return this.cwndBytes < this.ssthreshBytes;
  }

  /** RFC 5681 section 3.1, equation 2, per RFC 3465; returns the bytes that are left for congestion avoidance. */
  protected slowStart(ackedBytes: number): number {
    const grown = Math.min(this.cwndBytes + ackedBytes, this.ssthreshBytes);
    const left = ackedBytes - (grown - this.cwndBytes);
    this.cwndBytes = grown;
    return left;
  }

  protected get ssthreshBytesMin(): number {
    return SSTHRESH_SEGMENTS_MIN * this.mssBytes;
  }
}
