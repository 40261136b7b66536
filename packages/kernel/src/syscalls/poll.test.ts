import {
  EBADF,
  EFAULT,
  EINTR,
  EINVAL,
  EPERM,
  EPOLLIN,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  O_CREAT,
  O_PATH,
  O_RDWR,
  POLLHUP,
  POLLIN,
  POLLNVAL,
  POLLOUT,
  SA_RESTORER,
  SIGUSR1,
  SYS_close,
  SYS_epoll_create,
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_epoll_pwait,
  SYS_epoll_pwait2,
  SYS_epoll_wait,
  SYS_open,
  SYS_pipe2,
  SYS_poll,
  SYS_ppoll,
  SYS_pselect6,
  SYS_select,
  SYS_write,
} from '@tsv/abi';
import { kernelSignal } from '../signal/sig-info.js';
import { sendSignal } from '../signal/send-signal.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

const POLLFDS = DATA_ADDR;
const TIMEOUT = DATA_ADDR + 0x400;
const MASK = DATA_ADDR + 0x500;
const SETS = DATA_ADDR + 0x600;
const EVENTS = DATA_ADDR + 0x800;
const USR1_LOW = 1 << (SIGUSR1 - 1);

let k: TestKernel;
let t: Task;
let reader: number;
let writer: number;
let other: Task;
beforeEach(() => {
  k = new TestKernel();
  t = k.spawn();
  other = k.spawn();
  other.fds = t.fds;
  t.fds.incRef();
  k.call(t, SYS_pipe2, DATA_ADDR, 0);
  const view = k.peek(t, DATA_ADDR, 8);
  reader = view.getInt32(0, true);
  writer = view.getInt32(4, true);
});

function pollfds(...entries: [fd: number, events: number][]): void {
  const view = new DataView(new ArrayBuffer(entries.length * 8));
  entries.forEach(([fd, events], i) => {
    view.setInt32(8 * i, fd, true);
    view.setInt16(8 * i + 4, events, true);
    view.setInt16(8 * i + 6, -1, true);
  });
  k.put(t, POLLFDS, new Uint8Array(view.buffer));
}

function revents(count: number): number[] {
  const view = k.peek(t, POLLFDS, 8 * count);
  return Array.from({ length: count }, (_, i) => view.getUint16(8 * i + 6, true));
}

function time(sec: number, subsec: number): number {
  const view = new DataView(new ArrayBuffer(16));
  view.setBigInt64(0, BigInt(sec), true);
  view.setBigInt64(8, BigInt(subsec), true);
  return k.put(t, TIMEOUT, new Uint8Array(view.buffer));
}

function timeLeft(): [number, number] {
  const view = k.peek(t, TIMEOUT, 16);
  return [Number(view.getBigInt64(0, true)), Number(view.getBigInt64(8, true))];
}

function wakeWriter(): void {
  expect(k.call(other, SYS_write, writer, DATA_ADDR, 1)).toBe(1);
}

function catchUsr1(): void {
  const action = t.threadGroup.signalActions.get(SIGUSR1);
  action.handlerAddr = 0x5000;
  action.flags = SA_RESTORER;
  action.restorerAddr = 0x6000;
}

/** What the call that a signal interrupted left in rax of the signal frame is not seen: the result as it is stored. */
function interrupted(): number {
  let first = NaN;
  const set = t.page.set.bind(t.page);
  t.page.set = (reg, value) => {
    if (Number.isNaN(first) && value < 0) first = value;
    set(reg, value);
  };
  sendSignal(t, kernelSignal(SIGUSR1));
  k.pump();
  return first;
}

describe('poll(2)', () => {
  it('tells what is true of each entry', () => {
    pollfds([reader, POLLIN], [writer, POLLOUT], [-5, POLLIN], [99, POLLIN]);
    expect([k.call(t, SYS_poll, POLLFDS, 4, -1), revents(4)]).toEqual([2, [0, POLLOUT, 0, POLLNVAL]]);
  });

  it('tells POLLHUP unasked, POLLNVAL for O_PATH', () => {
    k.put(t, EVENTS, '/');
    const path = k.call(t, SYS_open, EVENTS, O_PATH);
    k.call(t, SYS_close, writer);
    pollfds([reader, 0], [path, POLLIN]);
    expect([k.call(t, SYS_poll, POLLFDS, 2, -1), revents(2)]).toEqual([2, [POLLHUP, POLLNVAL]]);
  });

  it('waits for one of the files', () => {
    pollfds([reader, POLLIN], [reader, POLLIN]);
    expect(k.call(t, SYS_poll, POLLFDS, 2, -1)).toBe(BLOCKED);
    wakeWriter();
    expect([k.result(t), revents(2)]).toEqual([2, [POLLIN, POLLIN]]);
  });

  it('ends at its timeout, at once with 0', () => {
    pollfds([reader, POLLIN]);
    expect([k.call(t, SYS_poll, POLLFDS, 1, 0), revents(1)]).toEqual([0, [0]]);
    expect(k.call(t, SYS_poll, POLLFDS, 1, 50)).toBe(BLOCKED);
    k.advance(49);
    expect(k.result(t)).toBe(BLOCKED);
    k.advance(1);
    expect([k.result(t), t.wait.count]).toEqual([0, 0]);
  });

  it('takes more entries than it copies at a time', () => {
    pollfds(...Array.from({ length: 1000 }, (): [number, number] => [reader, POLLIN]), [writer, POLLOUT]);
    expect(k.call(t, SYS_poll, POLLFDS, 1001, -1)).toBe(1);
  });

  it('refuses more entries than RLIMIT_NOFILE, and bad memory', () => {
    expect([k.call(t, SYS_poll, POLLFDS, 1025, 0), k.call(t, SYS_poll, BAD_ADDR, 1, 0)]).toEqual([-EINVAL, -EFAULT]);
  });

  it('a signal handler ends it', () => {
    catchUsr1();
    pollfds([reader, POLLIN]);
    k.call(t, SYS_poll, POLLFDS, 1, -1);
    expect(interrupted()).toBe(-EINTR);
  });
});

describe('ppoll(2)', () => {
  it('stores the time that is left', () => {
    pollfds([reader, POLLIN]);
    time(2, 500_000_000);
    k.call(t, SYS_ppoll, POLLFDS, 1, TIMEOUT, 0, 8);
    k.advance(1000);
    wakeWriter();
    expect([k.result(t), timeLeft()]).toEqual([1, [1, 500_000_000]]);
  });

  it('has its signal mask for its length', () => {
    catchUsr1();
    t.signals.setBlocked(USR1_LOW, 0);
    sendSignal(t, kernelSignal(SIGUSR1));
    k.put(t, MASK, new Uint8Array(8));
    pollfds([reader, POLLIN]);
    let first = NaN;
    const set = t.page.set.bind(t.page);
    t.page.set = (reg, value) => {
      if (Number.isNaN(first) && value < 0) first = value;
      set(reg, value);
    };
    k.call(t, SYS_ppoll, POLLFDS, 1, 0, MASK, 8);
    expect([first, t.signals.hasSavedMask, t.signals.pending.count]).toEqual([-EINTR, false, 0]);
  });

  it('comes back to the old mask when a file is ready', () => {
    t.signals.setBlocked(USR1_LOW, 0);
    k.put(t, MASK, new Uint8Array(8));
    pollfds([writer, POLLOUT]);
    expect([k.call(t, SYS_ppoll, POLLFDS, 1, 0, MASK, 8), t.signals.blocked.low]).toEqual([1, USR1_LOW]);
  });

  it('refuses bad times and masks', () => {
    expect([
      k.call(t, SYS_ppoll, POLLFDS, 0, time(0, 1e9), 0, 8),
      k.call(t, SYS_ppoll, POLLFDS, 0, BAD_ADDR, 0, 8),
      k.call(t, SYS_ppoll, POLLFDS, 0, 0, MASK, 4),
      k.call(t, SYS_ppoll, POLLFDS, 0, 0, BAD_ADDR, 8),
    ]).toEqual([-EINVAL, -EFAULT, -EINVAL, -EFAULT]);
  });
});

describe('select(2)', () => {
  const bits = (...fds: number[]) => {
    const set = new Uint8Array(8);
    for (const fd of fds) set[fd >> 3]! |= 1 << (fd & 7);
    return set;
  };
  const sets = (read: number[], write: number[]) => {
    k.put(t, SETS, bits(...read));
    k.put(t, SETS + 8, bits(...write));
  };
  const found = (index: number) => [...new Uint8Array(k.peek(t, SETS + 8 * index, 8).buffer)];

  it('counts and keeps the bits that are true', () => {
    sets([reader], [writer]);
    expect(k.call(t, SYS_select, writer + 1, SETS, SETS + 8, 0, 0)).toBe(1);
    expect([found(0), found(1)]).toEqual([[...bits()], [...bits(writer)]]);
  });

  it('waits, and stores the time that is left', () => {
    sets([reader], []);
    expect(k.call(t, SYS_select, 64, SETS, 0, 0, time(1, 500_000))).toBe(BLOCKED);
    k.advance(600);
    wakeWriter();
    expect([k.result(t), found(0), timeLeft()]).toEqual([1, [...bits(reader)], [0, 900_000]]);
  });

  it('clears the bits at its timeout', () => {
    sets([reader], []);
    k.call(t, SYS_select, 64, SETS, 0, 0, time(0, 1_500_000));
    k.advance(1500);
    expect([k.result(t), found(0), timeLeft()]).toEqual([0, [...bits()], [0, 0]]);
  });

  it('refuses free descriptors, bad times and memory', () => {
    sets([42], []);
    expect([
      k.call(t, SYS_select, 64, SETS, 0, 0, 0),
      k.call(t, SYS_select, -1, 0, 0, 0, 0),
      k.call(t, SYS_select, 0, 0, 0, 0, time(-1, 0)),
      k.call(t, SYS_select, 64, BAD_ADDR, 0, 0, 0),
      k.call(t, SYS_pselect6, 0, 0, 0, 0, time(0, 1e9), 0),
      k.call(t, SYS_pselect6, 0, 0, 0, 0, 0, BAD_ADDR),
    ]).toEqual([-EBADF, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EFAULT]);
  });

  it('ignores bits beyond nfds', () => {
    sets([42], []);
    expect(k.call(t, SYS_select, 42, SETS, 0, 0, time(0, 0))).toBe(0);
  });
});

describe('epoll_wait(2)', () => {
  const event = (events: number, data: number) => {
    const view = new DataView(new ArrayBuffer(12));
    view.setUint32(0, events, true);
    view.setUint32(4, data, true);
    return k.put(t, EVENTS, new Uint8Array(view.buffer));
  };

  it('waits, and stores events', () => {
    const ep = k.call(t, SYS_epoll_create1, 0);
    expect(k.call(t, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, reader, event(EPOLLIN, 0x1234))).toBe(0);
    expect(k.call(t, SYS_epoll_wait, ep, EVENTS, 8, -1)).toBe(BLOCKED);
    wakeWriter();
    const view = k.peek(t, EVENTS, 12);
    expect([k.result(t), view.getUint32(0, true), view.getUint32(4, true)]).toEqual([1, EPOLLIN, 0x1234]);
  });

  it('wakes one of two waiters, and the other one if the event stays', () => {
    const ep = k.call(t, SYS_epoll_create1, 0);
    k.call(t, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, reader, event(EPOLLIN | (1 << 31), 1));
    const third = k.spawn();
    third.fds = t.fds;
    t.fds.incRef();
    k.call(t, SYS_epoll_wait, ep, EVENTS, 8, -1);
    k.call(third, SYS_epoll_wait, ep, EVENTS, 8, -1);
    wakeWriter();
    expect([k.result(t), k.result(third)]).toEqual([1, BLOCKED]);
    wakeWriter();
    expect(k.result(third)).toBe(1);
  });

  it('ends at its timeout', () => {
    const ep = k.call(t, SYS_epoll_create, 1);
    expect(k.call(t, SYS_epoll_wait, ep, EVENTS, 1, 0)).toBe(0);
    k.call(t, SYS_epoll_pwait2, ep, EVENTS, 1, time(0, 5_000_000), 0, 8);
    k.advance(5);
    expect(k.result(t)).toBe(0);
  });

  it('a signal ends it with EINTR, whatever the action says', () => {
    catchUsr1();
    const ep = k.call(t, SYS_epoll_create1, 0);
    k.call(t, SYS_epoll_pwait, ep, EVENTS, 1, -1, 0, 8);
    expect(interrupted()).toBe(-EINTR);
  });

  it('refuses what the man pages refuse', () => {
    const ep = k.call(t, SYS_epoll_create1, 0);
    k.put(t, POLLFDS, '/file');
    const file = k.call(t, SYS_open, POLLFDS, O_RDWR | O_CREAT, 0o600);
    event(EPOLLIN, 0);
    expect([
      k.call(t, SYS_epoll_create, 0),
      k.call(t, SYS_epoll_create1, 1),
      k.call(t, SYS_epoll_ctl, 99, EPOLL_CTL_ADD, reader, EVENTS),
      k.call(t, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, 99, EVENTS),
      k.call(t, SYS_epoll_ctl, reader, EPOLL_CTL_ADD, writer, EVENTS),
      k.call(t, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, ep, EVENTS),
      k.call(t, SYS_epoll_ctl, ep, 9, reader, EVENTS),
      k.call(t, SYS_epoll_ctl, ep, EPOLL_CTL_MOD, reader, BAD_ADDR),
      k.call(t, SYS_epoll_ctl, ep, EPOLL_CTL_DEL, reader, 0) < 0 ? 0 : 1,
      k.call(t, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, file, EVENTS),
      k.call(t, SYS_epoll_wait, ep, EVENTS, 0, 0),
      k.call(t, SYS_epoll_wait, reader, EVENTS, 1, 0),
      k.call(t, SYS_epoll_wait, 99, EVENTS, 1, 0),
    ]).toEqual([
      -EINVAL,
      -EINVAL,
      -EBADF,
      -EBADF,
      -EINVAL,
      -EINVAL,
      -EINVAL,
      -EFAULT,
      0,
      -EPERM,
      -EINVAL,
      -EINVAL,
      -EBADF,
    ]);
  });

  it('tells EFAULT only if nothing was stored', () => {
    const ep = k.call(t, SYS_epoll_create1, 0);
    k.call(t, SYS_epoll_ctl, ep, EPOLL_CTL_ADD, reader, event(EPOLLIN, 1));
    wakeWriter();
    expect(k.call(t, SYS_epoll_wait, ep, BAD_ADDR, 1, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_epoll_wait, ep, EVENTS, 1, 0)).toBe(1);
  });
});
