import {
  EAGAIN,
  EBADF,
  EDEADLK,
  EFAULT,
  EINVAL,
  F_GETLK,
  F_OFD_SETLK,
  F_RDLCK,
  F_SETLK,
  F_SETLKW,
  F_UNLCK,
  F_WRLCK,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  LOCK_UN,
  O_RDONLY,
  O_RDWR,
  SYS_close,
  SYS_dup,
  SYS_fcntl,
  SYS_flock,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { BUFFER_ADDR, GuestFiles } from '../testing/guest-files.js';
import { BAD_ADDR } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

class Lockers {
  readonly g = new GuestFiles();
  readonly tasks: readonly Task[];
  readonly fds: readonly number[];

  constructor() {
    const { g } = this;
    g.create('/file', 'x'.repeat(100));
    this.tasks = [g.task, g.kernel.spawn(), g.kernel.spawn()];
    this.fds = this.tasks.map((task) => {
      g.task = task;
      return g.open('/file', O_RDWR);
    });
  }

  flock(who: number, operation: number): number {
    return this.g.kernel.call(this.tasks[who]!, SYS_flock, this.fds[who]!, operation);
  }

  lock(who: number, cmd: number, type: number, start: number, len: number, fd = this.fds[who]!): number {
    const flock = new DataView(new ArrayBuffer(32));
    flock.setInt16(0, type, true);
    flock.setInt32(8, start, true);
    flock.setInt32(12, start < 0 ? -1 : 0, true);
    flock.setInt32(16, len, true);
    flock.setInt32(20, len < 0 ? -1 : 0, true);
    const task = this.tasks[who]!;
    this.g.kernel.put(task, BUFFER_ADDR, new Uint8Array(flock.buffer));
    return this.g.kernel.call(task, SYS_fcntl, fd, cmd, BUFFER_ADDR);
  }

  /** What F_GETLK found: type, start, length. */
  found(who: number): number[] {
    const view = this.g.kernel.peek(this.tasks[who]!, BUFFER_ADDR, 32);
    return [view.getInt16(0, true), view.getUint32(8, true), view.getUint32(16, true)];
  }

  result(who: number): number {
    this.g.kernel.pump();
    return this.g.kernel.result(this.tasks[who]!);
  }
}

describe('flock(2)', () => {
  it('is shared by readers and excludes a writer', () => {
    const l = new Lockers();
    expect([l.flock(0, LOCK_SH), l.flock(1, LOCK_SH), l.flock(2, LOCK_EX | LOCK_NB)]).toEqual([0, 0, -EAGAIN]);
    expect(l.flock(2, LOCK_EX)).toBe(BLOCKED);
    l.flock(0, LOCK_UN);
    expect(l.result(2)).toBe(BLOCKED);
    l.flock(1, LOCK_UN);
    expect(l.result(2)).toBe(0);
  });

  it('belongs to the open file: the last close gives it back', () => {
    const l = new Lockers();
    l.flock(0, LOCK_EX);
    const copy = l.g.kernel.call(l.tasks[0]!, SYS_dup, l.fds[0]!);
    l.g.kernel.call(l.tasks[0]!, SYS_close, l.fds[0]!);
    expect(l.flock(1, LOCK_EX | LOCK_NB)).toBe(-EAGAIN);
    l.g.kernel.call(l.tasks[0]!, SYS_close, copy);
    expect(l.flock(1, LOCK_EX | LOCK_NB)).toBe(0);
  });

  it('converts', () => {
    const l = new Lockers();
    expect([l.flock(0, LOCK_EX), l.flock(0, LOCK_SH), l.flock(1, LOCK_SH | LOCK_NB)]).toEqual([0, 0, 0]);
  });

  it.each`
    fd    | operation            | expected
    ${99} | ${LOCK_SH}           | ${-EBADF}
    ${0}  | ${LOCK_SH | LOCK_EX} | ${-EINVAL}
    ${0}  | ${0}                 | ${-EINVAL}
  `('$fd, $operation: $expected', (row: { fd: number; operation: number; expected: number }) => {
    const l = new Lockers();
    const fd = row.fd === 0 ? l.fds[0]! : row.fd;
    expect(l.g.kernel.call(l.tasks[0]!, SYS_flock, fd, row.operation)).toBe(row.expected);
  });
});

describe('fcntl_locking(2)', () => {
  it('locks ranges, splits and joins them', () => {
    const l = new Lockers();
    expect(l.lock(0, F_SETLK, F_WRLCK, 0, 100)).toBe(0);
    expect(l.lock(0, F_SETLK, F_UNLCK, 40, 20)).toBe(0);
    expect(l.lock(1, F_SETLK, F_WRLCK, 40, 20)).toBe(0);
    expect(l.lock(1, F_SETLK, F_WRLCK, 39, 1)).toBe(-EAGAIN);
    l.lock(2, F_GETLK, F_RDLCK, 10, 0);
    expect(l.found(2)).toEqual([F_WRLCK, 0, 40]);
    l.lock(1, F_SETLK, F_UNLCK, 0, 0);
    l.lock(0, F_SETLK, F_WRLCK, 40, 20);
    l.lock(2, F_GETLK, F_RDLCK, 10, 0);
    expect(l.found(2)).toEqual([F_WRLCK, 0, 100]);
    l.lock(2, F_GETLK, F_RDLCK, 100, 0);
    expect(l.found(2)[0]).toBe(F_UNLCK);
  });

  it('takes a negative length as the bytes before', () => {
    const l = new Lockers();
    l.lock(0, F_SETLK, F_WRLCK, 50, -10);
    l.lock(1, F_GETLK, F_WRLCK, 0, 0);
    expect(l.found(1)).toEqual([F_WRLCK, 40, 10]);
  });

  it('wakes who waits', () => {
    const l = new Lockers();
    l.lock(0, F_SETLK, F_WRLCK, 0, 0);
    expect(l.lock(1, F_SETLKW, F_RDLCK, 5, 5)).toBe(BLOCKED);
    l.lock(0, F_SETLK, F_RDLCK, 0, 0);
    expect(l.result(1)).toBe(0);
  });

  it('finds deadlocks', () => {
    const l = new Lockers();
    for (const who of [0, 1, 2]) l.lock(who, F_SETLK, F_WRLCK, who, 1);
    expect(l.lock(0, F_SETLKW, F_WRLCK, 1, 1)).toBe(BLOCKED);
    expect(l.lock(1, F_SETLKW, F_WRLCK, 2, 1)).toBe(BLOCKED);
    expect(l.lock(2, F_SETLKW, F_WRLCK, 0, 1)).toBe(-EDEADLK);
  });

  it('loses the locks of a process when it closes any descriptor of the file', () => {
    const l = new Lockers();
    l.lock(0, F_SETLK, F_WRLCK, 0, 0);
    l.g.task = l.tasks[0]!;
    l.g.call(SYS_close, l.g.open('/file'));
    expect(l.lock(1, F_SETLK, F_WRLCK, 0, 0)).toBe(0);
  });

  it('keeps OFD locks per open file', () => {
    const l = new Lockers();
    l.g.task = l.tasks[0]!;
    const second = l.g.open('/file', O_RDWR);
    expect(l.lock(0, F_OFD_SETLK, F_WRLCK, 0, 10)).toBe(0);
    expect(l.lock(0, F_OFD_SETLK, F_WRLCK, 5, 10, second)).toBe(-EAGAIN);
    l.g.call(SYS_close, l.fds[0]!);
    expect(l.lock(0, F_OFD_SETLK, F_WRLCK, 5, 10, second)).toBe(0);
  });

  it('EBADF, EINVAL, EFAULT', () => {
    const l = new Lockers();
    l.g.task = l.tasks[0]!;
    const reader = l.g.open('/file', O_RDONLY);
    expect(l.lock(0, F_SETLK, F_WRLCK, 0, 1, reader)).toBe(-EBADF);
    expect(l.lock(0, F_SETLK, 7, 0, 1)).toBe(-EINVAL);
    expect(l.lock(0, F_SETLK, F_WRLCK, -1, 1)).toBe(-EINVAL);
    expect(l.g.call(SYS_fcntl, reader, F_SETLK, BAD_ADDR)).toBe(-EFAULT);
  });
});
