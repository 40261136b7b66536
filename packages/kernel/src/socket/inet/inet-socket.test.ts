import {
  AF_INET,
  AF_INET6,
  ECONNREFUSED,
  EINPROGRESS,
  EISCONN,
  F_SETFL,
  MSG_DONTWAIT,
  O_NONBLOCK,
  POLLIN,
  SOCK_DGRAM,
  SOCK_STREAM,
  SYS_accept,
  SYS_bind,
  SYS_connect,
  SYS_fcntl,
  SYS_getsockname,
  SYS_listen,
  SYS_read,
  SYS_recvfrom,
  SYS_sendto,
  SYS_socket,
  SYS_write,
} from '@tsv/abi';
import { WaitEntry } from '@tsv/waiter';
import { BLOCKED } from '../../syscalls/syscall.js';
import type { Task } from '../../task/task.js';
import { DATA_ADDR, TestKernel } from '../../testing/test-kernel.js';

const ADDRESS = DATA_ADDR;
const LEN = DATA_ADDR + 64;
const BUFFER = DATA_ADDR + 4096;
const SIZEOF_SOCKADDR_IN = 16;

let kernel: TestKernel;
let t: Task;
beforeEach(() => {
  kernel = new TestKernel();
  t = kernel.spawn();
});

function call(nr: number, ...args: number[]): number {
  return kernel.call(t, nr, ...args);
}

/** Stores the address of 127.0.0.1 and `port`. */
function loopback(port: number): [addr: number, len: number] {
  kernel.put(t, ADDRESS, Uint8Array.from([AF_INET, 0, port >> 8, port & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
  return [ADDRESS, SIZEOF_SOCKADDR_IN];
}

function socket(type: number, family = AF_INET): number {
  return call(SYS_socket, family, type, 0);
}

function portOf(fd: number): number {
  kernel.put(t, LEN, Uint8Array.from([16, 0, 0, 0]));
  call(SYS_getsockname, fd, ADDRESS, LEN);
  return kernel.peek(t, ADDRESS, 16).getUint16(2);
}

function listener(): [fd: number, port: number] {
  const fd = socket(SOCK_STREAM);
  call(SYS_bind, fd, ...loopback(0));
  call(SYS_listen, fd, 5);
  return [fd, portOf(fd)];
}

describe('AF_INET, tcp(7)', () => {
  it('connects over the loopback device and moves bytes', () => {
    const [server, port] = listener();
    const client = socket(SOCK_STREAM);
    expect(call(SYS_connect, client, ...loopback(port))).toBe(0);
    const accepted = call(SYS_accept, server, 0, 0);
    kernel.put(t, BUFFER, 'hello');
    expect(call(SYS_write, client, BUFFER, 5)).toBe(5);
    expect(call(SYS_read, accepted, BUFFER + 100, 100)).toBe(5);
    expect(kernel.peek(t, BUFFER + 100, 5).getUint8(4)).toBe(0x6f);
  });

  it('lets a sender run before its bytes are on their way, and they have come before anybody makes another call', () => {
    const [server, port] = listener();
    const client = socket(SOCK_STREAM);
    call(SYS_connect, client, ...loopback(port));
    const accepted = call(SYS_accept, server, 0, 0);
    const context = kernel.contextOf(t);
    const wasRunning: boolean[] = [];
    class Watcher extends WaitEntry {
      notified(): void {
        wasRunning.push(context.isRunning);
      }
    }
    t.fds.get(accepted)!.waiters!.add(new Watcher(), POLLIN);
    expect(call(SYS_write, client, BUFFER, 5)).toBe(5);
    expect(wasRunning).toEqual([true]);
    expect(call(SYS_recvfrom, accepted, BUFFER, 100, MSG_DONTWAIT, 0, 0)).toBe(5);
  });

  it('wakes a reader when bytes come', () => {
    const [server, port] = listener();
    const client = socket(SOCK_STREAM);
    call(SYS_connect, client, ...loopback(port));
    const accepted = call(SYS_accept, server, 0, 0);
    expect(call(SYS_read, client, BUFFER, 10)).toBe(BLOCKED);
    const file = t.fds.get(accepted)!;
    expect(file.waiters).not.toBeNull();
  });

  it('refuses a connection to a port that nobody listens on', () => {
    expect(call(SYS_connect, socket(SOCK_STREAM), ...loopback(9))).toBe(-ECONNREFUSED);
  });

  it('tells of a connection that it did not wait for: first that it has begun, then that it is there', () => {
    const [, port] = listener();
    const client = socket(SOCK_STREAM);
    call(SYS_fcntl, client, F_SETFL, O_NONBLOCK);
    const results = [1, 2, 3].map(() => call(SYS_connect, client, ...loopback(port)));
    expect(results).toEqual([-EINPROGRESS, 0, -EISCONN]);
  });
});

describe('AF_INET, udp(7)', () => {
  it('moves datagrams', () => {
    const server = socket(SOCK_DGRAM);
    call(SYS_bind, server, ...loopback(0));
    const port = portOf(server);
    const client = socket(SOCK_DGRAM, AF_INET6);
    expect(client).toBeGreaterThan(0);
    expect(call(SYS_sendto, socket(SOCK_DGRAM), BUFFER, 7, 0, ...loopback(port))).toBe(7);
    expect(call(SYS_recvfrom, server, BUFFER, 100, 0, 0, 0)).toBe(7);
  });

  it('tells a connected socket that nobody takes its datagrams', () => {
    const client = socket(SOCK_DGRAM);
    call(SYS_connect, client, ...loopback(9));
    expect(call(SYS_write, client, BUFFER, 1)).toBe(1);
    expect(call(SYS_read, client, BUFFER, 1)).toBe(-ECONNREFUSED);
  });
});
