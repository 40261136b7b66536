import { REASON_SYSCALL } from '@tsv/platform';
import { asm, describeLifetimes, stubsOf, threadCount } from '@tsv/platform/testing';
import { PtraceGuest, ptrace } from './testing/guest.js';

describeLifetimes(ptrace);

describe('under ptrace', () => {
  let guest: PtraceGuest;
  let before: number[];
  beforeEach(() => {
    before = stubsOf(process.pid);
    guest = new PtraceGuest();
  });
  afterEach(() => {
    guest.close();
  });

  /** The stubs that the test has made since `known`. */
  function newStubs(known: readonly number[]): number[] {
    return stubsOf(process.pid).filter((pid) => !known.includes(pid));
  }

  it('threads that are too many to keep end with their contexts', () => {
    const known = stubsOf(process.pid);
    const { space } = guest.space(asm.syscall);
    const contexts = Array.from({ length: 40 }, () => guest.thread(space));
    const [pid] = newStubs(known);
    expect(threadCount(pid!)).toBe(40);
    for (const context of contexts) context.release();
    expect(threadCount(pid!)).toBeLessThanOrEqual(17);
  });

  it('a bell that is killed leaves guests running, and sleeps are short', async () => {
    const [, bell] = newStubs(before).sort((a, b) => a - b);
    process.kill(bell!, 'SIGKILL');
    const { space } = guest.space(asm.syscall);
    const context = guest.thread(space);
    guest.step(context);
    expect(context.page.reason).toBe(REASON_SYSCALL);

    guest.platform.wake();
    await new Promise((resolve) => setTimeout(resolve, 10));
    const start = performance.now();
    for (let i = 0; i < 3; i++) guest.platform.sleep(60_000);
    expect(performance.now() - start).toBeLessThan(10_000);
  });
});
