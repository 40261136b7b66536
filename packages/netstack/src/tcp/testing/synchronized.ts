import { ACK } from '../segment.js';
import {
  LOCAL_SEQ,
  REMOTE_SEQ,
  REMOTE_WINDOW,
  type Script,
  socketCloseWait,
  socketClosing,
  socketEstablished,
  socketFinWait1,
  socketFinWait2,
  socketLastAck,
  socketTimeWait,
} from './fixture.js';
import { seg, type SegFields } from './seg.js';

/** A segment of the peer in a synchronized state. */
export function peer(fields: SegFields): ReturnType<typeof seg> {
  return seg({ seq: REMOTE_SEQ, ack: LOCAL_SEQ, flags: ACK, window: REMOTE_WINDOW, ...fields });
}

/** An acknowledgement of ours. */
export function ours(fields: SegFields = {}): SegFields {
  return { seq: LOCAL_SEQ, ack: REMOTE_SEQ, flags: ACK, ...fields };
}

/** The synchronized states: name, fixture, and the sequence numbers that each side sends next. */
export const SYNCHRONIZED: [string, () => Script, number, number][] = [
  ['ESTABLISHED', socketEstablished, LOCAL_SEQ, REMOTE_SEQ],
  ['FIN_WAIT1', socketFinWait1, LOCAL_SEQ + 1, REMOTE_SEQ],
  ['FIN_WAIT2', socketFinWait2, LOCAL_SEQ + 1, REMOTE_SEQ],
  ['CLOSE_WAIT', socketCloseWait, LOCAL_SEQ, REMOTE_SEQ + 1],
  ['CLOSING', socketClosing, LOCAL_SEQ + 1, REMOTE_SEQ + 1],
  ['LAST_ACK', socketLastAck, LOCAL_SEQ + 1, REMOTE_SEQ + 1],
  ['TIME_WAIT', socketTimeWait, LOCAL_SEQ + 1, REMOTE_SEQ + 1],
];
