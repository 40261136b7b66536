import {
  EBADF,
  EFAULT,
  EINVAL,
  ENOENT,
  EPOLLIN,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  SYS_close,
  SYS_dup,
  SYS_dup2,
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_eventfd2,
  SYS_getpid,
  SYS_kcmp,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';

const KCMP_EPOLL_TFD = 7;
const EVENT = DATA_ADDR;
const SLOT = DATA_ADDR + 0x100;

describe('kcmp(2) KCMP_EPOLL_TFD', () => {
  let k: TestKernel;
  let t: Task;
  let epoll: number;
  let first: number;
  beforeEach(() => {
    k = new TestKernel();
    t = k.spawn();
    epoll = k.call(t, SYS_epoll_create1, 0);
    first = k.call(t, SYS_eventfd2, 0, 0);
    control(EPOLL_CTL_ADD, first);
  });

  function control(op: number, fd: number): void {
    k.put(t, EVENT, new Uint8Array([EPOLLIN, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
    expect(k.call(t, SYS_epoll_ctl, epoll, op, fd, EVENT)).toBe(0);
  }

  function compare(fd: number, efd: number, tfd: number, toff = 0): number {
    k.put(t, SLOT, new Uint8Array(new Int32Array([efd, tfd, toff]).buffer));
    const pid = k.call(t, SYS_getpid);
    return k.call(t, SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, fd, SLOT);
  }

  it('is 0 for the file that is watched, by any descriptor', () => {
    expect([compare(first, epoll, first), compare(k.call(t, SYS_dup, first), epoll, first)]).toEqual([0, 0]);
  });

  it('tells another file by an order', () => {
    expect([1, 2]).toContain(compare(k.call(t, SYS_eventfd2, 0, 0), epoll, first));
  });

  it('counts the files that were watched under one number', () => {
    const kept = k.call(t, SYS_dup, first);
    const second = k.call(t, SYS_eventfd2, 0, 0);
    k.call(t, SYS_dup2, second, first);
    control(EPOLL_CTL_ADD, first);
    const found = [0, 1].map((toff) => compare(kept, epoll, first, toff));
    expect([found.filter((result) => result === 0).length, compare(kept, epoll, first, 2)]).toEqual([1, -ENOENT]);
  });

  it('does not find what is no longer watched', () => {
    control(EPOLL_CTL_DEL, first);
    expect(compare(first, epoll, first)).toBe(-ENOENT);
  });

  it('refuses descriptors that are closed, files that are not epoll files and a slot that cannot be read', () => {
    const closed = k.call(t, SYS_dup, first);
    k.call(t, SYS_close, closed);
    const pid = k.call(t, SYS_getpid);
    expect([
      compare(closed, epoll, first),
      compare(first, closed, first),
      compare(first, first, first),
      k.call(t, SYS_kcmp, pid, pid, KCMP_EPOLL_TFD, first, BAD_ADDR),
    ]).toEqual([-EBADF, -EBADF, -EINVAL, -EFAULT]);
  });
});
