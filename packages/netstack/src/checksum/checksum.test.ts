import fc from 'fast-check';
import { checksumAdd, checksumFold, checksumUpdate, pseudoHeaderSum4, pseudoHeaderSum6 } from './checksum.js';

/** RFC 1071 section 4.1, word by word. */
function checksumByTheBook(bytes: Uint8Array, at: number, len: number): number {
  let sum = 0;
  for (let i = 0; i < len; i += 2) {
    sum += (bytes[at + i]! << 8) | (i + 1 < len ? bytes[at + i + 1]! : 0);
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return ~sum & 0xffff;
}

describe('checksumAdd, RFC 1071', () => {
  it('gives the sum of the example in section 3', () => {
    const bytes = new Uint8Array([0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
    expect(checksumFold(checksumAdd(0, bytes, 0, 8))).toBe(~0xddf2 & 0xffff);
  });

  it('agrees with the definition at every alignment and length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), fc.nat(5), (bytes, skip) => {
        const at = Math.min(skip, bytes.length);
        const len = bytes.length - at;
        expect(checksumFold(checksumAdd(0, bytes, at, len))).toBe(checksumByTheBook(bytes, at, len));
      }),
    );
  });

  it('holds the largest packet of all ones', () => {
    const bytes = new Uint8Array(200_001).fill(0xff);
    for (const at of [0, 1]) {
      expect(checksumFold(checksumAdd(0, bytes, at, 200_000))).toBe(checksumByTheBook(bytes, at, 200_000));
    }
  });

  it('adds up over parts of even length', () => {
    const bytes = Uint8Array.from({ length: 1001 }, (_, i) => (i * 7919) >>> 3);
    const whole = checksumFold(checksumAdd(0, bytes, 1, 1000));
    expect(checksumFold(checksumAdd(checksumAdd(0, bytes, 1, 300), bytes, 301, 700))).toBe(whole);
  });
});

describe('checksumUpdate, RFC 1624', () => {
  it('equals a new sum after a word has changed', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), fc.nat(9), fc.nat(0xffff), (bytes, word, value) => {
        bytes[0] = 0x45; // A sum of nothing but zeros has two representations.
        const at = 2 + 2 * (word % 9);
        const field = checksumByTheBook(bytes, 0, 20);
        const before = (bytes[at]! << 8) | bytes[at + 1]!;
        bytes[at] = value >>> 8;
        bytes[at + 1] = value & 0xff;
        expect(checksumUpdate(field, before, value)).toBe(checksumByTheBook(bytes, 0, 20));
      }),
    );
  });
});

describe('pseudoHeaderSum4 and pseudoHeaderSum6', () => {
  it('sums what RFC 768 lays out', () => {
    const header = new Uint8Array([10, 0, 0, 1, 10, 0, 0, 2, 0, 17, 0x12, 0x34]);
    expect(checksumFold(pseudoHeaderSum4(header, 0, header, 4, 17, 0x1234))).toBe(checksumByTheBook(header, 0, 12));
  });

  it('sums what RFC 8200 section 8.1 lays out', () => {
    const header = Uint8Array.from({ length: 40 }, (_, i) => i * 11);
    header.set([0x00, 0x01, 0x23, 0x45, 0, 0, 0, 58], 32);
    expect(checksumFold(pseudoHeaderSum6(header, 0, header, 16, 58, 0x12345))).toBe(checksumByTheBook(header, 0, 40));
  });
});
