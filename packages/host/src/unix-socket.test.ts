import { EAGAIN, EBADF, EINVAL, FD_CLOEXEC, F_GETFD, O_CLOEXEC, O_NONBLOCK, POLLHUP, POLLIN, POLLOUT } from '@tsv/abi';
import { close, fcntl, memfdCreate, pwritev2, read, write, preadv2 } from './open-file.js';
import { bytesReadable, pipe2, pollFd } from './pipe.js';
import { recvFds, sendFds, shutdown, unixSocketpair } from './unix-socket.js';

const SOCK_SEQPACKET = 5;
const SOCK_STREAM = 1;
const SOCK_NONBLOCK = O_NONBLOCK;
const SHUT_WR = 1;
const pair = new Int32Array(2);
const buffer = new Uint8Array(64);
const noFds = new Int32Array(0);

let fds: number[];
beforeEach(() => {
  fds = [];
});
afterEach(() => {
  expect(fds.map((fd) => close(fd))).toEqual(fds.map(() => 0));
});

function both(result: number): [number, number] {
  expect(result).toBe(0);
  fds.push(pair[0]!, pair[1]!);
  return [pair[0]!, pair[1]!];
}

describe('pipe2 and pollFd', () => {
  it('tell when there is something to read', () => {
    const [reader, writer] = both(pipe2(pair, O_CLOEXEC | O_NONBLOCK));
    expect(read(reader, buffer, 0, 1)).toBe(-EAGAIN);
    expect([pollFd(reader, POLLIN, 0), pollFd(writer, POLLOUT, 0)]).toEqual([0, POLLOUT]);
    write(writer, buffer, 0, 3);
    expect([pollFd(reader, POLLIN, -1), bytesReadable(reader)]).toEqual([POLLIN, 3]);
  });

  it('tell of the other end', () => {
    const [reader, writer] = both(pipe2(pair, O_CLOEXEC));
    close(writer);
    fds = [reader];
    expect(pollFd(reader, POLLIN, 0)).toBe(POLLHUP);
  });

  it('wait for the time given', () => {
    const [reader] = both(pipe2(pair, O_CLOEXEC));
    const begin = performance.now();
    expect(pollFd(reader, POLLIN, 20)).toBe(0);
    expect(performance.now() - begin).toBeGreaterThan(19);
  });

  it('refuse what is wrong', () => {
    expect(pipe2(new Int32Array(1), 0)).toBe(-EINVAL);
    expect(pipe2(pair, 0x1)).toBe(-EINVAL);
    expect([pollFd(-1, POLLIN, 0), pollFd(0, 0x10000, 0), bytesReadable(-1)]).toEqual([-EBADF, -EINVAL, -EBADF]);
  });
});

describe('sendFds and recvFds', () => {
  it('carry descriptors', () => {
    const [left, right] = both(unixSocketpair(SOCK_SEQPACKET | O_CLOEXEC, pair));
    const memfd = memfdCreate('carried', 0);
    fds.push(memfd);
    pwritev2(memfd, new Uint8Array([7, 8]), 0, 2, 0, 0);
    expect(sendFds(left, new Uint8Array([1, 2, 3]), 1, 2, Int32Array.of(memfd, left), 0)).toBe(2);

    const received = new Int32Array(3);
    expect(recvFds(right, buffer, 10, 20, received, 0)).toBe(2);
    fds.push(received[0]!, received[1]!);
    expect([buffer[10], buffer[11], received[2]]).toEqual([2, 3, -1]);
    expect(received[0]).not.toBe(memfd);
    expect(fcntl(received[0]!, F_GETFD, 0)).toBe(FD_CLOEXEC);
    preadv2(received[0]!, buffer, 0, 2, 0, 0);
    expect([buffer[0], buffer[1]]).toEqual([7, 8]);
  });

  it('close descriptors without room', () => {
    const [left, right] = both(unixSocketpair(SOCK_STREAM | O_CLOEXEC, pair));
    expect(pipe2(pair, O_CLOEXEC | O_NONBLOCK)).toBe(0);
    const [reader, writer] = [pair[0]!, pair[1]!];
    fds.push(reader);
    sendFds(left, buffer, 0, 1, Int32Array.of(writer, writer), 0);
    const received = new Int32Array(1);
    recvFds(right, buffer, 0, 1, received, 0);
    expect([close(writer), read(reader, buffer, 0, 1), close(received[0]!)]).toEqual([0, -EAGAIN, 0]);
    expect(read(reader, buffer, 0, 1)).toBe(0); // No writer is left.
  });

  it('tell the end', () => {
    const [left, right] = both(unixSocketpair(SOCK_STREAM | SOCK_NONBLOCK, pair));
    expect(recvFds(right, buffer, 0, 1, noFds, 0)).toBe(-EAGAIN);
    expect(shutdown(left, SHUT_WR)).toBe(0);
    expect(recvFds(right, buffer, 0, 1, noFds, 0)).toBe(0);
  });

  it('refuse what is wrong', () => {
    const [left] = both(unixSocketpair(SOCK_STREAM, pair));
    expect(sendFds(left, buffer, 0, 1, Int32Array.of(-1), 0)).toBe(-EBADF);
    expect(sendFds(left, buffer, 0, 1, new Int32Array(254), 0)).toBe(-EINVAL);
    expect(shutdown(left, 3)).toBe(-EINVAL);
    expect(unixSocketpair(77, pair)).toBeLessThan(0);
  });
});
