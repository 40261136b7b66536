import { parseOverlay } from './runtime-config.js';

describe('--overlay2', () => {
  it.each`
    text                       | overlay   | overlayMedium | overlayBytesMax
    ${'none'}                  | ${'none'} | ${'memory'}   | ${null}
    ${'root:memory'}           | ${'root'} | ${'memory'}   | ${null}
    ${'all:memory'}            | ${'all'}  | ${'memory'}   | ${null}
    ${'root:self'}             | ${'root'} | ${'self'}     | ${null}
    ${'all:dir=/a:b'}          | ${'all'}  | ${'/a:b'}     | ${null}
    ${'root:memory,size=8192'} | ${'root'} | ${'memory'}   | ${8192}
    ${'all:self,size=2m'}      | ${'all'}  | ${'self'}     | ${2 * 1024 * 1024}
    ${'root:dir=/a,size=1g'}   | ${'root'} | ${'/a'}       | ${1024 ** 3}
  `('$text', ({ text, ...expected }: { text: string }) => {
    expect(parseOverlay(text)).toEqual(expected);
  });

  it.each([
    '',
    'root',
    'root:disk',
    'none:self',
    'root:dir=',
    'root:dir=a/b',
    'all:self,dir=/a',
    'none,size=1m',
    'root:memory,size=',
    'root:memory,size=1x',
    'root:memory,8192',
  ])('refuses "%s"', (text) => {
    expect(() => parseOverlay(text)).toThrow(`Cannot use --overlay2 "${text}"`);
  });
});
