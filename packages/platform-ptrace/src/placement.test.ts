import { readFileSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { REG_RAX, REG_RIP, type Context } from '@tsv/platform';
import { CODE, asm, stubsOf } from '@tsv/platform/testing';
import { PtraceGuest } from './testing/guest.js';

let guest: PtraceGuest;
let known: number[];
beforeEach(() => {
  known = stubsOf(process.pid);
  guest = new PtraceGuest();
});
afterEach(() => {
  guest.close();
});

/** Processors that the guest's threads may use, one number a thread. */
function processorCounts(): number[] {
  const [, , pid] = stubsOf(process.pid).filter((stub) => !known.includes(stub));
  return readdirSync(`/proc/${pid}/task`).map((tid) => {
    const list = /^Cpus_allowed_list:\s*(.*)$/m.exec(readFileSync(`/proc/${pid}/task/${tid}/status`, 'utf8'))![1]!;
    return list.split(',').reduce((count, range) => {
      const [first, last = first] = range.split('-').map(Number);
      return count + last! - first! + 1;
    }, 0);
  });
}

/** Counts rax down, then calls. */
const countdown = [0x48, 0xff, 0xc8, 0x75, 0xfb, ...asm.syscall];

function run(context: Context, count: number): void {
  context.page.set(REG_RIP, CODE);
  context.page.set(REG_RAX, count);
  guest.step(context);
}

// Skipped on one processor: there is no other to go to.
const many = availableParallelism() > 1 ? it : it.skip;

describe('where guests run', () => {
  many('next to the tracer while they make many calls, anywhere after they have computed, and back', () => {
    const { space } = guest.space(countdown);
    const context = guest.thread(space);
    run(context, 1);
    expect(processorCounts()).toEqual([1]);

    run(context, 20_000_000);
    run(context, 1);
    expect(processorCounts()).toEqual([availableParallelism()]);

    for (let tries = 0; tries < 1000 && processorCounts()[0] !== 1; tries++) run(context, 1);
    expect(processorCounts()).toEqual([1]);
  });

  many('anywhere, when several compute at once from their first call on', () => {
    const { space } = guest.space(asm.loop);
    const contexts = [guest.thread(space), guest.thread(space)];
    for (const context of contexts) context.resume();
    const end = performance.now() + 5000;
    while (performance.now() < end && processorCounts().includes(1)) {
      expect(guest.platform.next()).toBe(-1);
      guest.platform.sleep(5);
    }
    expect(processorCounts()).toEqual([availableParallelism(), availableParallelism()]);
  });
});
