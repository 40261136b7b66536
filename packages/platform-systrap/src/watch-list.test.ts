import { CONTEXT_BYTES, STATE_KERNEL } from '@tsv/platform';
import { RunQueue } from './run-queue.js';
import { WatchList } from './watch-list.js';

const CONTEXTS = 8;
const WORDS = CONTEXT_BYTES / 4;
const WATCHED = 600 / 4;

let pages: Uint32Array;
let queue: RunQueue;
let list: WatchList;
beforeEach(() => {
  pages = new Uint32Array(CONTEXTS * WORDS);
  queue = new RunQueue(pages, CONTEXTS);
  list = new WatchList(pages, CONTEXTS, queue);
});

function run(...indices: number[]): void {
  for (const index of indices) {
    queue.begin(index);
    list.add(index);
    queue.run(index);
  }
}

function stop(...indices: number[]): void {
  for (const index of indices) pages[index * WORDS] = STATE_KERNEL;
}

/** Contexts whose threads are told that they need not ring. */
function watched(): number[] {
  return Array.from({ length: CONTEXTS }, (_, i) => i).filter((i) => pages[i * WORDS + WATCHED] !== 0);
}

describe('WatchList', () => {
  it('finds each that has stopped, whoever else has', () => {
    run(0, 1, 2);
    expect([list.find(), list.findCertainly()]).toEqual([-1, -1]);
    stop(0, 1, 2);
    const found = new Set<number>();
    for (let index = list.find(); index >= 0; index = list.find()) {
      queue.claim(index);
      found.add(index);
    }
    expect([...found].sort()).toEqual([0, 1, 2]);
    expect([queue.runningCount, queue.take()]).toEqual([0, -1]);
  });

  it('takes turns between contexts that stop again and again', () => {
    run(0, 1);
    const found = [];
    for (let i = 0; i < 4; i++) {
      stop(0, 1);
      const index = list.find();
      queue.claim(index);
      queue.run(index);
      found.push(index);
    }
    expect([...found].sort()).toEqual([0, 0, 1, 1]);
  });

  it('watches four at most, and none while it is closed', () => {
    run(0, 1, 2, 3, 4);
    expect(watched()).toEqual([0, 1, 2, 3]);
    list.dismiss();
    list.isOpen = false;
    run(5);
    expect(watched()).toEqual([]);
  });

  it('queues those that have stopped without a ring when it dismisses all', () => {
    run(0, 1);
    stop(1);
    expect([list.dismiss(), watched(), queue.take(), queue.take()]).toEqual([true, [], 1, -1]);
    expect(list.dismiss()).toBe(false);
  });

  it('forgets a context that is no more in use, and has room for another', () => {
    run(0, 1, 2, 3);
    queue.end(1);
    list.remove(1);
    list.remove(1);
    run(4);
    expect(watched()).toEqual([0, 2, 3, 4]);
  });
});
