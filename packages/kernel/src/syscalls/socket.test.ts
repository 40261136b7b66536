import {
  AF_UNIX,
  CMSG_LEVEL,
  CMSG_TYPE,
  EADDRINUSE,
  EAFNOSUPPORT,
  EAGAIN,
  EBADF,
  ECONNREFUSED,
  EDOM,
  EFAULT,
  EINVAL,
  EMSGSIZE,
  ENOENT,
  ENOPROTOOPT,
  ENOTCONN,
  ENOTSOCK,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  FD_CLOEXEC,
  F_GETFD,
  F_GETFL,
  MSG_CMSG_CLOEXEC,
  MSG_CTRUNC,
  MSG_DONTWAIT,
  MSG_NOSIGNAL,
  MSG_PEEK,
  MSG_TRUNC,
  MSG_WAITALL,
  O_NONBLOCK,
  SCM_CREDENTIALS,
  SCM_RIGHTS,
  SHUT_WR,
  SIGPIPE,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SOL_SOCKET,
  SO_ACCEPTCONN,
  SO_DOMAIN,
  SO_ERROR,
  SO_KEEPALIVE,
  SO_LINGER,
  SO_PASSCRED,
  SO_PEERCRED,
  SO_PROTOCOL,
  SO_RCVLOWAT,
  SO_RCVTIMEO,
  SO_SNDBUF,
  SO_SNDLOWAT,
  SO_TYPE,
  SYS_accept,
  SYS_accept4,
  SYS_bind,
  SYS_close,
  SYS_connect,
  SYS_fcntl,
  SYS_getpeername,
  SYS_getsockname,
  SYS_getsockopt,
  SYS_listen,
  SYS_pipe,
  SYS_read,
  SYS_recvfrom,
  SYS_recvmmsg,
  SYS_recvmsg,
  SYS_sendmmsg,
  SYS_sendmsg,
  SYS_sendto,
  SYS_setsockopt,
  SYS_shutdown,
  SYS_socket,
  SYS_socketpair,
  SYS_stat,
  SYS_unlink,
  SYS_write,
} from '@tsv/abi';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel, byteString } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

const AF_VSOCK = 40;
const ADDRESS = DATA_ADDR;
const LEN = DATA_ADDR + 0x100;
const OPTION = DATA_ADDR + 0x200;
const HEADER = DATA_ADDR + 0x300;
const IOV = DATA_ADDR + 0x500;
const CONTROL = DATA_ADDR + 0x600;
const BUF = DATA_ADDR + 0x1000;

let k: TestKernel;
let t: Task;
let other: Task;
beforeEach(() => {
  k = new TestKernel();
  t = k.spawn();
  other = k.spawn();
  other.fds = t.fds;
  t.fds.incRef();
});

function ints(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setInt32(4 * i, value, true));
  return new Uint8Array(view.buffer);
}

function int(addr: number, task = t): number {
  return k.peek(task, addr, 4).getInt32(0, true);
}

function pair(type: number): [number, number] {
  expect(k.call(t, SYS_socketpair, AF_UNIX, type, 0, OPTION)).toBe(0);
  return [int(OPTION), int(OPTION + 4)];
}

function address(task: Task, path: string): [addr: number, len: number] {
  k.put(task, ADDRESS, byteString(`\x01\x00${path}`));
  return [ADDRESS, path.length + 2];
}

function listener(path: string, flags = 0): number {
  const fd = k.call(t, SYS_socket, AF_UNIX, SOCK_STREAM | flags, 0);
  expect([k.call(t, SYS_bind, fd, ...address(t, path)), k.call(t, SYS_listen, fd, 5)]).toEqual([0, 0]);
  return fd;
}

function send(fd: number, text: string, flags = 0, task = t): number {
  k.put(task, BUF, byteString(text));
  return k.call(task, SYS_sendto, fd, BUF, text.length, flags, 0, 0);
}

function text(n: number, task = t, addr = BUF): string | number {
  if (n < 0) return n;
  const view = k.peek(task, addr, n);
  return Array.from({ length: n }, (_, i) => String.fromCharCode(view.getUint8(i))).join('');
}

function receive(fd: number, len = 100, flags = 0): string | number {
  return text(k.call(t, SYS_recvfrom, fd, BUF, len, flags, 0, 0));
}

/** A msghdr at `at` over `len` bytes of the buffer, with `controlLen` bytes of ancillary data. */
function message(task: Task, len: number, controlLen: number, at = HEADER): number {
  const view = new DataView(new ArrayBuffer(64));
  view.setUint32(16, IOV, true);
  view.setUint32(24, 1, true);
  view.setUint32(32, controlLen === 0 ? 0 : CONTROL, true);
  view.setUint32(40, controlLen, true);
  k.put(task, at, new Uint8Array(view.buffer));
  const iov = new DataView(new ArrayBuffer(16));
  iov.setUint32(0, BUF, true);
  iov.setUint32(8, len, true);
  k.put(task, IOV, new Uint8Array(iov.buffer));
  return at;
}

function control(task: Task, type: number, ...data: number[]): number {
  k.put(task, CONTROL, ints(16 + 4 * data.length, 0, SOL_SOCKET, type, ...data));
  return 16 + 4 * data.length;
}

describe('socket(2)', () => {
  it('has the flags asked for, and an inode of its own', () => {
    const fd = k.call(t, SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    expect([k.call(t, SYS_fcntl, fd, F_GETFD), k.call(t, SYS_fcntl, fd, F_GETFL) & O_NONBLOCK]).toEqual([
      FD_CLOEXEC,
      O_NONBLOCK,
    ]);
    expect(t.fds.get(fd)!.inode.mode).toBe(0o140777);
  });

  it('refuses families without a provider, and bad types', () => {
    expect([
      k.call(t, SYS_socket, AF_VSOCK, SOCK_STREAM, 0),
      k.call(t, SYS_socketpair, AF_VSOCK, SOCK_STREAM, 0, OPTION),
      k.call(t, SYS_socket, AF_UNIX, 0, 0),
      k.call(t, SYS_socket, AF_UNIX, 11, 0),
      k.call(t, SYS_socket, AF_UNIX, SOCK_STREAM | 0x100, 0),
      k.call(t, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD_ADDR),
    ]).toEqual([-EAFNOSUPPORT, -EAFNOSUPPORT, -EINVAL, -EINVAL, -EINVAL, -EFAULT]);
    expect(t.fds.count).toBe(0);
  });

  it('is told from other files', () => {
    k.call(t, SYS_pipe, OPTION);
    expect(
      [SYS_bind, SYS_listen, SYS_accept, SYS_connect, SYS_shutdown, SYS_getsockname, SYS_sendto, SYS_recvmsg].map(
        (nr) => k.call(t, nr, 0),
      ),
    ).toEqual(new Array(8).fill(-ENOTSOCK));
    expect([SYS_bind, SYS_sendmsg, SYS_getsockopt].map((nr) => k.call(t, nr, 99))).toEqual([-EBADF, -EBADF, -EBADF]);
  });
});

describe('connections by path', () => {
  it('accept waits for connect', () => {
    const server = listener('/sock');
    expect(k.call(t, SYS_accept4, server, 0, 0, SOCK_CLOEXEC)).toBe(BLOCKED);
    const client = k.call(other, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    expect(k.call(other, SYS_connect, client, ...address(other, '/sock'))).toBe(0);
    const accepted = k.result(t);
    expect(k.call(t, SYS_fcntl, accepted, F_GETFD)).toBe(FD_CLOEXEC);
    expect([send(client, 'hello', 0, other), receive(accepted)]).toEqual([5, 'hello']);
  });

  it('is a file: stat tells a socket, a second bind EADDRINUSE, unlink takes the name', () => {
    const server = listener('/sock');
    k.put(t, ADDRESS, '/sock');
    expect(k.call(t, SYS_stat, ADDRESS, BUF)).toBe(0);
    expect(k.peek(t, BUF, 32).getUint32(24, true)).toBe(0o140755);
    const second = k.call(t, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    expect(k.call(t, SYS_bind, second, ...address(t, '/sock'))).toBe(-EADDRINUSE);
    k.call(t, SYS_close, server);
    expect(k.call(t, SYS_connect, second, ...address(t, '/sock'))).toBe(-ECONNREFUSED);
    k.call(t, SYS_unlink, k.put(t, ADDRESS, '/sock'));
    expect(k.call(t, SYS_connect, second, ...address(t, '/sock'))).toBe(-ENOENT);
  });

  it('needs the right to write to the path', () => {
    listener('/sock');
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    const client = k.call(user, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    expect(k.call(user, SYS_connect, client, ...address(user, '/sock'))).toBe(-13);
  });

  it('tells names, cut to the room there is', () => {
    const server = listener('/sock');
    k.put(t, LEN, ints(5));
    k.put(t, BUF, byteString('..........'));
    expect([k.call(t, SYS_getsockname, server, BUF, LEN), int(LEN), text(6)]).toEqual([0, 8, '\x01\x00/so.']);
    k.put(t, LEN, ints(-1));
    expect([k.call(t, SYS_getsockname, server, BUF, LEN), k.call(t, SYS_getpeername, server, BUF, LEN)]).toEqual([
      -EINVAL,
      -ENOTCONN,
    ]);
  });

  it('without waiting: EAGAIN', () => {
    expect(k.call(t, SYS_accept, listener('/sock', SOCK_NONBLOCK), 0, 0)).toBe(-EAGAIN);
  });

  it('refuses bad addresses', () => {
    const fd = k.call(t, SYS_socket, AF_UNIX, SOCK_STREAM, 0);
    expect([
      k.call(t, SYS_bind, fd, ADDRESS, 200),
      k.call(t, SYS_bind, fd, ADDRESS, -1),
      k.call(t, SYS_bind, fd, BAD_ADDR, 20),
      k.call(t, SYS_connect, fd, ADDRESS, 1),
      k.call(t, SYS_accept4, fd, 0, 0, 1),
      k.call(t, SYS_accept, fd, 0, 0),
      k.call(t, SYS_shutdown, fd, 3),
    ]).toEqual([-EINVAL, -EINVAL, -EFAULT, -EINVAL, -EINVAL, -EINVAL, -EINVAL]);
  });
});

describe('send(2) and recv(2)', () => {
  it('a receive waits, at most SO_RCVTIMEO', () => {
    const [a, b] = pair(SOCK_STREAM);
    expect(k.call(t, SYS_read, b, BUF, 9)).toBe(BLOCKED);
    send(a, 'x', 0, other);
    expect(text(k.result(t))).toBe('x');
    k.put(t, OPTION, ints(0, 0, 250_000, 0));
    expect(k.call(t, SYS_setsockopt, b, SOL_SOCKET, SO_RCVTIMEO, OPTION, 16)).toBe(0);
    for (const nr of [SYS_read, SYS_recvfrom]) {
      expect(k.call(t, nr, b, BUF, 9, 0, 0, 0)).toBe(BLOCKED);
      k.advance(250);
      expect(k.result(t)).toBe(-EAGAIN);
    }
  });

  it('MSG_DONTWAIT does not wait, MSG_PEEK keeps, MSG_WAITALL fills', () => {
    const [a, b] = pair(SOCK_STREAM);
    expect(receive(b, 9, MSG_DONTWAIT)).toBe(-EAGAIN);
    send(a, 'abc');
    expect([receive(b, 9, MSG_PEEK), k.call(t, SYS_recvfrom, b, BUF, 6, MSG_WAITALL, 0, 0)]).toEqual(['abc', BLOCKED]);
    send(a, 'de', 0, other);
    expect(k.result(t)).toBe(BLOCKED);
    send(a, 'fgh', 0, other);
    expect([text(k.result(t)), receive(b)]).toEqual(['abcdef', 'gh']);
  });

  it('a receive waits for SO_RCVLOWAT bytes', () => {
    const [a, b] = pair(SOCK_STREAM);
    k.put(t, OPTION, ints(4));
    k.call(t, SYS_setsockopt, b, SOL_SOCKET, SO_RCVLOWAT, OPTION, 4);
    send(a, 'ab');
    expect([k.call(t, SYS_recvfrom, b, BUF, 1, 0, 0, 0), k.call(t, SYS_recvfrom, b, BUF, 9, 0, 0, 0)]).toEqual([
      1,
      BLOCKED,
    ]);
    send(a, 'cde', 0, other);
    expect(text(k.result(t))).toBe('bcde');
  });

  it('MSG_WAITALL ends with what there is at the end of file', () => {
    const [a, b] = pair(SOCK_STREAM);
    send(a, 'abc');
    k.call(t, SYS_recvfrom, b, BUF, 6, MSG_WAITALL, 0, 0);
    k.call(other, SYS_shutdown, a, SHUT_WR);
    expect(text(k.result(t))).toBe('abc');
  });

  it('a send that is too much waits, and is told as one', () => {
    const [a, b] = pair(SOCK_STREAM);
    k.put(t, OPTION, ints(4096));
    k.call(t, SYS_setsockopt, a, SOL_SOCKET, SO_SNDBUF, OPTION, 4);
    expect(k.call(t, SYS_sendto, a, BUF, 0x5000, 0, 0, 0)).toBe(BLOCKED);
    let sum = 0;
    while (k.result(t) === BLOCKED) sum += k.call(other, SYS_recvfrom, b, BUF, 0x1000, 0, 0, 0);
    expect(k.result(t)).toBe(0x5000);
    while (sum < 0x5000) sum += k.call(other, SYS_recvfrom, b, BUF, 0x1000, MSG_DONTWAIT, 0, 0);
    expect(sum).toBe(0x5000);
  });

  it('EPIPE comes with SIGPIPE, but for MSG_NOSIGNAL and other types', () => {
    t.signals.setBlocked(1 << (SIGPIPE - 1), 0);
    const [a, b] = pair(SOCK_STREAM);
    const [c, d] = pair(SOCK_SEQPACKET);
    k.call(t, SYS_close, b);
    k.call(t, SYS_close, d);
    const isPending = () => t.signals.pending.set.has(SIGPIPE);
    expect([send(a, 'x', MSG_NOSIGNAL), k.call(t, SYS_write, c, BUF, 1), isPending()]).toEqual([-EPIPE, -EPIPE, false]);
    expect([k.call(t, SYS_write, a, BUF, 1), isPending()]).toEqual([-EPIPE, true]);
  });

  it('datagrams: a sender waits for room', () => {
    const [a, b] = pair(SOCK_DGRAM);
    const loose = k.call(t, SYS_socket, AF_UNIX, SOCK_DGRAM, 0);
    k.call(t, SYS_bind, loose, ...address(t, '/dgram'));
    const sendTo = (task: Task, fd: number) => k.call(task, SYS_sendto, fd, BUF, 1, 0, ...address(task, '/dgram'));
    const from = k.call(t, SYS_socket, AF_UNIX, SOCK_DGRAM, 0);
    for (let i = 0; i < 11; i++) expect(sendTo(t, from)).toBe(1);
    expect(sendTo(t, from)).toBe(BLOCKED);
    k.call(other, SYS_recvfrom, loose, BUF, 9, 0, 0, 0);
    expect(k.result(t)).toBe(1);
    expect([send(a, 'hello'), receive(b, 2, MSG_TRUNC)]).toEqual([5, expect.any(String)]);
  });

  it('tells EFAULT and EINVAL', () => {
    const [a, b] = pair(SOCK_STREAM);
    send(a, 'x');
    k.put(t, LEN, ints(-1));
    expect([
      k.call(t, SYS_sendto, a, BAD_ADDR, 1, 0, 0, 0),
      k.call(t, SYS_recvfrom, b, BAD_ADDR, 1, 0, 0, 0),
      k.call(t, SYS_sendto, a, BUF, 1, 0, BAD_ADDR, 4),
      k.call(t, SYS_recvfrom, b, BUF, 1, MSG_PEEK, BUF, LEN),
      k.call(t, SYS_recvfrom, b, BUF, 1, MSG_PEEK, BUF, BAD_ADDR),
    ]).toEqual([-EFAULT, -EFAULT, -EFAULT, -EINVAL, -EFAULT]);
  });
});

describe('sendmsg(2) and recvmsg(2), unix(7)', () => {
  it('SCM_RIGHTS opens the same file at the other end', () => {
    const [a, b] = pair(SOCK_STREAM);
    k.call(t, SYS_pipe, OPTION);
    const [reader, writer] = [int(OPTION), int(OPTION + 4)];
    k.put(t, BUF, byteString('x'));
    expect(k.call(t, SYS_sendmsg, a, message(t, 1, control(t, SCM_RIGHTS, reader)), 0)).toBe(1);
    k.call(t, SYS_close, reader);
    k.call(t, SYS_write, writer, BUF, 1);
    expect(k.call(t, SYS_recvmsg, b, message(t, 9, 64), MSG_CMSG_CLOEXEC)).toBe(1);
    expect([int(HEADER + 40), int(CONTROL), int(CONTROL + CMSG_LEVEL), int(CONTROL + CMSG_TYPE)]).toEqual([
      24,
      20,
      SOL_SOCKET,
      SCM_RIGHTS,
    ]);
    const got = int(CONTROL + 16);
    expect([k.call(t, SYS_fcntl, got, F_GETFD), k.call(t, SYS_read, got, BUF, 9)]).toEqual([FD_CLOEXEC, 1]);
  });

  it('gives up descriptors for which there is no room: MSG_CTRUNC', () => {
    const [a, b] = pair(SOCK_STREAM);
    const before = t.fds.get(a)!.refCount;
    k.call(t, SYS_sendmsg, a, message(t, 1, control(t, SCM_RIGHTS, a, a, a)), 0);
    expect(t.fds.get(a)!.refCount).toBe(before + 3);
    const count = t.fds.count;
    expect(k.call(t, SYS_recvmsg, b, message(t, 9, 24), 0)).toBe(1);
    expect([int(HEADER + 48) & MSG_CTRUNC, t.fds.count - count, t.fds.get(a)!.refCount]).toEqual([
      MSG_CTRUNC,
      2,
      before + 2,
    ]);
  });

  it('plain reads give up descriptors', () => {
    const [a, b] = pair(SOCK_STREAM);
    k.call(t, SYS_sendmsg, a, message(t, 1, control(t, SCM_RIGHTS, a)), 0);
    expect([k.call(t, SYS_read, b, BUF, 9), t.fds.get(a)!.refCount, k.kernel.unixFamily.inFlightCount]).toEqual([
      1, 1, 0,
    ]);
  });

  it('SO_PASSCRED tells the sender, SO_PEERCRED the other end', () => {
    const [a, b] = pair(SOCK_STREAM);
    k.put(t, OPTION, ints(1));
    k.call(t, SYS_setsockopt, b, SOL_SOCKET, SO_PASSCRED, OPTION, 4);
    send(a, 'x', 0, other);
    k.call(t, SYS_recvmsg, b, message(t, 9, 64), 0);
    expect([int(CONTROL), int(CONTROL + CMSG_TYPE), int(CONTROL + 16)]).toEqual([28, SCM_CREDENTIALS, other.tid]);
    k.put(t, LEN, ints(12));
    k.call(t, SYS_getsockopt, b, SOL_SOCKET, SO_PEERCRED, OPTION, LEN);
    expect([int(OPTION), int(OPTION + 4), int(OPTION + 8)]).toEqual([t.tid, 0, 0]);
  });

  it('nobody pretends to be somebody else', () => {
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    k.call(user, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, OPTION);
    const own = control(user, SCM_CREDENTIALS, user.tid, 1000, 1000);
    expect(k.call(user, SYS_sendmsg, 0, message(user, 1, own), 0)).toBe(1);
    for (const lie of [
      [1, 1000, 1000],
      [user.tid, 0, 1000],
      [user.tid, 1000, 0],
    ]) {
      control(user, SCM_CREDENTIALS, ...lie);
      expect(k.call(user, SYS_sendmsg, 0, message(user, 1, own), 0)).toBe(-EPERM);
    }
  });

  it('refuses bad messages', () => {
    const [a] = pair(SOCK_STREAM);
    const results = [k.call(t, SYS_sendmsg, a, message(t, 1, control(t, SCM_RIGHTS, 99)), 0)];
    k.put(t, CONTROL, ints(8, 0, SOL_SOCKET, SCM_RIGHTS));
    results.push(k.call(t, SYS_sendmsg, a, message(t, 1, 16), 0));
    results.push(k.call(t, SYS_sendmsg, a, message(t, 1, control(t, 77)), 0));
    results.push(k.call(t, SYS_sendmsg, a, BAD_ADDR, 0));
    message(t, 1, 0);
    k.put(t, HEADER + 24, ints(2000));
    results.push(k.call(t, SYS_sendmsg, a, HEADER, 0), k.call(t, SYS_recvmsg, a, HEADER, 0));
    expect(results).toEqual([-EBADF, -EINVAL, -EINVAL, -EFAULT, -EMSGSIZE, -EMSGSIZE]);
    expect(k.kernel.unixFamily.inFlightCount).toBe(0);
  });

  it('sendmmsg and recvmmsg move several', () => {
    const [a, b] = pair(SOCK_SEQPACKET);
    k.put(t, BUF, byteString('abc'));
    for (let i = 0; i < 3; i++) message(t, 3, 0, HEADER + 64 * i);
    expect([k.call(t, SYS_sendmmsg, a, HEADER, 3, 0), int(HEADER + 64 + 56)]).toEqual([3, 3]);
    expect([
      k.call(t, SYS_recvmmsg, b, HEADER, 3, 0, 0),
      k.call(t, SYS_recvmmsg, b, HEADER, 3, MSG_DONTWAIT, 0),
    ]).toEqual([3, -EAGAIN]);
  });
});

describe('getsockopt(2) and setsockopt(2)', () => {
  function get(fd: number, name: number, level = SOL_SOCKET): number {
    k.put(t, LEN, ints(16));
    const status = k.call(t, SYS_getsockopt, fd, level, name, OPTION, LEN);
    return status < 0 ? status : int(OPTION);
  }
  function set(fd: number, name: number, ...values: number[]): number {
    return k.call(t, SYS_setsockopt, fd, SOL_SOCKET, name, k.put(t, OPTION, ints(...values)), 4 * values.length);
  }

  it('tell what the socket is', () => {
    const server = listener('/sock');
    expect(
      [SO_TYPE, SO_DOMAIN, SO_PROTOCOL, SO_ACCEPTCONN, SO_ERROR, SO_SNDLOWAT].map((name) => get(server, name)),
    ).toEqual([SOCK_STREAM, AF_UNIX, 0, 1, 0, 1]);
  });

  it('SO_ERROR takes the error away', () => {
    const [a, b] = pair(SOCK_STREAM);
    send(a, 'x');
    k.call(t, SYS_close, b);
    expect([get(a, SO_ERROR), get(a, SO_ERROR)]).toEqual([104, 0]);
  });

  it('keep what is set', () => {
    const [a] = pair(SOCK_STREAM);
    expect([set(a, SO_KEEPALIVE, 5), get(a, SO_KEEPALIVE), set(a, SO_SNDBUF, 1), get(a, SO_SNDBUF)]).toEqual([
      0, 1, 0, 4608,
    ]);
    expect([
      set(a, SO_SNDBUF, 10000),
      get(a, SO_SNDBUF),
      set(a, SO_LINGER, 1, 30),
      get(a, SO_LINGER),
      int(OPTION + 4),
    ]).toEqual([0, 20000, 0, 1, 30]);
  });

  it('refuse what the man page refuses', () => {
    const [a] = pair(SOCK_STREAM);
    k.put(t, LEN, ints(-4));
    expect([
      set(a, SO_LINGER, 1),
      set(a, SO_RCVTIMEO, 0, 0, 1_000_000, 0),
      set(a, SO_SNDLOWAT, 5),
      k.call(t, SYS_setsockopt, a, SOL_SOCKET, SO_KEEPALIVE, OPTION, 2),
      k.call(t, SYS_setsockopt, a, SOL_SOCKET, SO_KEEPALIVE, BAD_ADDR, 4),
      k.call(t, SYS_getsockopt, a, SOL_SOCKET, SO_KEEPALIVE, OPTION, LEN),
      get(a, 4711),
      get(a, 1, 6),
      k.call(t, SYS_setsockopt, a, 6, 1, OPTION, 4),
    ]).toEqual([-EINVAL, -EDOM, -ENOPROTOOPT, -EINVAL, -EFAULT, -EINVAL, -ENOPROTOOPT, -EOPNOTSUPP, -EOPNOTSUPP]);
  });
});
