import {
  AF_INET,
  EAGAIN,
  ECONNRESET,
  F_SETFL,
  O_NONBLOCK,
  SIGKILL,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_LINGER,
  SO_RCVBUF,
  SYS_accept,
  SYS_bind,
  SYS_close,
  SYS_close_range,
  SYS_connect,
  SYS_dup,
  SYS_dup2,
  SYS_exit_group,
  SYS_fcntl,
  SYS_getsockname,
  SYS_kill,
  SYS_listen,
  SYS_read,
  SYS_setsockopt,
  SYS_socket,
  SYS_write,
} from '@tsv/abi';
import { BLOCKED } from '../../syscalls/syscall.js';
import type { Task } from '../../task/task.js';
import { DATA_ADDR, TestKernel } from '../../testing/test-kernel.js';

const ADDRESS = DATA_ADDR;
const VALUE = DATA_ADDR + 64;
const BUFFER = DATA_ADDR + 4096;
const BUFFER_BYTES = 8192;

let kernel: TestKernel;
/** Has the socket that lingers. */
let closer: Task;
/** Reads, or does not. */
let reader: Task;
let client: number;
let accepted: number;

beforeEach(() => {
  kernel = new TestKernel();
  reader = kernel.spawn();
  closer = kernel.spawn();
  [client, accepted] = connect();
});

function call(t: Task, nr: number, ...args: number[]): number {
  return kernel.call(t, nr, ...args);
}

function putInts(t: Task, addr: number, ...values: number[]): number {
  return kernel.put(t, addr, new Uint8Array(Int32Array.from(values).buffer));
}

function connect(): [client: number, accepted: number] {
  const server = call(reader, SYS_socket, AF_INET, SOCK_STREAM, 0);
  call(reader, SYS_setsockopt, server, SOL_SOCKET, SO_RCVBUF, putInts(reader, VALUE, 4096), 4);
  kernel.put(reader, ADDRESS, Uint8Array.from([AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
  call(reader, SYS_bind, server, ADDRESS, 16);
  call(reader, SYS_listen, server, 1);
  call(reader, SYS_getsockname, server, ADDRESS, putInts(reader, VALUE, 16));
  const address = kernel.peek(reader, ADDRESS, 16);
  kernel.put(closer, ADDRESS, new Uint8Array(address.buffer, address.byteOffset, 16));
  const fd = call(closer, SYS_socket, AF_INET, SOCK_STREAM, 0);
  call(closer, SYS_connect, fd, ADDRESS, 16);
  return [fd, call(reader, SYS_accept, server, 0, 0)];
}

function linger(seconds: number): void {
  call(closer, SYS_setsockopt, client, SOL_SOCKET, SO_LINGER, putInts(closer, VALUE, 1, seconds), 8);
}

/** Writes until the reader's window is full and some bytes wait on this side. */
function fill(): void {
  call(closer, SYS_fcntl, client, F_SETFL, O_NONBLOCK);
  while (call(closer, SYS_write, client, BUFFER, BUFFER_BYTES) !== -EAGAIN);
}

/** Reads to the end of the stream. */
function drain(): void {
  while (call(reader, SYS_read, accepted, BUFFER, BUFFER_BYTES) > 0);
}

describe('close(2) with SO_LINGER', () => {
  it('waits until the peer has all', () => {
    linger(30);
    fill();
    expect(call(closer, SYS_close, client)).toBe(BLOCKED);
    drain();
    expect(kernel.result(closer)).toBe(0);
  });

  it('does not wait when nothing is left to send', () => {
    linger(30);
    expect(call(closer, SYS_close, client)).toBe(0);
  });

  it('waits no longer than the time says', () => {
    linger(2);
    fill();
    expect(call(closer, SYS_close, client)).toBe(BLOCKED);
    kernel.advance(1999);
    expect(kernel.result(closer)).toBe(BLOCKED);
    kernel.advance(2);
    expect(kernel.result(closer)).toBe(0);
  });

  it('waits as long as it takes when the time is negative', () => {
    linger(-1);
    fill();
    expect(call(closer, SYS_close, client)).toBe(BLOCKED);
    kernel.advance(1000);
    expect(kernel.result(closer)).toBe(BLOCKED);
  });

  it('frees the descriptor at once', () => {
    linger(30);
    fill();
    call(closer, SYS_close, client);
    expect(closer.fds.get(client)).toBeUndefined();
  });

  it('does not wait while another descriptor refers to the socket', () => {
    linger(30);
    fill();
    call(closer, SYS_dup, client);
    expect(call(closer, SYS_close, client)).toBe(0);
  });

  it('is ended by the end of the process', () => {
    linger(30);
    fill();
    call(closer, SYS_close, client);
    call(reader, SYS_kill, closer.tid, SIGKILL);
    kernel.pump();
    expect(closer.hasExited).toBe(true);
  });

  it('resets the connection when the time is 0', () => {
    linger(0);
    fill();
    expect(call(closer, SYS_close, client)).toBe(0);
    drain();
    expect(kernel.result(reader)).toBe(-ECONNRESET);
  });
});

describe('what closes descriptors beside close(2), with SO_LINGER', () => {
  it('waits in dup2(2), which then returns the descriptor', () => {
    linger(30);
    fill();
    const other = call(closer, SYS_socket, AF_INET, SOCK_STREAM, 0);
    expect(call(closer, SYS_dup2, other, client)).toBe(BLOCKED);
    drain();
    expect(kernel.result(closer)).toBe(client);
  });

  it('waits in close_range(2)', () => {
    linger(30);
    fill();
    expect(call(closer, SYS_close_range, client, client, 0)).toBe(BLOCKED);
    drain();
    expect(kernel.result(closer)).toBe(0);
  });

  it('does not wait in exit(2): the rest is sent in the background', () => {
    linger(30);
    fill();
    call(closer, SYS_exit_group, 0);
    expect(closer.hasExited).toBe(true);
    drain();
    expect(kernel.result(reader)).toBe(0);
  });
});
