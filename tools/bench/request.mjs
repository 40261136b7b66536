// Measures what the kernel itself takes for a request of redis-benchmark over loopback: the calls that the client and the
// server make, from stop to resume, in the bundled kernel over a platform without guests. With --cpu-prof of Node.js it says
// which part of the kernel that is.
//   node tools/bench/request.mjs [--rounds N]
import process from 'node:process';
import { parseArgs } from 'node:util';
import { bundledKernel } from './bundled-kernel.mjs';

const CONNECTION_COUNT = 50;
const REQUEST_BYTES = 36;
const REPLY_BYTES = 5;
const PORT = 6379;
const WARM_UP_ROUNDS = 600;
const TRIES = 7;

const { values: options } = parseArgs({ options: { rounds: { type: 'string', default: '400' } } });
const { abi, platform, TestKernel, DATA_ADDR } = await bundledKernel();
const [ADDRESS, IN_EVENT, OUT_EVENT] = [DATA_ADDR, DATA_ADDR + 0x100, DATA_ADDR + 0x200];
const BUFFER = DATA_ADDR + 0x1000;

const k = new TestKernel();
const [server, client] = [k.spawn(), k.spawn()];
const { serverEpoll, serverFds, clientEpoll, clientFds } = connectAll();
const rounds = Number(options.rounds);
for (let i = 0; i < WARM_UP_ROUNDS; i++) round();
let least = Infinity;
for (let i = 0; i < TRIES; i++) {
  const startNs = process.hrtime.bigint();
  for (let j = 0; j < rounds; j++) round();
  least = Math.min(least, Number(process.hrtime.bigint() - startNs) / (rounds * CONNECTION_COUNT));
}
console.log(`a request of redis-benchmark, 50 connections ${least.toFixed(0).padStart(8)} ns`);

/** The descriptors of both ends of all connections, watched by epoll as redis does. */
function connectAll() {
  const sockaddr = new Uint8Array([abi.AF_INET, 0, PORT >> 8, PORT & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
  for (const task of [server, client]) {
    k.put(task, ADDRESS, sockaddr);
    k.put(task, IN_EVENT, new Uint8Array([abi.EPOLLIN, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    k.put(task, OUT_EVENT, new Uint8Array([abi.EPOLLOUT, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  }
  const type = abi.SOCK_STREAM | abi.SOCK_NONBLOCK;
  const listener = expect(k.call(server, abi.SYS_socket, abi.AF_INET, type, 0));
  expect(k.call(server, abi.SYS_bind, listener, ADDRESS, sockaddr.length));
  expect(k.call(server, abi.SYS_listen, listener, 128));
  const [serverEpoll, clientEpoll] = [server, client].map((task) => expect(k.call(task, abi.SYS_epoll_create1, 0)));
  const [serverFds, clientFds] = [[], []];
  for (let i = 0; i < CONNECTION_COUNT; i++) {
    const fd = expect(k.call(client, abi.SYS_socket, abi.AF_INET, type, 0));
    // It does not wait, and is through once the server accepts.
    k.call(client, abi.SYS_connect, fd, ADDRESS, sockaddr.length);
    const accepted = expect(k.call(server, abi.SYS_accept4, listener, 0, 0, abi.SOCK_NONBLOCK));
    expect(k.call(server, abi.SYS_epoll_ctl, serverEpoll, abi.EPOLL_CTL_ADD, accepted, IN_EVENT));
    expect(k.call(client, abi.SYS_epoll_ctl, clientEpoll, abi.EPOLL_CTL_ADD, fd, OUT_EVENT));
    // An event's first word is 1 here, which is the value of the option.
    expect(k.call(client, abi.SYS_setsockopt, fd, abi.SOL_TCP, abi.TCP_NODELAY, IN_EVENT, 4));
    expect(k.call(server, abi.SYS_setsockopt, accepted, abi.SOL_TCP, abi.TCP_NODELAY, IN_EVENT, 4));
    serverFds.push(accepted);
    clientFds.push(fd);
  }
  return { serverEpoll, serverFds, clientEpoll, clientFds };
}

/** One request on each connection. */
function round() {
  k.clock.advance(0.5);
  call(client, abi.SYS_epoll_wait, clientEpoll, BUFFER, 100, 0);
  for (const fd of clientFds) {
    call(client, abi.SYS_sendto, fd, BUFFER, REQUEST_BYTES, 0);
    watch(IN_EVENT, abi.EPOLL_CTL_DEL, fd);
    watch(IN_EVENT, abi.EPOLL_CTL_ADD, fd);
  }
  call(server, abi.SYS_epoll_wait, serverEpoll, BUFFER, 100, 0);
  for (const fd of serverFds) call(server, abi.SYS_read, fd, BUFFER, 16384);
  for (const fd of serverFds) call(server, abi.SYS_write, fd, BUFFER, REPLY_BYTES);
  call(client, abi.SYS_epoll_wait, clientEpoll, BUFFER, 100, 0);
  for (const fd of clientFds) {
    call(client, abi.SYS_recvfrom, fd, BUFFER, 16384, 0);
    watch(IN_EVENT, abi.EPOLL_CTL_MOD, fd);
    watch(IN_EVENT, abi.EPOLL_CTL_DEL, fd);
    watch(OUT_EVENT, abi.EPOLL_CTL_ADD, fd);
  }
}

/** epoll_ctl(2) of the client; `event` is where the event lies in its memory. */
function watch(event, op, fd) {
  call(client, abi.SYS_epoll_ctl, clientEpoll, op, fd, event);
}

/** The guest of `task` makes a call, from its stop to its resume. */
function call(task, nr, a0, a1, a2, a3) {
  const { page } = task;
  page.set(platform.REG_RDI, a0);
  page.set(platform.REG_RSI, a1);
  page.set(platform.REG_RDX, a2 ?? 0);
  page.set(platform.REG_R10, a3 ?? 0);
  page.set(platform.REG_R8, 0);
  page.set(platform.REG_R9, 0);
  page.set(platform.REG_ORIG_RAX, nr);
  k.contextOf(task).isRunning = false;
  k.kernel.dispatcher.serve(task);
  if (page.high(platform.REG_RAX) !== 0) throw new Error(`Cannot measure: system call ${nr} fails`);
}

function expect(result) {
  if (result < 0) throw new Error(`Cannot measure: ${result}`);
  return result;
}
