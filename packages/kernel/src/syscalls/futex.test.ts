import {
  CLOCK_MONOTONIC,
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
  EAGAIN,
  EDEADLK,
  EFAULT,
  EINVAL,
  ENOSYS,
  EPERM,
  ESRCH,
  ETIMEDOUT,
  FUTEX_CLOCK_REALTIME,
  FUTEX_CMP_REQUEUE,
  FUTEX_LOCK_PI,
  FUTEX_OWNER_DIED,
  FUTEX_PRIVATE_FLAG,
  FUTEX_REQUEUE,
  FUTEX_TRYLOCK_PI,
  FUTEX_UNLOCK_PI,
  FUTEX_WAIT,
  FUTEX_WAITERS,
  FUTEX_WAIT_BITSET,
  FUTEX_WAKE,
  FUTEX_WAKE_BITSET,
  FUTEX_WAKE_OP,
  SYS_clone,
  SYS_exit,
  SYS_fork,
  SYS_futex,
  SYS_futex_waitv,
  SYS_get_robust_list,
  SYS_set_robust_list,
  storeI64,
} from '@tsv/abi';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
const WORD = DATA_ADDR + 0x40;
const OTHER_WORD = DATA_ADDR + 0x80;
const TIMESPEC = DATA_ADDR + 0xc0;

/** A process with `count` threads beside the leader. */
function threads(count: number): { k: TestKernel; t: Task; others: Task[] } {
  const k = new TestKernel();
  const t = k.spawn();
  const others: Task[] = [];
  for (let i = 0; i < count; i++) others.push(k.task(k.call(t, SYS_clone, THREAD, DATA_ADDR + 0x1000 * (i + 2))));
  return { k, t, others };
}

function wait(k: TestKernel, t: Task, word = WORD, bitset = -1, op = FUTEX_WAIT_BITSET): number {
  return k.call(t, SYS_futex, word, op | FUTEX_PRIVATE_FLAG, t.mm.load32(word), 0, 0, bitset >>> 0);
}

function timespec(k: TestKernel, t: Task, sec: number, nsec = 0): number {
  const bytes = new Uint8Array(16);
  storeI64(new DataView(bytes.buffer), 0, sec);
  storeI64(new DataView(bytes.buffer), 8, nsec);
  return k.put(t, TIMESPEC, bytes);
}

function results(k: TestKernel, tasks: readonly Task[]): number[] {
  return tasks.map((task) => k.result(task));
}

describe('FUTEX_WAIT and FUTEX_WAKE', () => {
  it('wake as many as asked for, who waits longest first', () => {
    const { k, t, others } = threads(3);
    for (const other of others) expect(wait(k, other)).toBe(BLOCKED);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 2)).toBe(2);
    expect(results(k, others)).toEqual([0, 0, BLOCKED]);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 0x7fffffff)).toBe(1);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1)).toBe(0);
  });

  it('wake those whose bitset meets', () => {
    const { k, t, others } = threads(2);
    wait(k, others[0]!, WORD, 1);
    wait(k, others[1]!, WORD, 2);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE_BITSET | FUTEX_PRIVATE_FLAG, 9, 0, 0, 2)).toBe(1);
    expect(results(k, others)).toEqual([BLOCKED, 0]);
  });

  it('do not meet in two processes on private memory', () => {
    const { k, t } = threads(0);
    const child = k.task(k.call(t, SYS_fork));
    expect(wait(k, child)).toBe(BLOCKED);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE, 1)).toBe(0);
  });

  it('returns EAGAIN when the word has another value', () => {
    const { k, t } = threads(0);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAIT, 1, 0)).toBe(-EAGAIN);
  });

  it.each`
    clock          | op                                          | sec
    ${'relative'}  | ${FUTEX_WAIT}                               | ${2}
    ${'monotonic'} | ${FUTEX_WAIT_BITSET}                        | ${1002}
    ${'realtime'}  | ${FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME} | ${1_700_001_002}
  `('returns ETIMEDOUT at the end of a $clock timeout', ({ op, sec }: { op: number; sec: number }) => {
    const { k, t } = threads(0);
    expect(k.call(t, SYS_futex, WORD, op, 0, timespec(k, t, sec), 0, 1)).toBe(BLOCKED);
    k.advance(1999);
    expect(k.result(t)).toBe(BLOCKED);
    k.advance(2);
    expect(k.result(t)).toBe(-ETIMEDOUT);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE, 1)).toBe(0);
  });

  it.each`
    op                                   | addr        | timeout     | bitset | errno
    ${FUTEX_WAIT}                        | ${WORD + 1} | ${0}        | ${1}   | ${EINVAL}
    ${FUTEX_WAKE}                        | ${WORD + 2} | ${0}        | ${1}   | ${EINVAL}
    ${FUTEX_WAIT_BITSET}                 | ${WORD}     | ${0}        | ${0}   | ${EINVAL}
    ${FUTEX_WAKE_BITSET}                 | ${WORD}     | ${0}        | ${0}   | ${EINVAL}
    ${FUTEX_WAIT}                        | ${BAD_ADDR} | ${0}        | ${1}   | ${EFAULT}
    ${FUTEX_WAIT}                        | ${WORD}     | ${BAD_ADDR} | ${1}   | ${EFAULT}
    ${FUTEX_WAIT}                        | ${WORD}     | ${WORD + 8} | ${1}   | ${EINVAL}
    ${2}                                 | ${WORD}     | ${0}        | ${1}   | ${ENOSYS}
    ${99}                                | ${WORD}     | ${0}        | ${1}   | ${ENOSYS}
    ${FUTEX_WAKE | FUTEX_CLOCK_REALTIME} | ${WORD}     | ${0}        | ${1}   | ${ENOSYS}
  `('op $op at $addr with timeout $timeout, bitset $bitset: $errno', (row: Record<string, number>) => {
    const { k, t } = threads(0);
    t.mm.store64(WORD + 16, 1e9);
    expect(k.call(t, SYS_futex, row['addr']!, row['op']!, 0, row['timeout']!, 0, row['bitset']!)).toBe(-row['errno']!);
  });
});

describe('FUTEX_REQUEUE', () => {
  it('wakes some and moves the others', () => {
    const { k, t, others } = threads(3);
    for (const other of others) wait(k, other);
    expect(k.call(t, SYS_futex, WORD, FUTEX_CMP_REQUEUE | FUTEX_PRIVATE_FLAG, 1, 9, OTHER_WORD, 0)).toBe(3);
    expect(results(k, others)).toEqual([0, BLOCKED, BLOCKED]);
    expect(k.call(t, SYS_futex, OTHER_WORD, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 9)).toBe(2);
  });

  it('returns EAGAIN for another value, EINVAL for negative counts', () => {
    const { k, t } = threads(0);
    expect(k.call(t, SYS_futex, WORD, FUTEX_CMP_REQUEUE, 1, 1, OTHER_WORD, 5)).toBe(-EAGAIN);
    expect(k.call(t, SYS_futex, WORD, FUTEX_REQUEUE, -1, 1, OTHER_WORD)).toBe(-EINVAL);
    expect(k.call(t, SYS_futex, WORD, FUTEX_REQUEUE, 1, -1, OTHER_WORD)).toBe(-EINVAL);
  });
});

describe('FUTEX_WAKE_OP', () => {
  const encode = (op: number, cmp: number, opArg: number, cmpArg: number): number =>
    ((op << 28) | (cmp << 24) | ((opArg & 0xfff) << 12) | (cmpArg & 0xfff)) >>> 0;

  it.each`
    what                  | op   | opArg | before | after
    ${'sets'}             | ${0} | ${5}  | ${3}   | ${5}
    ${'adds a negative'}  | ${1} | ${-1} | ${3}   | ${2}
    ${'ors'}              | ${2} | ${4}  | ${3}   | ${7}
    ${'clears'}           | ${3} | ${1}  | ${3}   | ${2}
    ${'xors'}             | ${4} | ${1}  | ${3}   | ${2}
    ${'adds a shifted 1'} | ${9} | ${4}  | ${3}   | ${19}
  `('$what', ({ op, opArg, before, after }: Record<string, number>) => {
    const { k, t } = threads(0);
    t.mm.store32(OTHER_WORD, before!);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE_OP, 1, 1, OTHER_WORD, encode(op!, 0, opArg!, 99))).toBe(0);
    expect(t.mm.load32(OTHER_WORD)).toBe(after);
  });

  it.each`
    cmp  | arg   | isWoken
    ${0} | ${3}  | ${true}
    ${1} | ${3}  | ${false}
    ${2} | ${4}  | ${true}
    ${3} | ${2}  | ${false}
    ${4} | ${-1} | ${true}
    ${5} | ${4}  | ${false}
  `(
    'wakes the second word if comparison $cmp with $arg holds: $isWoken',
    ({ cmp, arg, isWoken }: Record<string, number>) => {
      const { k, t, others } = threads(2);
      t.mm.store32(OTHER_WORD, 3);
      wait(k, others[0]!);
      wait(k, others[1]!, OTHER_WORD);
      const op = FUTEX_WAKE_OP | FUTEX_PRIVATE_FLAG;
      expect(k.call(t, SYS_futex, WORD, op, 1, 1, OTHER_WORD, encode(0, cmp!, 1, arg!))).toBe(isWoken ? 2 : 1);
    },
  );

  it('returns ENOSYS for an unknown operation, EFAULT for a word that cannot be written', () => {
    const { k, t } = threads(0);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE_OP, 1, 1, OTHER_WORD, encode(5, 0, 1, 1))).toBe(-ENOSYS);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE_OP, 1, 1, BAD_ADDR, encode(0, 0, 1, 1))).toBe(-EFAULT);
  });
});

describe('a PI futex', () => {
  it('is handed to the first waiter', () => {
    const { k, t, others } = threads(2);
    expect(k.call(t, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0)).toBe(0);
    for (const other of others) expect(k.call(other, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0)).toBe(BLOCKED);
    expect(t.mm.load32(WORD)).toBe((FUTEX_WAITERS | t.tid) >>> 0);
    expect(k.call(t, SYS_futex, WORD, FUTEX_UNLOCK_PI)).toBe(0);
    expect(results(k, others)).toEqual([0, BLOCKED]);
    expect(t.mm.load32(WORD)).toBe((FUTEX_WAITERS | others[0]!.tid) >>> 0);
    expect(k.call(others[0]!, SYS_futex, WORD, FUTEX_UNLOCK_PI)).toBe(0);
    expect(t.mm.load32(WORD)).toBe(others[1]!.tid);
    expect(k.kernel.futexes.piWaiterCount).toBe(0);
  });

  it('goes to a waiter when its owner ends', () => {
    const { k, t, others } = threads(1);
    k.call(others[0]!, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0);
    expect(k.call(t, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0)).toBe(BLOCKED);
    k.call(others[0]!, SYS_exit, 0);
    expect(k.result(t)).toBe(0);
    expect(t.mm.load32(WORD)).toBe((FUTEX_OWNER_DIED | t.tid) >>> 0);
  });

  it('counts its waiters, however they were woken', () => {
    const { k, t, others } = threads(1);
    k.call(t, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0);
    expect(k.call(others[0]!, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0)).toBe(BLOCKED);
    k.call(t, SYS_futex, WORD, FUTEX_WAKE, 1);
    k.result(others[0]!);
    expect(k.call(others[0]!, SYS_futex, OTHER_WORD, FUTEX_WAIT, 0, 0)).toBe(BLOCKED);
    k.call(t, SYS_futex, OTHER_WORD, FUTEX_WAKE, 1);
    expect(k.kernel.futexes.piWaiterCount).toBe(0);
  });

  it('is not waited for by a thread that its owner waits for: EDEADLK', () => {
    const { k, t, others } = threads(2);
    const all = [t, ...others];
    const lock = (i: number, j: number) => k.call(all[i]!, SYS_futex, WORD + 4 * j, FUTEX_LOCK_PI, 0, 0);
    expect([lock(0, 0), lock(1, 1), lock(2, 2)]).toEqual([0, 0, 0]);
    expect([lock(0, 1), lock(1, 2), lock(2, 0)]).toEqual([BLOCKED, BLOCKED, -EDEADLK]);
    expect(k.call(all[2]!, SYS_futex, WORD + 8, FUTEX_UNLOCK_PI)).toBe(0);
    expect([k.result(all[1]!), lock(2, 0)]).toEqual([0, BLOCKED]);
  });

  it('returns the errors of its man page', () => {
    const { k, t, others } = threads(1);
    expect(k.call(t, SYS_futex, WORD, FUTEX_UNLOCK_PI)).toBe(-EPERM);
    k.call(t, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0);
    expect(k.call(t, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0)).toBe(-EDEADLK);
    expect(k.call(others[0]!, SYS_futex, WORD, FUTEX_TRYLOCK_PI)).toBe(-EAGAIN);
    expect(k.call(others[0]!, SYS_futex, WORD, FUTEX_LOCK_PI, 0, timespec(k, t, 1_700_001_001))).toBe(BLOCKED);
    k.advance(1001);
    expect(k.result(others[0]!)).toBe(-ETIMEDOUT);
    t.mm.store32(WORD, 4000);
    expect(k.call(t, SYS_futex, WORD, FUTEX_LOCK_PI, 0, 0)).toBe(-ESRCH);
    expect(k.call(t, SYS_futex, BAD_ADDR, FUTEX_LOCK_PI, 0, 0)).toBe(-EFAULT);
    expect(k.call(t, SYS_futex, WORD + 1, FUTEX_LOCK_PI, 0, 0)).toBe(-EINVAL);
  });
});

describe('futex_waitv(2)', () => {
  const VECTOR = DATA_ADDR + 0x400;
  function vector(k: TestKernel, t: Task, words: readonly number[], flags = 2 | FUTEX_PRIVATE_FLAG): number {
    const bytes = new Uint8Array(24 * words.length);
    const mem = new DataView(bytes.buffer);
    for (const [i, word] of words.entries()) {
      storeI64(mem, 24 * i + 8, word);
      mem.setUint32(24 * i + 16, flags, true);
    }
    return k.put(t, VECTOR, bytes);
  }

  it('tells which word was woken and leaves the others', () => {
    const { k, t, others } = threads(1);
    const waiter = others[0]!;
    vector(k, t, [WORD, OTHER_WORD]);
    expect(k.call(waiter, SYS_futex_waitv, VECTOR, 2, 0, 0, 0)).toBe(BLOCKED);
    expect(k.call(t, SYS_futex, OTHER_WORD, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1)).toBe(1);
    expect(k.result(waiter)).toBe(1);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1)).toBe(0);
  });

  it('returns ETIMEDOUT at the absolute time', () => {
    const { k, t } = threads(0);
    vector(k, t, [WORD]);
    expect(k.call(t, SYS_futex_waitv, VECTOR, 1, 0, timespec(k, t, 1001), CLOCK_MONOTONIC)).toBe(BLOCKED);
    k.advance(1000);
    expect(k.result(t)).toBe(-ETIMEDOUT);
  });

  it('returns the errors of its man page', () => {
    const { k, t } = threads(0);
    vector(k, t, [WORD, OTHER_WORD]);
    t.mm.store32(OTHER_WORD, 1);
    expect(k.call(t, SYS_futex_waitv, VECTOR, 2, 0, 0, 0)).toBe(-EAGAIN);
    expect(k.call(t, SYS_futex, WORD, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1)).toBe(0);
    expect(k.call(t, SYS_futex_waitv, VECTOR, 0, 0, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_futex_waitv, VECTOR, 129, 0, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_futex_waitv, VECTOR, 1, 1, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_futex_waitv, VECTOR, 1, 0, TIMESPEC, 5)).toBe(-EINVAL);
    expect(k.call(t, SYS_futex_waitv, BAD_ADDR, 1, 0, 0, 0)).toBe(-EFAULT);
    vector(k, t, [WORD], 1);
    expect(k.call(t, SYS_futex_waitv, VECTOR, 1, 0, 0, 0)).toBe(-EINVAL);
  });
});

describe('a robust list', () => {
  const HEAD = DATA_ADDR + 0x800;
  const NODE = DATA_ADDR + 0x840;
  const LOCK_OFFSET = 16;

  it('releases the futexes of a thread that ends', () => {
    const { k, t, others } = threads(2);
    const [owner, waiter] = others as [Task, Task];
    t.mm.store64(HEAD, NODE);
    t.mm.store64(HEAD + 8, LOCK_OFFSET);
    t.mm.store64(NODE, HEAD);
    t.mm.store32(NODE + LOCK_OFFSET, (FUTEX_WAITERS | owner.tid) >>> 0);
    k.call(owner, SYS_set_robust_list, HEAD, 24);
    wait(k, waiter, NODE + LOCK_OFFSET);
    k.call(owner, SYS_exit, 0);
    expect(t.mm.load32(NODE + LOCK_OFFSET)).toBe((FUTEX_WAITERS | FUTEX_OWNER_DIED) >>> 0);
    expect(k.result(waiter)).toBe(0);
  });

  it('that never ends, or points nowhere, does no harm', () => {
    for (const next of [NODE, BAD_ADDR, 0x7fff_ffff_ffff_f]) {
      const { k, t, others } = threads(1);
      t.mm.store64(HEAD, NODE);
      t.mm.store64(NODE, next);
      k.call(others[0]!, SYS_set_robust_list, HEAD, 24);
      k.call(others[0]!, SYS_exit, 0);
      expect(t.isInGuest).toBe(true);
    }
  });

  it('is set and told', () => {
    const { k, t } = threads(0);
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(k.call(t, SYS_set_robust_list, HEAD, 23)).toBe(-EINVAL);
    k.call(t, SYS_set_robust_list, HEAD, 24);
    expect(k.call(t, SYS_get_robust_list, 0, DATA_ADDR, DATA_ADDR + 8)).toBe(0);
    expect([t.mm.load64(DATA_ADDR), t.mm.load64(DATA_ADDR + 8)]).toEqual([HEAD, 24]);
    expect(k.call(t, SYS_get_robust_list, 77, DATA_ADDR, DATA_ADDR + 8)).toBe(-ESRCH);
    expect(k.call(user, SYS_get_robust_list, 1, DATA_ADDR, DATA_ADDR + 8)).toBe(-EPERM);
    expect(k.call(t, SYS_get_robust_list, 0, BAD_ADDR, DATA_ADDR)).toBe(-EFAULT);
  });
});
