import { CONTEXT_BYTES, CONTEXT_REASON, REASON_DEAD, STATE_GUEST, STATE_KERNEL } from '@tsv/platform';
import { RunQueue } from './run-queue.js';

const CONTEXTS = 4;
const WORDS = CONTEXT_BYTES / 4;

function running(...indices: number[]): { queue: RunQueue; pages: Uint32Array } {
  const pages = new Uint32Array(CONTEXTS * WORDS);
  const queue = new RunQueue(pages, CONTEXTS);
  for (const index of indices) {
    queue.begin(index);
    queue.run(index);
  }
  return { queue, pages };
}

function takeAll(queue: RunQueue): number[] {
  const taken = [];
  for (let index = queue.take(); index >= 0; index = queue.take()) taken.push(index);
  return taken;
}

describe('RunQueue', () => {
  it('tells contexts that have stopped, in the order of their rings, once', () => {
    const { queue, pages } = running(0, 1, 2);
    for (const index of [2, 0]) {
      pages[index * WORDS] = STATE_KERNEL;
      queue.add(index);
      queue.add(index);
    }
    expect(queue.runningCount).toBe(1);
    expect(takeAll(queue)).toEqual([2, 0]);
  });

  it('has the thread of a context sleep that stays stopped, and of no other', () => {
    const { queue, pages } = running(0, 1, 2);
    for (const index of [0, 1]) {
      pages[index * WORDS] = STATE_KERNEL;
      queue.claim(index);
    }
    queue.run(1);
    pages[WORDS] = STATE_KERNEL;
    const asleep = 2;
    queue.begin(3);
    pages[3 * WORDS] = asleep;
    for (const index of [0, 1, 2, 3]) queue.rest(index);
    const resting = 5;
    expect([0, 1, 2, 3].map((index) => pages[index * WORDS])).toEqual([resting, STATE_KERNEL, STATE_GUEST, asleep]);
  });

  it('does not believe a ring for a context that runs, is stopped or is not in use', () => {
    const { queue, pages } = running(0);
    queue.begin(1);
    pages[WORDS] = STATE_KERNEL;
    expect(pages[0]).toBe(STATE_GUEST);
    for (const index of [0, 1, 3]) queue.add(index);
    expect([takeAll(queue), queue.runningCount]).toEqual([[], 1]);
  });

  it('forgets a context that was released', () => {
    const { queue, pages } = running(0, 1, 2);
    for (const index of [0, 1, 2]) {
      pages[index * WORDS] = STATE_KERNEL;
      queue.add(index);
    }
    expect(queue.end(1)).toBe(false);
    expect(takeAll(queue)).toEqual([0, 2]);
    queue.run(0);
    expect([queue.end(0), queue.runningCount]).toEqual([true, 0]);
  });

  it('tells a death at once if the context runs, and else when it is resumed', () => {
    const { queue, pages } = running(0);
    queue.begin(1);
    queue.kill(0);
    queue.kill(1);
    queue.kill(0);
    expect(takeAll(queue)).toEqual([0]);
    queue.run(1);
    expect(takeAll(queue)).toEqual([1]);
    expect(pages[WORDS + CONTEXT_REASON / 4]).toBe(REASON_DEAD);
    expect(queue.runningCount).toBe(0);
  });
});
