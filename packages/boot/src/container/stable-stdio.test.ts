import { close, dup3, fcntl, pipe2 } from '@tsv/host';
import { F_GETFD, O_CLOEXEC } from '@tsv/abi';
import { stabilizeStdio } from './stable-stdio.js';

/** Higher than anything that tests have open. */
const FIRST = 300;

function twoFds(): [number, number] {
  const pair = new Int32Array(2);
  expect(pipe2(pair, O_CLOEXEC)).toBe(0);
  return [pair[0]!, pair[1]!];
}

describe('stabilizeStdio', () => {
  it('moves descriptors to fixed numbers', () => {
    const fds = twoFds();
    const stable = stabilizeStdio(fds, FIRST);
    expect(stable).toEqual([FIRST, FIRST + 1]);
    expect(stable.map((fd) => fcntl(fd, F_GETFD, 0))).toEqual([1, 1]);
    stable.forEach((fd) => close(fd));
  });

  it('refuses a number that is in use', () => {
    const [reader, writer] = twoFds();
    dup3(reader, FIRST, O_CLOEXEC);
    expect(() => stabilizeStdio([writer], FIRST)).toThrow(
      `Cannot move standard descriptor 0 to ${FIRST}: it is already in use`,
    );
    [reader, writer, FIRST].forEach((fd) => close(fd));
  });
});
