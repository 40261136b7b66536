import {
  EADDRINUSE,
  EAGAIN,
  ECONNREFUSED,
  ECONNRESET,
  EINVAL,
  EISCONN,
  EMSGSIZE,
  ENOTCONN,
  EOPNOTSUPP,
  EPERM,
  EPIPE,
  EPROTONOSUPPORT,
  EPROTOTYPE,
  ESOCKTNOSUPPORT,
  MSG_PEEK,
  MSG_TRUNC,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  POLLRDHUP,
  SHUT_RD,
  SHUT_RDWR,
  SHUT_WR,
  SOCK_DGRAM,
  SOCK_SEQPACKET,
  SOCK_STREAM,
  SO_PASSCRED,
} from '@tsv/abi';
import { MemoryIo } from '@tsv/vfs';
import { PlainFile, data, files } from '../../fd/testing/fake-caller.js';
import type { Task } from '../../task/task.js';
import { SocketMessage } from '../socket-message.js';
import { UnixFamily } from './unix-family.js';
import type { UnixSocket } from './unix-socket.js';

const task = {
  ns: { net: { abstractSockets: new Map() } },
  creds: { uid: 1000, euid: 1001, gid: 100, egid: 101, groups: [7] },
  threadGroup: { leader: { threadPid: { number: 42 } } },
} as unknown as Task;
const EVENTS = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP;

let unix: UnixFamily;
beforeEach(() => {
  unix = new UnixFamily(files);
  task.ns.net.abstractSockets.clear();
});

function socket(type: number): UnixSocket {
  return unix.create(task, type, 0, 0) as UnixSocket;
}

function pair(type: number): [UnixSocket, UnixSocket] {
  return unix.createPair(task, type, 0, 0) as [UnixSocket, UnixSocket];
}

function name(text: string): Uint8Array {
  return Uint8Array.from([1, 0, 0, ...data(text).seg]);
}

function bind(target: UnixSocket, text: string): number {
  return target.bind(name(text), text.length + 3, task);
}

function connect(target: UnixSocket, text: string): number {
  return target.connect(name(text), text.length + 3, task);
}

function listener(type: number, text: string, backlog = 5): UnixSocket {
  const made = socket(type);
  bind(made, text);
  made.listen(backlog, task);
  return made;
}

function send(from: UnixSocket, text: string, rights: PlainFile[] | UnixSocket[] | null = null, to?: string): number {
  const message = new SocketMessage();
  message.rights = rights;
  if (to !== undefined) {
    message.address.set(name(to));
    message.addressLen = to.length + 3;
  }
  return from.send(data(text), message, 0, task);
}

function receive(at: UnixSocket, len: number, flags = 0) {
  const bytes = new Uint8Array(len);
  const message = new SocketMessage();
  const n = at.receive(new MemoryIo(bytes), message, flags, task);
  return { n, text: n < 0 ? '' : String.fromCharCode(...bytes.subarray(0, Math.min(n, len))), message };
}

describe('a unix stream, unix(7)', () => {
  it('moves bytes without boundaries, both ways', () => {
    const [a, b] = pair(SOCK_STREAM);
    expect([send(a, 'one'), send(a, 'two'), send(b, 'back')]).toEqual([3, 3, 4]);
    expect([receive(b, 4).text, receive(b, 9).text, receive(a, 9).text]).toEqual(['onet', 'wo', 'back']);
    expect(receive(b, 1).n).toBe(-EAGAIN);
  });

  it('keeps the order of many bytes, around its ring', () => {
    const [a, b] = pair(SOCK_STREAM);
    let sent = '';
    let got = '';
    for (let i = 0; i < 200; i++) {
      const text = String.fromCharCode(97 + (i % 26)).repeat(1000 + i * 7);
      expect(send(a, text)).toBe(text.length);
      sent += text;
      got += receive(b, 1500).text;
    }
    for (let last = receive(b, 4096); last.n > 0; last = receive(b, 4096)) got += last.text;
    expect(got === sent).toBe(true);
  });

  it('is full at SO_SNDBUF, and writable again when a quarter is used', () => {
    const [a, b] = pair(SOCK_STREAM);
    a.options.sendBytes = 8192;
    expect(send(a, 'x'.repeat(10000))).toBe(8192);
    expect([send(a, 'x'), a.readiness() & POLLOUT]).toEqual([-EAGAIN, 0]);
    receive(b, 6143);
    expect(a.readiness() & POLLOUT).toBe(0);
    receive(b, 1);
    expect(a.readiness() & POLLOUT).toBe(POLLOUT);
  });

  it('peeks', () => {
    const [a, b] = pair(SOCK_STREAM);
    send(a, 'abc');
    expect([receive(b, 2, MSG_PEEK).text, receive(b, 9).text]).toEqual(['ab', 'abc']);
  });

  it('SO_PEEK_OFF moves with what was peeked and back with what was read', () => {
    const [a, b] = pair(SOCK_STREAM);
    b.options.peekOffset = 0;
    send(a, 'abcdef');
    expect([receive(b, 2, MSG_PEEK).text, receive(b, 2, MSG_PEEK).text, receive(b, 3).text]).toEqual([
      'ab',
      'cd',
      'abc',
    ]);
    expect([b.options.peekOffset, receive(b, 9, MSG_PEEK).text]).toEqual([1, 'ef']);
  });

  it('gives descriptors with the first byte that came with them, and stops behind', () => {
    const [a, b] = pair(SOCK_STREAM);
    const file = new PlainFile();
    send(a, 'a');
    send(a, 'bc', [file]);
    send(a, 'd');
    const first = receive(b, 9);
    expect([first.text, first.message.rights]).toEqual(['abc', [file]]);
    const second = receive(b, 9);
    expect([second.text, second.message.rights, unix.inFlightCount]).toEqual(['d', null, 0]);
  });

  it('peeks descriptors as further references', () => {
    const [a, b] = pair(SOCK_STREAM);
    const file = new PlainFile();
    send(a, 'x', [file]);
    expect([receive(b, 1, MSG_PEEK).message.rights, file.refCount, unix.inFlightCount]).toEqual([[file], 2, 1]);
  });

  it('drops descriptors that nobody received', () => {
    const [a, b] = pair(SOCK_STREAM);
    const file = new PlainFile();
    send(a, 'x', [file]);
    b.decRef();
    expect([file.isReleased, unix.inFlightCount]).toEqual([true, 0]);
  });

  it('with SO_PASSCRED tells the sender', () => {
    const [a, b] = pair(SOCK_STREAM);
    send(a, 'x');
    b.options.set(SO_PASSCRED, true);
    send(a, 'y');
    expect([receive(b, 9).text, receive(b, 9).message.credentials]).toMatchObject(['x', { uid: 1000, gid: 100 }]);
  });

  it('shutdown ends one direction', () => {
    const [a, b] = pair(SOCK_STREAM);
    send(a, 'x');
    a.shutdown(SHUT_WR);
    expect([send(a, 'y'), receive(b, 9).text, receive(b, 9).n, send(b, 'z')]).toEqual([-EPIPE, 'x', 0, 1]);
    expect([b.readiness() & EVENTS, a.readiness() & EVENTS]).toEqual([POLLIN | POLLRDHUP | POLLOUT, POLLIN | POLLOUT]);
    b.shutdown(SHUT_RD);
    expect(send(a, 'y')).toBe(-EPIPE);
  });

  it('shutdown of both directions hangs up', () => {
    const [a, b] = pair(SOCK_STREAM);
    a.shutdown(SHUT_RDWR);
    expect([a.readiness() & POLLHUP, b.readiness() & POLLHUP, receive(b, 1).n]).toEqual([POLLHUP, POLLHUP, 0]);
  });

  it('close: the end of file, EPIPE', () => {
    const [a, b] = pair(SOCK_STREAM);
    send(a, 'last');
    a.decRef();
    expect([receive(b, 9).text, receive(b, 9).n, send(b, 'x')]).toEqual(['last', 0, -EPIPE]);
    expect(b.readiness() & EVENTS).toBe(POLLIN | POLLOUT | POLLHUP | POLLRDHUP);
  });

  it('close with unread bytes: ECONNRESET once', () => {
    const [a, b] = pair(SOCK_STREAM);
    send(b, 'unread');
    a.decRef();
    expect([b.readiness() & POLLERR, receive(b, 1).n, receive(b, 1).n]).toEqual([POLLERR, -ECONNRESET, 0]);
  });

  it('without a connection: ENOTCONN to send, EINVAL to receive', () => {
    const s = socket(SOCK_STREAM);
    expect([send(s, 'x'), receive(s, 1).n, send(s, 'x', null, 'there')]).toEqual([-ENOTCONN, -EINVAL, -EOPNOTSUPP]);
    expect(s.readiness() & EVENTS).toBe(POLLOUT | POLLHUP);
  });
});

describe('unix connections', () => {
  it('connects by name, and accepts in order', () => {
    const server = listener(SOCK_STREAM, 'srv');
    const [c1, c2] = [socket(SOCK_STREAM), socket(SOCK_STREAM)];
    expect([connect(c1, 'srv'), connect(c2, 'srv'), server.readiness() & POLLIN]).toEqual([0, 0, POLLIN]);
    const s1 = server.accept(0, task) as UnixSocket;
    send(c1, 'from c1');
    expect([receive(s1, 99).text, s1.peerCredentials]).toMatchObject(['from c1', { uid: 1001, gid: 101 }]);
    expect(c1.peerCredentials).toMatchObject({ uid: 1001 });
    server.accept(0, task);
    expect(server.accept(0, task)).toBe(-EAGAIN);
  });

  it('tells the addresses', () => {
    const server = listener(SOCK_STREAM, 'srv');
    const client = socket(SOCK_STREAM);
    connect(client, 'srv');
    const accepted = server.accept(0, task) as UnixSocket;
    const at = new Uint8Array(128);
    expect([client.peerAddress(at), [...at.subarray(0, 6)]]).toEqual([6, [...name('srv')]]);
    expect([accepted.localAddress(at), client.localAddress(at), accepted.peerAddress(at)]).toEqual([6, 2, 2]);
    expect(server.peerAddress(at)).toBe(-ENOTCONN);
  });

  it('refuses what connect(2) refuses', () => {
    const server = listener(SOCK_STREAM, 'srv');
    bind(socket(SOCK_STREAM), 'bound');
    const client = socket(SOCK_STREAM);
    expect([
      connect(client, 'nobody'),
      connect(client, 'bound'),
      connect(socket(SOCK_SEQPACKET), 'srv'),
      connect(server, 'srv'),
      client.connect(Uint8Array.of(2, 0, 0, 0), 4, task),
      client.connect(Uint8Array.of(1, 0), 2, task),
      connect(client, 'srv'),
      connect(client, 'srv'),
    ]).toEqual([-ECONNREFUSED, -ECONNREFUSED, -EPROTOTYPE, -EINVAL, -EINVAL, -EINVAL, 0, -EISCONN]);
  });

  it('a full backlog makes the next one wait for accept', () => {
    const server = listener(SOCK_STREAM, 'srv', 1);
    expect([0, 1].map(() => connect(socket(SOCK_STREAM), 'srv'))).toEqual([0, 0]);
    const late = socket(SOCK_STREAM);
    expect([connect(late, 'srv'), late.blockedOn]).toEqual([-EAGAIN, server.queue]);
    server.accept(0, task);
    expect(connect(late, 'srv')).toBe(0);
  });

  it('closing the listener resets those who wait, and frees the name', () => {
    const server = listener(SOCK_STREAM, 'srv');
    const client = socket(SOCK_STREAM);
    connect(client, 'srv');
    server.decRef();
    expect([receive(client, 1).n, connect(socket(SOCK_STREAM), 'srv'), unix.sockets.size]).toEqual([
      -ECONNRESET,
      -ECONNREFUSED,
      2,
    ]);
  });

  it('listen needs an address and no connection: EINVAL', () => {
    const [a] = pair(SOCK_STREAM);
    expect([socket(SOCK_STREAM).listen(1, task), a.listen(1, task), socket(SOCK_DGRAM).listen(1, task)]).toEqual([
      -EINVAL,
      -EINVAL,
      -EOPNOTSUPP,
    ]);
    expect(socket(SOCK_STREAM).accept(0, task)).toBe(-EINVAL);
  });

  it('binds a name once, and chooses one by itself', () => {
    const a = socket(SOCK_STREAM);
    expect([bind(a, 'x'), bind(a, 'y'), bind(socket(SOCK_STREAM), 'x')]).toEqual([0, -EINVAL, -EADDRINUSE]);
    const b = socket(SOCK_STREAM);
    expect([b.bind(Uint8Array.of(1, 0), 2, task), b.address?.name]).toEqual([0, '00000']);
  });

  it('refuses unknown types and protocols', () => {
    expect([unix.create(task, 4, 0, 0), unix.create(task, SOCK_STREAM, 6, 0)]).toEqual([
      -ESOCKTNOSUPPORT,
      -EPROTONOSUPPORT,
    ]);
  });
});

describe('unix datagrams', () => {
  it('arrive whole, with the sender, and are cut by a short buffer', () => {
    const [to, from] = [socket(SOCK_DGRAM), socket(SOCK_DGRAM)];
    bind(to, 'to');
    bind(from, 'from');
    expect([send(from, 'hello', null, 'to'), send(from, '', null, 'to')]).toEqual([5, 0]);
    const got = receive(to, 2, MSG_TRUNC);
    expect([got.n, got.text, got.message.flags, got.message.address.subarray(0, got.message.addressLen)]).toEqual([
      5,
      'he',
      MSG_TRUNC,
      name('from'),
    ]);
    expect([receive(to, 2).n, receive(to, 2).n]).toEqual([0, -EAGAIN]);
  });

  it('wait for room: eleven are kept', () => {
    const [to, from] = [socket(SOCK_DGRAM), socket(SOCK_DGRAM)];
    bind(to, 'to');
    connect(from, 'to');
    const sent = Array.from({ length: 12 }, () => send(from, 'x'));
    expect([sent.filter((n) => n === 1).length, sent[11], from.readiness() & POLLOUT]).toEqual([11, -EAGAIN, 0]);
    receive(to, 1);
    expect([from.readiness() & POLLOUT, send(from, 'x')]).toEqual([POLLOUT, 1]);
  });

  it('refuse what send(2) refuses', () => {
    const [a, b] = pair(SOCK_DGRAM);
    const other = socket(SOCK_DGRAM);
    bind(a, 'a');
    listener(SOCK_STREAM, 'stream');
    other.options.sendBytes = 4608;
    expect([
      send(other, 'x'),
      send(other, 'x', null, 'a'),
      send(other, 'x', null, 'stream'),
      send(other, 'x', null, 'nobody'),
      send(a, 'x'.repeat(300000)),
    ]).toEqual([-ENOTCONN, -EPERM, -EPROTOTYPE, -ECONNREFUSED, -EMSGSIZE]);
    b.decRef();
    expect([send(a, 'x'), send(a, 'x')]).toEqual([-ECONNREFUSED, -ENOTCONN]);
  });

  it('seqpackets keep boundaries on a connection', () => {
    const [a, b] = pair(SOCK_SEQPACKET);
    send(a, 'one');
    send(a, 'two');
    expect([receive(b, 9).text, receive(b, 1).message.flags & MSG_TRUNC, receive(b, 9).n]).toEqual([
      'one',
      MSG_TRUNC,
      -EAGAIN,
    ]);
    a.decRef();
    expect([receive(b, 9).n, receive(socket(SOCK_SEQPACKET), 1).n]).toEqual([0, -ENOTCONN]);
  });
});

describe('sockets sent through each other', () => {
  /** What close(2) of the last descriptor does. */
  function close(target: UnixSocket): void {
    target.flush();
    target.decRef();
  }

  it('are given up when nobody can receive them', () => {
    const [a, b] = pair(SOCK_STREAM);
    const file = new PlainFile();
    a.incRef();
    b.incRef();
    send(a, 'x', [a]);
    send(b, 'x', [b]);
    send(a, 'y', [file]);
    close(a);
    expect(unix.sockets.size).toBe(2);
    close(b);
    expect([unix.sockets.size, unix.inFlightCount, file.isReleased]).toEqual([0, 0, true]);
  });

  it('stay while somebody can receive them', () => {
    const [a, b] = pair(SOCK_STREAM);
    const [c, d] = pair(SOCK_STREAM);
    d.incRef();
    send(d, 'd itself', [d]);
    c.incRef();
    send(a, 'c', [c]);
    close(c);
    close(d);
    expect([unix.sockets.size, unix.inFlightCount]).toEqual([4, 2]);
    const received = receive(b, 1).message.rights![0] as UnixSocket;
    expect([received, receive(received, 9).message.rights]).toEqual([c, [d]]);
  });

  it('go with the socket whose queue they are in', () => {
    const [a, b] = pair(SOCK_STREAM);
    const [c] = pair(SOCK_STREAM);
    c.incRef();
    send(a, 'c', [c]);
    close(c);
    close(b);
    expect([c.isClosed, unix.sockets.size, unix.inFlightCount]).toEqual([true, 2, 0]);
  });

  it('are closed however deeply they are nested', () => {
    let [outer, last] = pair(SOCK_STREAM);
    for (let depth = 0; depth < 20_000; depth++) {
      last.decRef();
      const [next, sender] = pair(SOCK_STREAM);
      send(sender, 'x', [outer]);
      [outer, last] = [next, sender];
    }
    last.decRef();
    outer.decRef();
    expect([unix.sockets.size, unix.inFlightCount]).toEqual([0, 0]);
  });
});
