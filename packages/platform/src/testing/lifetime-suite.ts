import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import {
  PAGE_BYTES,
  REASON_DEAD,
  REASON_INTERRUPTED,
  REASON_SYSCALL,
  REG_ORIG_RAX,
  REG_RAX,
  REG_RIP,
} from '../index.js';
import { CODE, DATA, Guest, must } from './guest.js';
import type { PlatformUnderTest } from './platform-under-test.js';
import { asm } from './machine-code.js';
import { liveInSession, sessionOf, stubsOf, threadCount } from './host-processes.js';

/** Ends of address spaces, contexts, stubs and sentries. */
export function describeLifetimes(subject: PlatformUnderTest): void {
  describe('lifetimes', () => {
    let guest: Guest;
    let before: number[];
    beforeEach(() => {
      before = stubsOf(process.pid);
      guest = new Guest(subject.create);
    });
    afterEach(() => {
      guest.close();
      expect(stubsOf(process.pid)).toEqual(before);
    });

    /** The stubs that the test has made since `known`. */
    function newStubs(known: readonly number[]): number[] {
      return stubsOf(process.pid).filter((pid) => !known.includes(pid));
    }

    describe('AddressSpace.release', () => {
      it('leaves no process behind, a thousand times', async () => {
        const known = stubsOf(process.pid);
        for (let i = 0; i < 1000; i++) {
          const space = must(guest.platform.createAddressSpace());
          const context = must(space.createContext(null));
          context.release();
          space.release();
        }
        await expectNoStubs(known);
      });

      it('ends guests that run', async () => {
        const known = stubsOf(process.pid);
        const { space } = guest.space(asm.loop);
        const threads = [guest.thread(space), guest.thread(space), guest.thread(space)];
        for (const context of threads) context.resume();
        expect(guest.platform.next()).toBe(-1);
        for (const context of threads) context.release();
        space.release();
        expect(guest.platform.next()).toBe(-1);
        await expectNoStubs(known);
      });
    });

    describe('Context.release', () => {
      it.each(['stopped', 'resumed', 'running', 'stopped again'])('of a %s context tells no stop of it', (state) => {
        const { space } = guest.space(state === 'stopped again' ? asm.syscall : asm.loop);
        const context = guest.thread(space);
        if (state !== 'stopped') context.resume();
        if (state === 'running') expect(guest.platform.next()).toBe(-1);
        if (state === 'stopped again') guest.platform.sleep(1000);
        context.release();
        expect(guest.platform.next()).toBe(-1);

        // Whoever gets its number or its thread starts afresh.
        guest.mapCode(space, CODE, asm.syscall);
        const next = guest.thread(space);
        guest.step(next);
        expect([next.page.reason, next.page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, 0]);
      });

      it('keeps threads for later contexts', () => {
        const known = stubsOf(process.pid);
        const { space } = guest.space(asm.syscall);
        const first = guest.thread(space);
        const [pid] = newStubs(known);
        for (let round = 0; round < 100; round++) {
          const context = guest.thread(space);
          guest.step(context);
          context.release();
        }
        expect(threadCount(pid!)).toBe(2 + subject.helperThreadCount);
        first.release();
      });
    });

    describe('a stub that is killed', () => {
      it('is told as the end of its running contexts, and of the others when they are resumed', () => {
        const known = stubsOf(process.pid);
        const { space } = guest.space(asm.loop);
        const running = guest.thread(space);
        const stopped = guest.thread(space);
        running.resume();
        expect(guest.platform.next()).toBe(-1);
        for (const pid of newStubs(known)) process.kill(pid, 'SIGKILL');
        expect(guest.nextStop()).toBe(running.page.index);
        expect(running.page.reason).toBe(REASON_DEAD);
        guest.step(stopped);
        expect(stopped.page.reason).toBe(REASON_DEAD);
        expect(space.fork()).toBe(-11);
        space.unmap(DATA, PAGE_BYTES);
        expect(space.flush()).toBe(0);

        const { space: another } = guest.space(asm.syscall);
        const context = guest.thread(another);
        guest.step(context);
        expect(context.page.reason).toBe(REASON_SYSCALL);
      });

      it.each(subject.harmlessSignals)('by %s instead does not notice', (signal) => {
        const known = stubsOf(process.pid);
        const { space } = guest.space(asm.loop);
        const context = guest.thread(space);
        context.resume();
        expect(guest.platform.next()).toBe(-1);
        for (const pid of newStubs(known)) process.kill(pid, signal);
        for (let i = 0; i < 5; i++) guest.platform.sleep(1);
        expect(guest.platform.next()).toBe(-1);
        context.interrupt();
        expect(guest.nextStop()).toBe(context.page.index);
        expect(context.page.reason).toBe(REASON_INTERRUPTED);
      });
    });

    describe('Context.interrupt', () => {
      it('of a context that was just resumed stops it before or after it began', () => {
        const { space } = guest.space(asm.loop);
        const context = guest.thread(space);
        context.resume();
        context.interrupt();
        expect(guest.nextStop()).toBe(context.page.index);
        expect(context.page.reason).toBe(REASON_INTERRUPTED);
      });

      it('of a stopped context does nothing', () => {
        const { space } = guest.space(asm.syscall);
        const context = guest.thread(space);
        context.interrupt();
        guest.step(context);
        context.interrupt();
        expect([context.page.reason, guest.platform.next()]).toEqual([REASON_SYSCALL, -1]);
      });

      it('that races with other stops is told once or not at all', () => {
        // Counts down from what it is given, then calls.
        const { space } = guest.space([0xff, 0xc8, 0x75, 0xfc, ...asm.syscall, 0xeb, 0xf8]);
        const context = guest.thread(space);
        let interrupts = 0;
        for (let round = 0; round < 1000; round++) {
          context.page.set(REG_RIP, CODE);
          context.page.set(REG_RAX, 1 + ((round * 7919) % 4_000_000));
          context.resume();
          if (guest.platform.next() < 0) {
            context.interrupt();
            expect(guest.nextStop()).toBe(context.page.index);
          }
          if (context.page.reason === REASON_INTERRUPTED) interrupts++;
          else expect(context.page.reason).toBe(REASON_SYSCALL);
          if (round % 3 === 0) {
            // Whatever of the interrupt is left over must not stop it again.
            context.page.set(REG_RIP, CODE);
            context.page.set(REG_RAX, 1000);
            guest.step(context);
            expect(context.page.reason).toBe(REASON_SYSCALL);
          }
        }
        expect(interrupts).toBeGreaterThan(50);
      });
    });

    /** A fifth of a round. */
    const CPU_MS_MAX = 60;

    describe('Platform.sleep', () => {
      // In a timer's callback, as in the loop's prepare phase, nothing else is due.
      const ofTimer = (): Promise<unknown> => new Promise((resolve) => setTimeout(resolve, 1));

      /** Processor time that a round of 300 ms takes, in milliseconds: the least of several, for Node.js works beside it. */
      async function leastCpuMs(round: (endMs: number) => Promise<void>): Promise<number> {
        let least = Infinity;
        for (let rounds = 0; rounds < 10 && least >= CPU_MS_MAX; rounds++) {
          await ofTimer();
          const start = process.cpuUsage();
          await round(performance.now() + 300);
          const used = process.cpuUsage(start);
          least = Math.min(least, (used.user + used.system) / 1000);
        }
        return least;
      }

      it('uses no processor time while guests are stopped', async () => {
        const { space } = guest.space(asm.syscall);
        guest.step(guest.thread(space));
        const cpuMs = await leastCpuMs(async (endMs) => {
          while (performance.now() < endMs) {
            guest.platform.sleep(endMs - performance.now());
            await ofTimer();
          }
        });
        expect(cpuMs).toBeLessThan(CPU_MS_MAX);
      });

      it('uses no processor time while a guest computes', async () => {
        const { space } = guest.space(asm.loop);
        const context = guest.thread(space);
        context.resume();
        const cpuMs = await leastCpuMs(async (endMs) => {
          while (performance.now() < endMs) {
            expect(guest.platform.next()).toBe(-1);
            guest.platform.sleep(endMs - performance.now());
            await ofTimer();
          }
        });
        expect(cpuMs).toBeLessThan(CPU_MS_MAX);
      });

      it('ends at its time', () => {
        const start = performance.now();
        while (performance.now() - start < 20) guest.platform.sleep(20);
        expect(performance.now() - start).toBeLessThan(500);
      });

      it('ends when it is woken before', () => {
        guest.platform.wake();
        const start = performance.now();
        guest.platform.sleep(5000);
        expect(performance.now() - start).toBeLessThan(1000);
      });

      it('ends when the event loop has work', async () => {
        const child = spawn('sleep', ['0.1']);
        const exits: unknown[] = [];
        child.on('exit', (code, signal) => exits.push(code, signal));
        const start = performance.now();
        while (exits.length === 0 && performance.now() - start < 5000) {
          guest.platform.sleep(5000);
          await new Promise(setImmediate);
        }
        // A child of Node's is Node's to wait for.
        expect(exits).toEqual([0, null]);
        expect(performance.now() - start).toBeLessThan(2000);
      });
    });

    describe('a sentry that is killed', () => {
      it('leaves no stub alive', async () => {
        const script = `
      const native = require(${JSON.stringify(subject.script.addon)});
      const fs = require('node:fs');
      const file = fs.openSync(${JSON.stringify(`/proc/${process.pid}/fd/${guest.memory.fd}`)}, 'r+');
      const stubs = ${subject.script.createStubs};
      const memory = new Uint32Array(stubs.contextPages());
      const space = stubs.createSpace();
      stubs.mapMemory(space, ${CODE}, 4096, 5, 0);
      const contexts = [stubs.createContext(space, -1), stubs.createContext(space, -1)];
      for (const context of contexts) memory[context * 1024 + 136 / 4] = ${CODE};
      ${subject.script.resume}
      process.stdout.write('ready');
      stubs.sleep(1e9);
      setTimeout(() => {}, 1e9);
      globalThis.kept = stubs;
    `;
        guest.memory.write(0, 0, Uint8Array.from(asm.loop));
        const sentry = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
        await once(sentry.stdout, 'data');
        const stubs = stubsOf(sentry.pid!);
        expect(stubs.length).toBeGreaterThanOrEqual(subject.script.processCount);
        const session = sessionOf(stubs[0]!);
        sentry.kill('SIGKILL');
        await once(sentry, 'exit');
        let left = liveInSession(session);
        for (let tries = 0; tries < 100 && left.length > 0; tries++) {
          await new Promise((resolve) => setTimeout(resolve, 10));
          left = liveInSession(session);
        }
        expect(left).toEqual([]);
      });

      it('that ends by itself does not either', async () => {
        const script = `
      const native = require(${JSON.stringify(subject.script.addon)});
      const file = require('node:fs').openSync(${JSON.stringify(`/proc/${process.pid}/fd/${guest.memory.fd}`)}, 'r+');
      globalThis.stubs = ${subject.script.createStubs};
      stubs.createSpace();
      console.log(process.pid);
    `;
        const { stdout } = await promisify(execFile)(process.execPath, ['-e', script]);
        expect(stubsOf(Number(stdout))).toEqual([]);
      });
    });

    describe('a queued change that fails when a context is resumed', () => {
      it('ends the address space, and no other', () => {
        const known = stubsOf(process.pid);
        const { space: other } = guest.space([...asm.syscall, ...asm.syscall]);
        const context = guest.thread(other);
        guest.step(context);
        const survivors = newStubs(known);

        const { space } = guest.space(asm.loop);
        const running = guest.thread(space);
        const resumed = guest.thread(space);
        guest.thread(space);
        guest.thread(space).release();
        running.resume();
        expect(guest.platform.next()).toBe(-1);
        space.protect(0x7000_0000, PAGE_BYTES, 1);
        resumed.resume();
        const stops = [guest.nextStop(), guest.nextStop()].sort();
        expect(stops).toEqual([running.page.index, resumed.page.index].sort());
        expect([running.page.reason, resumed.page.reason]).toEqual([REASON_DEAD, REASON_DEAD]);
        expect(newStubs(known)).toEqual(survivors);

        guest.step(context);
        expect(context.page.reason).toBe(REASON_SYSCALL);
        for (const dead of [running, resumed]) dead.release();
        space.release();
      });
    });

    describe('a helper that is killed', () => {
      const helpers = (): number[] => newStubs(before).sort((a, b) => a - b);

      it('as the zygote leaves the address spaces that there are, and makes no more', () => {
        const { space } = guest.space(asm.syscall);
        const context = guest.thread(space);
        process.kill(helpers()[0]!, 'SIGKILL');
        guest.step(context);
        expect(context.page.reason).toBe(REASON_SYSCALL);
        expect(must(must(space.fork()).createContext(context)).page.get(REG_RIP)).toBe(CODE + 2);
        expect(guest.platform.createAddressSpace()).toBe(-11);
        space.mapHostFile(DATA, PAGE_BYTES, 1, guest.memory.fd, 0, true);
        expect(space.flush()).toBeLessThan(0);
      });
    });

    describe('unavailable', () => {
      it('is null where this test can run, and leaves nothing behind', () => {
        const known = stubsOf(process.pid);
        expect(subject.unavailableReason()).toBeNull();
        expect(newStubs(known)).toEqual([]);
      });
    });

    /** Waits until the stubs made since `known` are gone. */
    async function expectNoStubs(known: readonly number[]): Promise<void> {
      for (let tries = 0; tries < 100 && newStubs(known).length > 0; tries++) {
        guest.platform.sleep(0);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      expect(newStubs(known)).toEqual([]);
    }
  });
}
