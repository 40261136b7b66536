import fc from 'fast-check';
import { IpAddress } from '../wire/ip-address.js';
import { fieldsOf, seg, type SegFields } from './testing/seg.js';
import { ACK, FIN, PSH, Segment, SYN } from './segment.js';
import {
  encodeSegment,
  parseSegment,
  segmentHeaderBytes,
  segmentPseudoSum,
  tcpChecksumIsRight,
  tcpIsWellFormed,
} from './wire.js';

const SRC = IpAddress.parse('10.0.0.1');
const DST = IpAddress.parse('10.0.0.2');

function encode(segment: Segment): { bytes: Uint8Array; pseudoSum: number } {
  const bytes = new Uint8Array(segmentHeaderBytes(segment) + segment.textLen);
  const pseudoSum = segmentPseudoSum(segment, bytes.length, new Uint8Array(32));
  expect(encodeSegment(segment, bytes, 0, pseudoSum)).toBe(bytes.length);
  return { bytes, pseudoSum };
}

function parse(bytes: Uint8Array): Segment {
  const segment = new Segment();
  parseSegment(segment, bytes, 0, bytes.length);
  return segment;
}

describe('encodeSegment', () => {
  it('writes a SYN as Linux does', () => {
    // From a capture of Linux 5.15 over the loopback: 127.0.0.1:40000 > 127.0.0.1:8080.
    const syn = seg({
      seq: 0x01020304,
      flags: SYN,
      window: 65495,
      mss: 65495,
      isSackPermitted: true,
      timestamps: [0x0a0b0c0d, 0],
      windowShift: 7,
    });
    syn.srcPort = 40000;
    syn.dstPort = 8080;
    const { bytes } = encode(syn);
    expect(Buffer.from(bytes.subarray(20)).toString('hex')).toBe('0204ffd70402080a0a0b0c0d0000000001030307');
    expect(Buffer.from(bytes.subarray(0, 16)).toString('hex')).toBe('9c401f90010203040000000' + '0a002ffd7');
  });

  it('makes the checksum right over header and text, IPv4 and IPv6', () => {
    for (const [src, dst] of [
      [SRC, DST],
      [IpAddress.parse('fe80::1'), IpAddress.parse('fe80::2')],
    ] as const) {
      const segment = seg({ seq: 7, ack: 9, flags: ACK | PSH, window: 1000, text: 'odd' });
      segment.src = src;
      segment.dst = dst;
      const { bytes, pseudoSum } = encode(segment);
      expect(tcpChecksumIsRight(bytes, 0, bytes.length, pseudoSum)).toBe(true);
      bytes[bytes.length - 1]! ^= 1;
      expect(tcpChecksumIsRight(bytes, 0, bytes.length, pseudoSum)).toBe(false);
    }
  });
});

describe('parseSegment', () => {
  const u32 = fc.integer({ min: 0, max: 0xffffffff });
  const i32 = fc.integer({ min: -0x80000000, max: 0x7fffffff });
  const text = fc.string({ minLength: 1, maxLength: 200, unit: 'binary-ascii' });
  const syn: fc.Arbitrary<SegFields> = fc.record(
    {
      seq: u32,
      flags: fc.constant(SYN),
      window: fc.nat(0xffff),
      mss: fc.integer({ min: 1, max: 0xffff }),
      windowShift: fc.nat(14),
      isSackPermitted: fc.constant(true),
      timestamps: fc.tuple(i32, i32),
      fastOpenCookie: fc.constantFrom(0, 4, 8, 16).map((len) => new Uint8Array(len).fill(7)),
    },
    { requiredKeys: ['seq', 'flags', 'window'] },
  );
  const data: fc.Arbitrary<SegFields> = fc.record(
    {
      seq: u32,
      ack: fc.integer({ min: 1, max: 0xffffffff }),
      flags: fc.constantFrom(ACK, ACK | PSH, ACK | FIN),
      window: fc.nat(0xffff),
      timestamps: fc.tuple(i32, i32),
      sacks: fc.array(fc.tuple(u32, u32), { minLength: 1, maxLength: 3 }),
      text,
    },
    { requiredKeys: ['seq', 'flags', 'window'] },
  );

  it('reads what encodeSegment wrote', () => {
    fc.assert(
      fc.property(fc.oneof(syn, data), (fields) => {
        const { bytes } = encode(seg(fields));
        expect(tcpIsWellFormed(bytes, 0, bytes.length)).toBe(true);
        expect(fieldsOf(parse(bytes))).toEqual(fields);
      }),
      { seed: 9293 },
    );
  });

  it('takes any options without failing, and never reads past them', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 80 }), (bytes) => {
        if (!tcpIsWellFormed(bytes, 0, bytes.length)) return;
        const segment = parse(bytes);
        expect(segment.textAt + segment.textLen).toBe(bytes.length);
        expect(segment.sackCount).toBeLessThanOrEqual(4);
      }),
      { seed: 793, numRuns: 2000 },
    );
  });

  it('MUST-6: ignores an option that it does not know, and reads the next', () => {
    const { bytes } = encode(seg({ flags: SYN, mss: 1460, windowShift: 3 }));
    bytes[20] = 99;
    expect(fieldsOf(parse(bytes))).toEqual({ seq: 0, flags: SYN, window: 0, windowShift: 3 });
  });

  it.each`
    what                                | options
    ${'a length of zero'}               | ${[2, 0, 5, 180]}
    ${'a length of one'}                | ${[99, 1, 2, 4]}
    ${'a length past the end'}          | ${[3, 40, 7, 0]}
    ${'a kind without a length'}        | ${[1, 1, 1, 2]}
    ${'MSS of the wrong length'}        | ${[2, 3, 5, 0]}
    ${'SACK that is no whole block'}    | ${[5, 4, 1, 2]}
    ${'a cookie of an impossible size'} | ${[34, 4, 1, 2]}
    ${'options after the end-of-list'}  | ${[0, 2, 4, 5]}
  `('MUST-7: survives $what', ({ options }: { options: number[] }) => {
    const bytes = new Uint8Array(24);
    bytes[12] = 6 << 4;
    bytes[13] = SYN;
    bytes.set(options, 20);
    expect(fieldsOf(parse(bytes))).toEqual({ seq: 0, flags: SYN, window: 0 });
  });

  it('takes a shift above 14 for 14: RFC 7323 section 2.3', () => {
    const { bytes } = encode(seg({ flags: SYN, windowShift: 14 }));
    bytes[23] = 15;
    expect(parse(bytes).windowShift).toBe(14);
  });

  it('ignores MSS, window scale and SACK-permitted without SYN', () => {
    const { bytes } = encode(seg({ flags: ACK, mss: 1460, windowShift: 3, isSackPermitted: true }));
    expect(fieldsOf(parse(bytes))).toEqual({ seq: 0, flags: ACK, window: 0 });
  });
});

describe('tcpIsWellFormed', () => {
  it.each`
    len   | dataOffset | isWellFormed
    ${19} | ${5}       | ${false}
    ${20} | ${4}       | ${false}
    ${20} | ${5}       | ${true}
    ${23} | ${6}       | ${false}
    ${24} | ${6}       | ${true}
    ${60} | ${15}      | ${true}
  `('$len bytes with a data offset of $dataOffset: $isWellFormed', ({ len, dataOffset, isWellFormed }) => {
    const bytes = new Uint8Array(60);
    bytes[12] = (dataOffset as number) << 4;
    expect(tcpIsWellFormed(bytes, 0, len as number)).toBe(isWellFormed);
  });
});
