import { SipHash } from './siphash.js';

describe('SipHash, test vectors of the reference implementation', () => {
  // Key 00 01 .. 0f, message 00 01 .. (len - 1); the output as 64-bit little-endian number.
  it.each`
    len  | hash
    ${0} | ${0x726fdb47dd0e0e31n}
    ${4} | ${0xcf2794e0277187b7n}
    ${8} | ${0x93f5f5799a932462n}
  `('hashes $len bytes', ({ len, hash }: { len: number; hash: bigint }) => {
    const sip = new SipHash(Uint8Array.from({ length: 16 }, (_, i) => i));
    const message = new DataView(Uint8Array.from({ length: len }, (_, i) => i).buffer);
    sip.start();
    for (let at = 0; at < len; at += 4) sip.add(message.getInt32(at, true));
    const low = BigInt(sip.finish() >>> 0);
    expect((BigInt(sip.high() >>> 0) << 32n) | low).toBe(hash);
  });
});
