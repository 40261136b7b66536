import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { IPV4_ANY, type IpAddress } from '../wire/ip-address.js';

/** Control bits, RFC 9293 section 3.1 and RFC 3168 section 6.1. */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

/** ECN field of the IP header, RFC 3168 section 5. */
export const Ecn = { NOT_ECT: 0, ECT_1: 1, ECT_0: 2, CE: 3 } as const;

/** SACK blocks that fit in a header, RFC 2018 section 3. */
export const SACK_BLOCKS_MAX = 4;
/** RFC 7413 section 4.1.1. */
export const FAST_OPEN_COOKIE_BYTES_MAX = 16;

/** A window scale option that is absent. */
export const NO_WINDOW_SHIFT = -1;
/** A fast open option that is absent. A length of 0 asks for a cookie. */
export const NO_FAST_OPEN = -1;

const NO_TEXT = new Uint8Array(0);

/**
 * A TCP segment: the fields of its header, the addresses of its IP header, and a view of its text. Objects are reused:
 * a segment that is passed on, its addresses and its text are borrowed until the call returns.
 */
export class Segment {
  src: IpAddress = IPV4_ANY;
  dst: IpAddress = IPV4_ANY;
  srcPort = 0;
  dstPort = 0;
  /** Signed 32-bit, as all sequence numbers and timestamps. */
  seq = 0;
  ack = 0;
  flags = 0;
  /** The field of the header, not scaled. */
  window = 0;
  urgentPointer = 0;
  /** ECN field of the IP header, {@link Ecn}. */
  ecn = 0;

  /** Maximum segment size option; 0 if absent. */
  mss = 0;
  /** Window scale option, or {@link NO_WINDOW_SHIFT}. */
  windowShift = NO_WINDOW_SHIFT;
  isSackPermitted = false;
  hasTimestamps = false;
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  readonly sackStarts: number[] = [0, 0, 0, 0];
  readonly sackEnds: number[] = [0, 0, 0, 0];
  /** Length of {@link Segment.fastOpenCookie}, or {@link NO_FAST_OPEN}. */
  fastOpenLen = NO_FAST_OPEN;
  readonly fastOpenCookie = new Uint8Array(FAST_OPEN_COOKIE_BYTES_MAX);

  text: Uint8Array = NO_TEXT;
  textAt = 0;
  textLen = 0;
  /** When the text is to be cut into several segments on the way (GSO): the text bytes of each. Else 0. */
  segmentBytes = 0;

  /** The packet that the text is in, if it may be kept: see {@link Segment.takePacket}. */
  packet: PacketBuffer | null = null;

  /** Sequence space that the segment takes: SEG.LEN of RFC 9293 section 3.3.1. */
  get len(): number {
    return this.textLen + ((this.flags & SYN) >> 1) + (this.flags & FIN);
  }

  /** Takes the packet over, which the caller then releases, or returns null. The text stays where it is. */
  takePacket(): PacketBuffer | null {
    const { packet } = this;
    this.packet = null;
    return packet;
  }

  /** Makes it a segment without options and text. Addresses and ports stay. */
  clear(): void {
    this.seq = 0;
    this.ack = 0;
    this.flags = 0;
    this.window = 0;
    this.urgentPointer = 0;
    this.ecn = 0;
    this.clearOptions();
    this.text = NO_TEXT;
    this.textAt = 0;
    this.textLen = 0;
    this.segmentBytes = 0;
  }

  clearOptions(): void {
    this.mss = 0;
    this.windowShift = NO_WINDOW_SHIFT;
    this.isSackPermitted = false;
    this.hasTimestamps = false;
    this.tsVal = 0;
    this.tsEcr = 0;
    this.sackCount = 0;
    this.fastOpenLen = NO_FAST_OPEN;
  }

  /** Adds a SACK block. Preconditions: there are fewer than {@link SACK_BLOCKS_MAX}. */
  addSack(start: number, end: number): void {
    this.sackStarts[this.sackCount] = start;
    this.sackEnds[this.sackCount] = end;
    this.sackCount++;
  }

  /** Sets the view of the text. */
  setText(text: Uint8Array, at: number, len: number): void {
    this.text = text;
    this.textAt = at;
    this.textLen = len;
  }
}

/** Takes the segments that an endpoint or a listener sends. */
export interface SegmentSink {
  /** Sends `seg`. It is borrowed: encoded or copied before any other endpoint is called. */
  emit(seg: Segment): void;
}

/**
 * Makes `reply` the reset that answers `seg` where there is no connection: RFC 9293 section 3.10.7.1. False if `seg` is
 * a reset itself, which is never answered.
 */
export function resetFor(seg: Readonly<Segment>, reply: Segment): boolean {
  if (seg.flags & RST) return false;
  reply.clear();
  reply.src = seg.dst;
  reply.dst = seg.src;
  reply.srcPort = seg.dstPort;
  reply.dstPort = seg.srcPort;
  if (seg.flags & ACK) {
    reply.flags = RST;
    reply.seq = seg.ack;
  } else {
    reply.flags = RST | ACK;
    reply.ack = (seg.seq + seg.len) | 0;
  }
  return true;
}
