import { WaitEntry, WaitQueue } from './wait-queue.js';

const POLLIN = 1;
const POLLOUT = 4;
const POLLHUP = 16;

class Recorder extends WaitEntry {
  readonly seen: number[] = [];
  readonly leaves: boolean;
  constructor(leaves = false) {
    super();
    this.leaves = leaves;
  }
  notified(mask: number): void {
    this.seen.push(mask);
    if (this.leaves) this.leave();
  }
}

describe('WaitQueue', () => {
  it('tells the waiters whose mask matches, in order of arrival', () => {
    const queue = new WaitQueue();
    const order: string[] = [];
    class Named extends WaitEntry {
      readonly #name: string;
      constructor(name: string) {
        super();
        this.#name = name;
      }
      notified(): void {
        order.push(this.#name);
      }
    }
    queue.add(new Named('a'), POLLIN);
    queue.add(new Named('b'), POLLOUT);
    queue.add(new Named('c'), POLLIN | POLLOUT);
    queue.notify(POLLIN);
    expect(order).toEqual(['a', 'c']);
  });

  it('tells of POLLHUP whatever the mask', () => {
    const queue = new WaitQueue();
    const entry = new Recorder();
    queue.add(entry, POLLIN);
    queue.notify(POLLHUP);
    expect(entry.seen).toEqual([POLLHUP]);
  });

  it('lets an entry leave while it is told', () => {
    const queue = new WaitQueue();
    const [a, b] = [new Recorder(true), new Recorder(true)];
    queue.add(a, POLLIN);
    queue.add(b, POLLIN);
    queue.notify(POLLIN);
    expect([a.seen, b.seen, queue.isEmpty]).toEqual([[POLLIN], [POLLIN], true]);
  });

  it('goes on when the entry that is told takes its neighbour with it', () => {
    const queue = new WaitQueue();
    const second = new Recorder();
    const first = new (class extends Recorder {
      override notified(mask: number): void {
        super.notified(mask);
        this.leave();
        second.leave();
      }
    })();
    const third = new Recorder();
    for (const entry of [first, second, third]) queue.add(entry, POLLIN);
    queue.notify(POLLIN);
    expect([first, second, third].map((entry) => entry.seen.length)).toEqual([1, 0, 1]);
  });

  it('stops after countMax waiters', () => {
    const queue = new WaitQueue();
    const entries = [new Recorder(), new Recorder(), new Recorder()];
    for (const entry of entries) queue.add(entry, POLLIN);
    expect(queue.notifySome(POLLIN, 2)).toBe(2);
    expect(entries.map((entry) => entry.seen.length)).toEqual([1, 1, 0]);
  });

  it('keeps its links when the middle entry leaves', () => {
    const queue = new WaitQueue();
    const [a, b, c] = [new Recorder(), new Recorder(), new Recorder()];
    for (const entry of [a, b, c]) queue.add(entry, POLLIN);
    b.leave();
    queue.notify(POLLIN);
    expect([a, b, c].map((entry) => entry.seen.length)).toEqual([1, 0, 1]);
  });

  it('refuses an entry that is on a queue', () => {
    const queue = new WaitQueue();
    const entry = new Recorder();
    queue.add(entry, POLLIN);
    expect(() => queue.add(entry, POLLIN)).toThrow('on a queue already');
  });

  it('refuses to remove an entry of another queue', () => {
    const entry = new Recorder();
    new WaitQueue().add(entry, POLLIN);
    expect(() => new WaitQueue().remove(entry)).toThrow('not on this queue');
  });
});
