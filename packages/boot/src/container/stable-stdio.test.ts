import { close, dup3, fcntl, pipe2 } from '@tsv/host';
import { EBADF, F_GETFD, O_CLOEXEC } from '@tsv/abi';
import { stabilizeStdio, stableStdioFd } from './stable-stdio.js';

/** Higher than anything that tests have open, whatever else their process ran. */
const FIRST = 1000;

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

  it('goes elsewhere where so much is open that its numbers are taken', () => {
    const [reader, writer] = twoFds();
    const before = stableStdioFd(3);
    const isMine = fcntl(63, F_GETFD, 0) === -EBADF;
    if (isMine) dup3(reader, 63, O_CLOEXEC);
    expect(stableStdioFd(3)).toBe(256);
    if (isMine) close(63);
    expect(stableStdioFd(3)).toBe(before);
    [reader, writer].forEach((fd) => close(fd));
  });
});
