import { EAGAIN, EBADF, EINVAL } from '@tsv/abi';
import { execFileSync } from 'node:child_process';
import {
  LENGTH_ADDRESS,
  LENGTH_CONTROL,
  LENGTH_COUNT,
  MESSAGE_FLAGS,
  accept4,
  bind,
  connect,
  getpeername,
  getsockname,
  getsockopt,
  listen,
  recvmsg,
  sendmsg,
  setsockopt,
  socket,
} from './host-socket.js';
import { interfaceIndex, openTun, setInterfaceUp } from './network-interface.js';
import { close } from './open-file.js';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SO_TYPE = 3;
const SO_RCVBUF = 8;
const SO_ATTACH_FILTER = 26;
const IPPROTO_IP = 0;
const IP_RECVTTL = 12;
const MSG_TRUNC = 0x20;
const ENODEV = 19;
const ENOPROTOOPT = 92;
const NOTHING = new Uint8Array(0);

const address = new Uint8Array(16);
const control = new Uint8Array(64);
const lengths = new Int32Array(LENGTH_COUNT);
const int = (value: number) => new Uint8Array(Int32Array.of(value).buffer);

/** `struct sockaddr_in` of 127.0.0.1, any port. */
const loopback = Uint8Array.of(AF_INET, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);

let fds: number[];
beforeEach(() => {
  fds = [];
});
afterEach(() => {
  expect(fds.map((fd) => close(fd))).toEqual(fds.map(() => 0));
});

function opened(fd: number): number {
  expect(fd).toBeGreaterThanOrEqual(0);
  fds.push(fd);
  return fd;
}

/** A socket on a port of the loopback interface, and its address. */
function bound(kind: number): [number, Uint8Array] {
  const fd = opened(socket(AF_INET, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  expect(bind(fd, loopback)).toBe(0);
  const name = new Uint8Array(16);
  expect(getsockname(fd, name)).toBe(16);
  return [fd, name];
}

describe('stream sockets', () => {
  it('listen, connect and accept', () => {
    const [server, name] = bound(SOCK_STREAM);
    expect(listen(server, 4)).toBe(0);
    expect(accept4(server, address, lengths, 0)).toBe(-EAGAIN);
    const client = opened(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    expect(connect(client, name)).toBe(0);
    const accepted = opened(accept4(server, address, lengths, SOCK_CLOEXEC));
    expect(lengths[LENGTH_ADDRESS]).toBe(16);
    const peer = new Uint8Array(16);
    expect(getpeername(accepted, peer)).toBe(16);
    expect(peer).toEqual(address);

    expect(sendmsg(client, Uint8Array.of(1, 2, 3), 1, 2, NOTHING, NOTHING, 0)).toBe(2);
    const buffer = new Uint8Array(8);
    expect(recvmsg(accepted, buffer, 4, 4, NOTHING, NOTHING, lengths, 0)).toBe(2);
    expect([...buffer]).toEqual([0, 0, 0, 0, 2, 3, 0, 0]);
  });
});

describe('datagram sockets', () => {
  it('tell the sender, control data, and what was cut off', () => {
    const [receiver, name] = bound(SOCK_DGRAM);
    const [sender, senderName] = bound(SOCK_DGRAM);
    expect(setsockopt(receiver, IPPROTO_IP, IP_RECVTTL, int(1))).toBe(0);
    expect(sendmsg(sender, Uint8Array.of(1, 2, 3), 0, 3, name, NOTHING, 0)).toBe(3);
    expect(recvmsg(receiver, new Uint8Array(2), 0, 2, address, control, lengths, 0)).toBe(2);
    expect(address).toEqual(senderName);
    expect([lengths[LENGTH_ADDRESS], lengths[LENGTH_CONTROL]]).toEqual([16, 24]);
    expect(lengths[MESSAGE_FLAGS]! & MSG_TRUNC).toBe(MSG_TRUNC);
    expect(recvmsg(receiver, new Uint8Array(2), 0, 2, address, control, lengths, 0)).toBe(-EAGAIN);
  });
});

describe('socket options', () => {
  it('are read and set', () => {
    const [fd] = bound(SOCK_DGRAM);
    const value = new Uint8Array(4);
    expect([getsockopt(fd, SOL_SOCKET, SO_TYPE, value), value[0]]).toEqual([4, SOCK_DGRAM]);
    expect(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, int(65536))).toBe(0);
    expect(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, new Uint8Array(1))).toBe(-EINVAL);
  });

  it('hold no pointers', () => {
    const [fd] = bound(SOCK_DGRAM);
    expect(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(16))).toBe(-ENOPROTOOPT);
    expect(getsockopt(fd, IPPROTO_IP, 64, new Uint8Array(84))).toBe(-ENOPROTOOPT);
  });
});

describe('wrong arguments', () => {
  it('are told', () => {
    expect(socket(AF_INET, 77, 0)).toBe(-EINVAL);
    expect([listen(-1, 1), bind(-1, loopback), connect(-1, loopback)]).toEqual([-EBADF, -EBADF, -EBADF]);
    const [fd] = bound(SOCK_DGRAM);
    expect(bind(fd, NOTHING)).toBe(-EINVAL);
    expect(accept4(fd, address, new Int32Array(0), 0)).toBe(-EINVAL);
    expect(recvmsg(fd, control, 0, 1, NOTHING, NOTHING, new Int32Array(2), 0)).toBe(-EINVAL);
    expect(() => sendmsg(fd, control, 60, 5, NOTHING, NOTHING, 0)).toThrow('outside');
  });
});

describe('network interfaces', () => {
  // Skipped without root: interfaces are made in a network namespace of its own.
  const itAsRoot = process.getuid?.() === 0 ? it : it.skip;

  it('have an index', () => {
    expect(interfaceIndex('lo')).toBeGreaterThan(0);
    expect([interfaceIndex('none0'), interfaceIndex('x'.repeat(16)), setInterfaceUp('none0')]).toEqual([
      -ENODEV,
      -ENODEV,
      -ENODEV,
    ]);
    expect(openTun('tap0', 0x10000)).toBe(-EINVAL);
  });

  itAsRoot('are brought up in a network namespace', () => {
    const path = JSON.stringify(require.resolve('../native/index.js'));
    const script = `const native = require(${path}), os = require('os');
      const CLONE_NEWNET = 0x40000000, IFF_TAP_NO_PI = 0x1002;
      const results = [native.unshare(CLONE_NEWNET), native.setInterfaceUp('lo'), 'lo' in os.networkInterfaces()];
      const tap = native.openTun('tsv0', IFF_TAP_NO_PI);
      if (tap >= 0) results.push(native.setInterfaceUp('tsv0'), native.interfaceIndex('tsv0') > 0);
      console.log(JSON.stringify([tap, results]));`;
    const [tap, results] = JSON.parse(execFileSync(process.execPath, ['-e', script], { encoding: 'utf8' })) as [
      number,
      unknown[],
    ];
    const isThereTun = tap >= 0;
    expect(results).toEqual(isThereTun ? [0, 0, true, 0, true] : [0, 0, true]);
  });
});
