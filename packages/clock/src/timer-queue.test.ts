import fc from 'fast-check';
import { Timer, TimerQueue } from './timer-queue.js';

class Recorder extends Timer {
  readonly log: number[];
  constructor(log: number[]) {
    super();
    this.log = log;
  }
  fired(nowMs: number): void {
    this.log.push(nowMs);
  }
}

describe('TimerQueue', () => {
  it('fires what is due, once, and knows the next deadline', () => {
    const queue = new TimerQueue();
    const log: number[] = [];
    const [a, b] = [new Recorder(log), new Recorder(log)];
    queue.arm(a, 10);
    queue.arm(b, 5);
    expect(queue.nextDeadlineMs).toBe(5);
    expect(queue.run(7)).toBe(1);
    expect([queue.nextDeadlineMs, b.isArmed, a.isArmed]).toEqual([10, false, true]);
    queue.disarm(a);
    expect([queue.run(100), log]).toEqual([0, [7]]);
  });

  it('fires in order of deadline whatever was armed, moved and disarmed before', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ id: fc.nat(15), at: fc.option(fc.nat(1000), { nil: Infinity }) }), { maxLength: 200 }),
        (steps) => {
          const queue = new TimerQueue();
          const fired: number[] = [];
          class Numbered extends Timer {
            readonly id: number;
            constructor(id: number) {
              super();
              this.id = id;
            }
            fired(): void {
              fired.push(this.id);
            }
          }
          const timers = Array.from({ length: 16 }, (_, id) => new Numbered(id));
          const model = new Map<number, number>();
          for (const { id, at } of steps) {
            queue.arm(timers[id]!, at);
            if (at === Infinity) model.delete(id);
            else model.set(id, at);
          }
          expect(queue.count).toBe(model.size);
          queue.run(1000);
          expect(fired.map((id) => model.get(id))).toEqual([...model.values()].sort((x, y) => x - y));
        },
      ),
    );
  });
});
