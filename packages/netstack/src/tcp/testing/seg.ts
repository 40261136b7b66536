import { Segment } from '../segment.js';

/** What a test says of a segment; what it leaves out is zero or absent. */
export interface SegFields {
  seq?: number;
  ack?: number;
  flags?: number;
  window?: number;
  urgentPointer?: number;
  ecn?: number;
  mss?: number;
  windowShift?: number;
  isSackPermitted?: boolean;
  /** [tsVal, tsEcr]. */
  timestamps?: readonly [number, number];
  sacks?: readonly (readonly [number, number])[];
  fastOpenCookie?: Uint8Array;
  text?: string | Uint8Array;
}

/** A segment with `fields`. */
export function seg(fields: SegFields): Segment {
  const segment = new Segment();
  segment.seq = (fields.seq ?? 0) | 0;
  segment.ack = (fields.ack ?? 0) | 0;
  segment.flags = fields.flags ?? 0;
  segment.window = fields.window ?? 0;
  segment.urgentPointer = fields.urgentPointer ?? 0;
  segment.ecn = fields.ecn ?? 0;
  segment.mss = fields.mss ?? 0;
  if (fields.windowShift !== undefined) segment.windowShift = fields.windowShift;
  segment.isSackPermitted = fields.isSackPermitted ?? false;
  if (fields.timestamps !== undefined) {
    segment.hasTimestamps = true;
    segment.tsVal = fields.timestamps[0] | 0;
    segment.tsEcr = fields.timestamps[1] | 0;
  }
  for (const [start, end] of fields.sacks ?? []) segment.addSack(start | 0, end | 0);
  if (fields.fastOpenCookie !== undefined) {
    segment.fastOpenCookie.set(fields.fastOpenCookie);
    segment.fastOpenLen = fields.fastOpenCookie.length;
  }
  const text = typeof fields.text === 'string' ? bytesOf(fields.text) : fields.text;
  if (text !== undefined) segment.setText(text, 0, text.length);
  return segment;
}

/** The fields of `segment` that are not zero or absent, to compare with {@link seg}'s. */
export function fieldsOf(segment: Readonly<Segment>): SegFields {
  const fields: SegFields = { seq: segment.seq >>> 0, flags: segment.flags, window: segment.window };
  if (segment.ack !== 0) fields.ack = segment.ack >>> 0;
  if (segment.urgentPointer !== 0) fields.urgentPointer = segment.urgentPointer;
  if (segment.ecn !== 0) fields.ecn = segment.ecn;
  if (segment.mss !== 0) fields.mss = segment.mss;
  if (segment.windowShift >= 0) fields.windowShift = segment.windowShift;
  if (segment.isSackPermitted) fields.isSackPermitted = true;
  if (segment.hasTimestamps) fields.timestamps = [segment.tsVal, segment.tsEcr];
  if (segment.sackCount > 0) {
    fields.sacks = Array.from({ length: segment.sackCount }, (_, i) => [
      segment.sackStarts[i]! >>> 0,
      segment.sackEnds[i]! >>> 0,
    ]);
  }
  if (segment.fastOpenLen >= 0) fields.fastOpenCookie = segment.fastOpenCookie.slice(0, segment.fastOpenLen);
  if (segment.textLen > 0) fields.text = textOf(segment);
  return fields;
}

/** The text of `segment` as Latin-1. */
export function textOf(segment: Readonly<Segment>): string {
  const { text, textAt, textLen } = segment;
  return String.fromCharCode(...text.subarray(textAt, textAt + textLen));
}

export function bytesOf(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}
