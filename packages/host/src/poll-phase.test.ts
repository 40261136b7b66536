import { once } from 'node:events';
import { readFile } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { LoopSleeper } from './loop-sleeper.js';
import { PollPhase, onPollPhase } from './poll-phase.js';

type Timeout = { timers: string; lower: number; upper: number };

/** Runs `code` in a worker, with `native` and `parentPort`. */
function inWorker(code: string): Worker {
  const path = JSON.stringify(require.resolve('../native/index.js'));
  const prelude = `const native = require(${path}); const { parentPort } = require('node:worker_threads');`;
  return new Worker(prelude + code, { eval: true });
}

let phase: PollPhase | undefined;
afterEach(() => {
  phase?.close();
});

/** Resolves when `step` has returned true in a poll phase. */
function untilPollPhase(step: (phase: PollPhase) => boolean): Promise<void> {
  return new Promise((resolve) => {
    phase = onPollPhase(() => {
      if (step(phase!)) resolve();
      else phase!.again();
    });
  });
}

describe('onPollPhase', () => {
  it('calls once for each time it is asked', async () => {
    let calls = 0;
    phase = onPollPhase(() => calls++);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toBe(1);
    phase.again();
    phase.again();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toBe(2);
  });

  it('lets immediates, timers and ticks run in between', async () => {
    const seen: string[] = [];
    let turns = 0;
    await untilPollPhase(() => {
      seen.push('phase');
      setImmediate(() => seen.push('immediate'));
      process.nextTick(() => seen.push('tick'));
      return ++turns === 3;
    });
    expect(seen.slice(0, 7)).toEqual(['phase', 'tick', 'immediate', 'phase', 'tick', 'immediate', 'phase']);
  });

  it('runs microtasks of the callback when it has returned', async () => {
    let hasRun = false;
    let atReturn = true;
    await untilPollPhase(() => {
      void Promise.resolve().then(() => (hasRun = true));
      atReturn = hasRun;
      return true;
    });
    expect([atReturn, hasRun]).toEqual([false, true]);
  });

  it.each`
    timers         | lower  | upper
    ${'500'}       | ${450} | ${501}
    ${'500, 2000'} | ${450} | ${501}
  `('tells how long the loop would sleep, with timers [$timers]', async ({ timers, lower, upper }: Timeout) => {
    // A worker has a loop of its own, without Jest's timers.
    const worker = inWorker(`
      for (const ms of [${timers}]) setTimeout(() => {}, ms);
      let turns = 0;
      const phase = new native.PollPhase(() => (++turns < 5 ? phase.again() : parentPort.postMessage(phase.timeoutMs())));
      phase.again();`);
    const [timeoutMs] = (await once(worker, 'message')) as [number];
    await worker.terminate();
    expect(timeoutMs).toBeGreaterThanOrEqual(lower);
    expect(timeoutMs).toBeLessThanOrEqual(upper);
  });

  it('tells 0 when an immediate is pending', async () => {
    let timeoutMs = NaN;
    await untilPollPhase((current) => {
      setImmediate(() => undefined);
      timeoutMs = current.timeoutMs();
      return true;
    });
    expect(timeoutMs).toBe(0);
  });

  it('does not call when closed, also from the callback', async () => {
    let calls = 0;
    phase = onPollPhase(() => {
      calls++;
      phase!.again();
      phase!.close();
      phase!.again();
    });
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(calls).toBe(1);
  });

  it('makes an exception of the callback an uncaught one', async () => {
    const worker = inWorker(`
      const phase = new native.PollPhase(() => { throw new RangeError('thrown'); });
      phase.again();`);
    const [error] = (await once(worker, 'error')) as [Error];
    expect([error.name, error.message]).toEqual(['RangeError', 'thrown']);
  });

  it('does not stop a worker from ending', async () => {
    const worker = inWorker(`
      const phase = new native.PollPhase(() => parentPort.postMessage('called'));
      const watcher = new native.FdWatcher(new Int32Array(128), () => {});
      const sleeper = new native.LoopSleeper();
      phase.again();`);
    await once(worker, 'message');
    expect(await worker.terminate()).toBe(1);
  });
});

describe('LoopSleeper.sleep, from a poll phase', () => {
  let sleeper: LoopSleeper;
  beforeEach(() => {
    sleeper = new LoopSleeper();
  });
  afterEach(() => {
    sleeper.close();
  });

  /** Sleeps in poll phases until `isDone`. Returns how often it slept. */
  async function sleepUntil(isDone: () => boolean): Promise<number> {
    let sleeps = 0;
    await untilPollPhase(() => {
      if (isDone()) return true;
      sleeps++;
      sleeper.sleep(Infinity);
      return false;
    });
    return sleeps;
  }

  it('ends in time for a timer', async () => {
    let firedAfterMs = 0;
    const begin = performance.now();
    setTimeout(() => (firedAfterMs = performance.now() - begin), 50);
    const sleeps = await sleepUntil(() => firedAfterMs > 0);
    expect(firedAfterMs).toBeGreaterThan(48);
    expect(firedAfterMs).toBeLessThan(250);
    expect(sleeps).toBeLessThan(20);
  });

  it('ends when the thread pool has read a file', async () => {
    let text = '';
    readFile(__filename, 'utf8', (_error, data) => (text = data));
    const sleeps = await sleepUntil(() => text !== '');
    expect(text).toContain('the thread pool has read a file');
    expect(sleeps).toBeLessThan(50);
  });

  it('ends when a worker posts a message', async () => {
    const worker = new Worker(
      `setTimeout(() => require('worker_threads').parentPort.postMessage('hello'), 30); setInterval(() => {}, 1000);`,
      { eval: true },
    );
    let message: unknown;
    worker.once('message', (data: unknown) => (message = data));
    await sleepUntil(() => message !== undefined);
    expect(message).toBe('hello');
    await worker.terminate();
  });

  it('ends at the caller limit', async () => {
    let sleptMs = 0;
    await untilPollPhase(() => {
      const begin = performance.now();
      sleeper.sleep(25.5);
      sleptMs = performance.now() - begin;
      return sleptMs > 20;
    });
    expect(sleptMs).toBeGreaterThan(25);
    expect(sleptMs).toBeLessThan(250);
  });

  it('does not begin after a wake', async () => {
    let sleptMs = NaN;
    await untilPollPhase(() => {
      sleeper.wake();
      const begin = performance.now();
      sleeper.sleep(1000);
      sleptMs = performance.now() - begin;
      return true;
    });
    expect(sleptMs).toBeLessThan(500);
  });

  it('uses no CPU time', async () => {
    let isDone = false;
    setTimeout(() => (isDone = true), 1000);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const begin = process.cpuUsage();
    await sleepUntil(() => isDone);
    const used = process.cpuUsage(begin);
    // Of 800 ms; Node.js works beside it.
    expect((used.user + used.system) / 1e3).toBeLessThan(300);
  });
});
