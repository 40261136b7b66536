import {
  EMFILE,
  ENOSPC,
  ETIMEDOUT,
  MQ_MAXMSG,
  MQ_MSGSIZE,
  O_CREAT,
  O_RDWR,
  RLIMIT_MSGQUEUE,
  RLIM_INFINITY,
  SIGKILL,
  SIGUSR1,
  SIZEOF_MQ_ATTR,
  SYS_kill,
  SYS_mq_open,
  SYS_mq_timedreceive,
  SYS_mq_timedsend,
  SYS_mq_unlink,
  storeI64,
  storeTimespecMs,
} from '@tsv/abi';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { BLOCKED, TASK_GONE } from './syscall.js';

const NAME_ADDR = DATA_ADDR;
const ATTR_ADDR = DATA_ADDR + 0x100;
const TIME_ADDR = DATA_ADDR + 0x200;
const TEXT_ADDR = DATA_ADDR + 0x400;
const BUFFER_ADDR = DATA_ADDR + 0x1000;
const MESSAGE_BYTES_MAX = 16;

const k = new TestKernel();

function open(task: Task, name: string, messageCountMax: number, messageBytesMax = MESSAGE_BYTES_MAX): number {
  const attr = new Uint8Array(SIZEOF_MQ_ATTR);
  storeI64(new DataView(attr.buffer), MQ_MAXMSG, messageCountMax);
  storeI64(new DataView(attr.buffer), MQ_MSGSIZE, messageBytesMax);
  k.put(task, NAME_ADDR, name);
  k.put(task, ATTR_ADDR, attr);
  return k.call(task, SYS_mq_open, NAME_ADDR, O_RDWR | O_CREAT, 0o666, ATTR_ADDR);
}
function unlink(task: Task, name: string): number {
  return k.call(task, SYS_mq_unlink, k.put(task, NAME_ADDR, name));
}
function send(task: Task, mqdes: number, text: string, priority = 0): number {
  k.put(task, TEXT_ADDR, text);
  return k.call(task, SYS_mq_timedsend, mqdes, TEXT_ADDR, text.length, priority, 0);
}
function receive(task: Task, mqdes: number, timeoutAddr = 0): number {
  return k.call(task, SYS_mq_timedreceive, mqdes, BUFFER_ADDR, MESSAGE_BYTES_MAX, 0, timeoutAddr);
}
function text(task: Task, len: number): string {
  return String.fromCharCode(...new Uint8Array(k.peek(task, BUFFER_ADDR, len).buffer));
}

describe('a wait in mq_timedreceive(2)', () => {
  it('ends with the message, in the order in which the waits began', () => {
    const [sender, first, second] = [k.spawn(), k.spawn(), k.spawn()];
    const queues = [sender, first, second].map((task) => open(task, 'order', 4));
    expect([receive(first, queues[1]!), receive(second, queues[2]!)]).toEqual([BLOCKED, BLOCKED]);
    send(sender, queues[0]!, 'one');
    send(sender, queues[0]!, 'three');
    expect([k.result(first), k.result(second), text(first, 3), text(second, 5)]).toEqual([3, 5, 'one', 'three']);
  });

  it('ends with the deadline', () => {
    const task = k.spawn();
    const mqdes = open(task, 'deadline', 4);
    const until = new Uint8Array(16);
    storeTimespecMs(new DataView(until.buffer), 0, k.clock.realtimeMs() + 50);
    k.put(task, TIME_ADDR, until);
    expect(receive(task, mqdes, TIME_ADDR)).toBe(BLOCKED);
    k.advance(51);
    expect(k.result(task)).toBe(-ETIMEDOUT);
  });

  it('ends by the death of its task, and the message is for another', () => {
    const [sender, dying] = [k.spawn(), k.spawn()];
    const [mqdes, other] = [open(sender, 'death', 4), open(dying, 'death', 4)];
    expect(receive(dying, other)).toBe(BLOCKED);
    k.call(sender, SYS_kill, dying.tid, SIGKILL);
    expect(k.result(dying)).toBe(TASK_GONE);
    expect([send(sender, mqdes, 'kept'), receive(sender, mqdes), text(sender, 4)]).toEqual([0, 4, 'kept']);
  });
});

describe('a wait in mq_timedsend(2)', () => {
  it('ends when there is room', () => {
    const [sender, receiver] = [k.spawn(), k.spawn()];
    const [to, from] = [open(sender, 'room', 1), open(receiver, 'room', 1)];
    expect([send(sender, to, 'first'), send(sender, to, 'second', 9)]).toEqual([0, BLOCKED]);
    expect([receive(receiver, from), text(receiver, 5), k.result(sender)]).toEqual([5, 'first', 0]);
    expect([receive(receiver, from), text(receiver, 6)]).toEqual([6, 'second']);
  });

  it('ends by a signal, and its message is not sent', () => {
    const [sender, other] = [k.spawn(), k.spawn()];
    const [to, from] = [open(sender, 'signal', 1), open(other, 'signal', 1)];
    sender.threadGroup.signalActions.get(SIGUSR1).handlerAddr = DATA_ADDR;
    expect([send(sender, to, 'first'), send(sender, to, 'never')]).toEqual([0, BLOCKED]);
    k.call(other, SYS_kill, sender.tid, SIGUSR1);
    expect(receive(other, from)).toBe(5);
    expect(receive(other, from)).toBe(BLOCKED);
  });

  it('reads the message before it waits', () => {
    const task = k.spawn();
    const mqdes = open(task, 'fault', 1);
    expect(k.call(task, SYS_mq_timedsend, mqdes, BAD_ADDR, 4, 0, 0)).toBe(-14);
  });
});

describe('limits of mq_overview(7)', () => {
  it('RLIMIT_MSGQUEUE counts what the queues of a user can hold, until they are gone', () => {
    const task = k.spawn(Credentials.forUser(k.kernel.userNs, 4000, 4000));
    task.threadGroup.limits.set(RLIMIT_MSGQUEUE, 2 * (1024 + 2 * 48), RLIM_INFINITY);
    expect([open(task, 'a', 1, 1024), open(task, 'b', 1, 1024)]).toEqual([0, 1]);
    expect(open(task, 'c', 1, 1024)).toBe(-EMFILE);
    unlink(task, 'a');
    expect(open(task, 'c', 1, 1024)).toBe(-EMFILE);
    task.fds.close(0, task);
    expect(open(task, 'c', 1, 1024)).toBe(0);
  });

  it('nobody passes what a namespace may hold', () => {
    const task = k.spawn();
    task.threadGroup.limits.set(RLIMIT_MSGQUEUE, RLIM_INFINITY, RLIM_INFINITY);
    expect(open(task, 'huge', 65536, 16 << 20)).toBe(-EMFILE);
  });

  it('queues_max is for those without CAP_SYS_RESOURCE', () => {
    k.kernel.ns.ipc.mqueueLimits.queues_max = 1;
    const task = k.spawn(Credentials.forUser(k.kernel.userNs, 4001, 4001));
    expect(open(task, 'too many', 1)).toBe(-ENOSPC);
    expect(open(k.spawn(), 'one more', 1)).toBe(0);
    k.kernel.ns.ipc.mqueueLimits.queues_max = 256;
  });
});
