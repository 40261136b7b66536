import { type Segment, FIN, SYN, RST, PSH, ACK, URG, ECE, CWR } from '../segment.js';

const FLAG_LETTERS = [
  [SYN, 'S'],
  [FIN, 'F'],
  [RST, 'R'],
  [PSH, 'P'],
  [ACK, '.'],
  [URG, 'U'],
  [ECE, 'E'],
  [CWR, 'W'],
] as const;

/** A segment in a line, as tcpdump prints it. */
export function traceLine(seg: Readonly<Segment>): string {
  const flags = FLAG_LETTERS.filter(([bit]) => seg.flags & bit)
    .map(([, letter]) => letter)
    .join('');
  const sacks = Array.from(
    { length: seg.sackCount },
    (_, i) => `${seg.sackStarts[i]! >>> 0}:${seg.sackEnds[i]! >>> 0}`,
  );
  return [
    `${seg.srcPort} > ${seg.dstPort}`,
    `[${flags}]`,
    `seq ${seg.seq >>> 0}:${(seg.seq + seg.textLen) >>> 0}`,
    `ack ${seg.ack >>> 0}`,
    `win ${seg.window}`,
    sacks.length > 0 ? `sack ${sacks.join(' ')}` : '',
    seg.hasTimestamps ? `ts ${seg.tsVal} ${seg.tsEcr}` : '',
  ]
    .filter((part) => part !== '')
    .join(' ');
}
