import { storeI64 } from './memory.js';

describe('storeI64', () => {
  it.each([
    0,
    1,
    -1,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    -0x8000_0000,
    -0x8000_0001,
    0x1_0000_0000,
    Number.MAX_SAFE_INTEGER,
    Number.MIN_SAFE_INTEGER,
  ])('stores %d', (value) => {
    const mem = new DataView(new ArrayBuffer(16));
    storeI64(mem, 8, value);
    expect(mem.getBigInt64(8, true)).toBe(BigInt(value));
    expect(mem.getBigInt64(0, true)).toBe(0n);
  });
});
