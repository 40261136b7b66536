import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
  EINVAL,
  EPERM,
  MEMBARRIER_CMD_GET_REGISTRATIONS,
  MEMBARRIER_CMD_GLOBAL,
  MEMBARRIER_CMD_PRIVATE_EXPEDITED,
  MEMBARRIER_CMD_QUERY,
  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
  SYS_clone,
  SYS_membarrier,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import { TestKernel } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

let k: TestKernel;
let task: Task;
beforeEach(() => {
  k = new TestKernel();
  task = k.spawn();
});

describe('membarrier(2)', () => {
  it('tells its commands', () => {
    const commands = k.call(task, SYS_membarrier, MEMBARRIER_CMD_QUERY, 0);
    expect(commands & MEMBARRIER_CMD_GLOBAL).toBe(MEMBARRIER_CMD_GLOBAL);
    expect(commands & MEMBARRIER_CMD_PRIVATE_EXPEDITED).toBe(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
  });
  it.each`
    cmd                                 | flags | errno
    ${MEMBARRIER_CMD_PRIVATE_EXPEDITED} | ${0}  | ${EPERM}
    ${MEMBARRIER_CMD_GLOBAL}            | ${1}  | ${EINVAL}
    ${1 << 20}                          | ${0}  | ${EINVAL}
    ${-1}                               | ${0}  | ${EINVAL}
  `('command $cmd, flags $flags: errno $errno', ({ cmd, flags, errno }: Record<string, number>) => {
    expect(k.call(task, SYS_membarrier, cmd!, flags!)).toBe(-errno!);
  });
  it('remembers registrations', () => {
    expect(k.call(task, SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0)).toBe(0);
    expect(k.call(task, SYS_membarrier, MEMBARRIER_CMD_GET_REGISTRATIONS, 0)).toBe(
      MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED,
    );
  });
  it('interrupts the threads that run, and returns when they have stopped', () => {
    const thread = k.task(k.call(task, SYS_clone, THREAD, 0));
    const other = k.spawn();
    k.call(task, SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0);
    const startedMs = thread.resumedMs;
    const otherMs = other.resumedMs;
    k.clock.advance(1);
    const first = k.call(task, SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0);
    if (first === BLOCKED) k.advance(1);
    expect(k.result(task)).toBe(0);
    expect(thread.resumedMs).toBeGreaterThan(startedMs);
    expect(other.resumedMs).toBe(otherMs);
  });
});
