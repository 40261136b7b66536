import {
  MAP_ANONYMOUS,
  MAP_NORESERVE,
  MAP_PRIVATE,
  PROT_READ,
  PROT_WRITE,
  RLIMIT_CORE,
  SIGSEGV,
  SI_KERNEL,
  SYS_mmap,
  WCOREFLAG,
} from '@tsv/abi';
import { SigInfo } from '../signal/sig-info.js';
import { TestKernel } from '../testing/test-kernel.js';
import { dumpCore } from './dump-core.js';

describe('dumpCore, core(5)', () => {
  it('passes over what was never touched, however much it is', () => {
    const k = new TestKernel();
    const task = k.spawn();
    task.threadGroup.limits.set(RLIMIT_CORE, 2 ** 20, 2 ** 20);
    const flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
    const addr = k.call(task, SYS_mmap, 0, 2 ** 46, PROT_READ | PROT_WRITE, flags, -1, 0);
    expect(addr).toBeGreaterThan(0);
    task.mm.store32(addr + 2 ** 45, 1);
    expect(dumpCore(task, new SigInfo(SIGSEGV, SI_KERNEL))).toBe(WCOREFLAG);
  });
});
