import { parseOverlay } from './runtime-config.js';

describe('--overlay2', () => {
  it.each`
    text                       | overlay          | overlayBytesMax
    ${'none'}                  | ${'none'}        | ${null}
    ${'root:memory'}           | ${'root:memory'} | ${null}
    ${'all:memory'}            | ${'all:memory'}  | ${null}
    ${'root:memory,size=8192'} | ${'root:memory'} | ${8192}
    ${'all:memory,size=2m'}    | ${'all:memory'}  | ${2 * 1024 * 1024}
  `('$text', ({ text, ...expected }: { text: string }) => {
    expect(parseOverlay(text)).toEqual(expected);
  });

  it.each(['', 'root', 'root:disk', 'none,size=1m', 'root:memory,size=', 'root:memory,size=1x', 'root:memory,8192'])(
    'refuses "%s"',
    (text) => {
      expect(() => parseOverlay(text)).toThrow(`Cannot use --overlay2 "${text}"`);
    },
  );
});
