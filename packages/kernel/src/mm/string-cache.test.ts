import { bytesPerCall } from '../testing/bytes-per-call.js';
import { StringCache } from './string-cache.js';

const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (char) => char.charCodeAt(0));

describe('StringCache', () => {
  it.each([0, 1, 127, 128, 129, 4096])('gives the string of %i bytes, the first time and again', (len) => {
    const cache = new StringCache();
    const text = String.fromCharCode(...Array.from({ length: len }, (_, i) => (i * 7) & 0xff));
    const bytes = bytesOf(`--${text}--`);
    expect([cache.get(bytes, 2, 2 + len), cache.get(bytes, 2, 2 + len)]).toEqual([text, text]);
  });

  it('tells strings apart that fall on one another', () => {
    const cache = new StringCache();
    const names = Array.from({ length: 5000 }, (_, i) => `name ${i}`);
    const read = (name: string): string => cache.get(bytesOf(name), 0, name.length);
    expect([...names, ...names.toReversed()].map(read)).toEqual([...names, ...names.toReversed()]);
  });

  it('makes no garbage for a string that it has', () => {
    const cache = new StringCache();
    const bytes = bytesOf('/usr/lib/x86_64-linux-gnu/libc.so.6');
    expect(bytesPerCall(() => cache.get(bytes, 0, bytes.length))).toBeLessThan(1);
  });
});
