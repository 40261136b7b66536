import { close, dup3, fcntl, pipe2 } from '@tsv/host';
import { F_GETFD, O_CLOEXEC } from '@tsv/abi';
import { STABLE_STDIO_FD, stabilizeStdio } from './stable-stdio.js';

function twoFds(): [number, number] {
  const pair = new Int32Array(2);
  expect(pipe2(pair, O_CLOEXEC)).toBe(0);
  return [pair[0]!, pair[1]!];
}

describe('stabilizeStdio', () => {
  it('moves descriptors to fixed numbers', () => {
    const fds = twoFds();
    const stable = stabilizeStdio(fds);
    expect(stable).toEqual([STABLE_STDIO_FD, STABLE_STDIO_FD + 1]);
    expect(stable.map((fd) => fcntl(fd, F_GETFD, 0))).toEqual([1, 1]);
    stable.forEach((fd) => close(fd));
  });

  it('refuses a number that is in use', () => {
    const [reader, writer] = twoFds();
    dup3(reader, STABLE_STDIO_FD, O_CLOEXEC);
    expect(() => stabilizeStdio([writer])).toThrow(
      `Cannot move standard descriptor 0 to ${STABLE_STDIO_FD}: it is already in use`,
    );
    [reader, writer, STABLE_STDIO_FD].forEach((fd) => close(fd));
  });
});
