import {
  EINTR,
  FUTEX_WAIT,
  FUTEX_WAIT_BITSET,
  POLLIN,
  SA_RESTART,
  SA_RESTORER,
  SIGCHLD,
  SIGCONT,
  SIGSTOP,
  SIGUSR1,
  SIG_IGN,
  SYS_clock_nanosleep,
  SYS_fork,
  SYS_futex,
  SYS_nanosleep,
  SYS_pause,
  SYS_pipe2,
  SYS_poll,
  SYS_read,
  SYS_rt_sigsuspend,
  SYS_rt_sigtimedwait,
  SYS_wait4,
  storeI64,
} from '@tsv/abi';
import { REG_RAX, REG_RIP, REG_RSP } from '@tsv/platform';
import { BLOCKED } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import { CODE_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { sendSignal } from './send-signal.js';
import { kernelSignal } from './sig-info.js';

const HANDLER_ADDR = 0x50_0000;
const TIMESPEC_ADDR = DATA_ADDR + 0x100;
const POLLFD_ADDR = DATA_ADDR + 0x200;
const SET_ADDR = DATA_ADDR + 0x300;
const BUFFER_ADDR = DATA_ADDR + 0x400;

/** A blocking call: its number and arguments, after `prepare`. */
interface Blocking {
  readonly nr: number;
  readonly args: (k: TestKernel, t: Task) => number[];
}

const CALLS: Record<string, Blocking> = {
  'read(2) of a pipe': { nr: SYS_read, args: (k, t) => [pipeReader(k, t), BUFFER_ADDR, 8] },
  'wait4(2)': { nr: SYS_wait4, args: (k, t) => [k.call(t, SYS_fork), 0, 0, 0] },
  'futex(2) without a timeout': { nr: SYS_futex, args: () => [DATA_ADDR, FUTEX_WAIT, 0, 0] },
  'futex(2) with a timeout': { nr: SYS_futex, args: (k, t) => [DATA_ADDR, FUTEX_WAIT, 0, timespec(k, t, 1000)] },
  'futex(2) with a bitset and a timeout': {
    nr: SYS_futex,
    args: (k, t) => [DATA_ADDR, FUTEX_WAIT_BITSET, 0, timespec(k, t, k.clock.monotonicMs() + 1000), 0, 1],
  },
  'nanosleep(2)': { nr: SYS_nanosleep, args: (k, t) => [timespec(k, t, 1000), 0] },
  'clock_nanosleep(2), absolute': {
    nr: SYS_clock_nanosleep,
    args: (k, t) => [1, 1, timespec(k, t, k.clock.monotonicMs() + 1000), 0],
  },
  'poll(2)': { nr: SYS_poll, args: (k, t) => [pollFd(k, t), 1, 1000] },
  'pause(2)': { nr: SYS_pause, args: () => [] },
  'sigsuspend(2)': { nr: SYS_rt_sigsuspend, args: () => [SET_ADDR, 8] },
  'sigtimedwait(2)': { nr: SYS_rt_sigtimedwait, args: (k, t) => [waitSet(t), 0, timespec(k, t, 1000), 8] },
};

function timespec(k: TestKernel, t: Task, ms: number): number {
  const bytes = new Uint8Array(16);
  storeI64(new DataView(bytes.buffer), 0, Math.floor(ms / 1000));
  storeI64(new DataView(bytes.buffer), 8, (ms % 1000) * 1e6);
  return k.put(t, TIMESPEC_ADDR, bytes);
}

function pipeReader(k: TestKernel, t: Task): number {
  k.call(t, SYS_pipe2, DATA_ADDR + 0x500, 0);
  return t.mm.load32(DATA_ADDR + 0x500);
}

function pollFd(k: TestKernel, t: Task): number {
  t.mm.store32(POLLFD_ADDR, pipeReader(k, t));
  t.mm.store32(POLLFD_ADDR + 4, POLLIN);
  return POLLFD_ADDR;
}

/** A set with SIGCHLD: another signal than the one that comes. */
function waitSet(t: Task): number {
  t.mm.store32(SET_ADDR + 16, 1 << (SIGCHLD - 1));
  return SET_ADDR + 16;
}

function catchWith(t: Task, flags: number): void {
  const action = t.threadGroup.signalActions.get(SIGUSR1);
  action.handlerAddr = HANDLER_ADDR;
  action.flags = flags | SA_RESTORER;
  action.restorerAddr = HANDLER_ADDR + 0x100;
}

function startBlocked(name: string): { k: TestKernel; t: Task; nr: number } {
  const k = new TestKernel();
  k.spawn();
  const t = k.spawn();
  const { nr, args } = CALLS[name]!;
  const list = args(k, t);
  t.page.set(REG_RIP, CODE_ADDR);
  expect(k.call(t, nr, ...list)).toBe(BLOCKED);
  return { k, t, nr };
}

/** What the frame of the handler that is about to run has in a register. */
function interrupted(k: TestKernel, t: Task): { rax: number; rip: number } {
  const mem = k.peek(t, t.page.get(REG_RSP), 440);
  const at = 8 + 40;
  return { rax: Number(mem.getBigInt64(at + 104, true)), rip: Number(mem.getBigUint64(at + 128, true)) };
}

describe('a blocked system call and a signal with a handler, signal(7)', () => {
  it.each`
    name                                      | flags         | isRestarted
    ${'read(2) of a pipe'}                    | ${0}          | ${false}
    ${'read(2) of a pipe'}                    | ${SA_RESTART} | ${true}
    ${'wait4(2)'}                             | ${0}          | ${false}
    ${'wait4(2)'}                             | ${SA_RESTART} | ${true}
    ${'futex(2) without a timeout'}           | ${0}          | ${false}
    ${'futex(2) without a timeout'}           | ${SA_RESTART} | ${true}
    ${'futex(2) with a timeout'}              | ${SA_RESTART} | ${false}
    ${'futex(2) with a bitset and a timeout'} | ${SA_RESTART} | ${false}
    ${'nanosleep(2)'}                         | ${SA_RESTART} | ${false}
    ${'clock_nanosleep(2), absolute'}         | ${SA_RESTART} | ${false}
    ${'poll(2)'}                              | ${SA_RESTART} | ${false}
    ${'pause(2)'}                             | ${SA_RESTART} | ${false}
    ${'sigsuspend(2)'}                        | ${SA_RESTART} | ${false}
    ${'sigtimedwait(2)'}                      | ${SA_RESTART} | ${false}
  `('$name, SA_RESTART $flags: restarted $isRestarted', ({ name, flags, isRestarted }: Row) => {
    const { k, t, nr } = startBlocked(name);
    catchWith(t, flags);
    sendSignal(t.threadGroup, kernelSignal(SIGUSR1));
    k.pump();
    expect(t.page.get(REG_RIP)).toBe(HANDLER_ADDR);
    expect(interrupted(k, t)).toEqual(isRestarted ? { rax: nr, rip: CODE_ADDR } : { rax: -EINTR, rip: CODE_ADDR + 2 });
  });
});

describe('a blocked system call and a signal without a handler', () => {
  it.each(Object.keys(CALLS))('%s goes on after an ignored signal', (name) => {
    const { k, t } = startBlocked(name);
    t.threadGroup.signalActions.get(SIGUSR1).handlerAddr = SIG_IGN;
    sendSignal(t.threadGroup, kernelSignal(SIGUSR1));
    k.pump();
    expect(k.result(t)).toBe(BLOCKED);
  });

  it.each(Object.keys(CALLS).filter((name) => name !== 'sigtimedwait(2)'))(
    '%s goes on after a stop and SIGCONT',
    (name) => {
      const { k, t } = startBlocked(name);
      const waitsBefore = [t.wait.count, t.wait.deadlineMs];
      sendSignal(t.threadGroup, kernelSignal(SIGSTOP));
      k.pump();
      expect(t.threadGroup.isStopped).toBe(true);
      k.advance(10);
      sendSignal(t.threadGroup, kernelSignal(SIGCONT));
      k.pump();
      expect(k.result(t)).toBe(BLOCKED);
      expect([t.wait.count, t.wait.deadlineMs]).toEqual(waitsBefore);
    },
  );

  it('sigtimedwait(2) ends with EINTR after a stop and SIGCONT', () => {
    const { k, t } = startBlocked('sigtimedwait(2)');
    sendSignal(t.threadGroup, kernelSignal(SIGSTOP));
    k.pump();
    sendSignal(t.threadGroup, kernelSignal(SIGCONT));
    k.pump();
    expect(k.result(t)).toBe(-EINTR);
  });

  it('shows no restart code to the guest', () => {
    for (const name of Object.keys(CALLS)) {
      const { k, t } = startBlocked(name);
      catchWith(t, 0);
      sendSignal(t.threadGroup, kernelSignal(SIGUSR1));
      k.pump();
      const { rax } = interrupted(k, t);
      expect(rax > -512 || rax < -516).toBe(true);
      expect(t.page.get(REG_RAX)).toBe(0);
    }
  });
});

interface Row {
  readonly name: string;
  readonly flags: number;
  readonly isRestarted: boolean;
}
