import {
  PAGE_BYTES,
  REASON_FAULT,
  REASON_INTERRUPTED,
  REASON_SYSCALL,
  REG_ORIG_RAX,
  REG_RAX,
  REG_RDI,
  REG_RIP,
  type ContextPage,
} from '../index.js';
import { PROT_READ, CODE, DATA, Guest, must } from './guest.js';
import type { PlatformUnderTest } from './platform-under-test.js';
import { asm } from './machine-code.js';

const SIGSEGV = 11;
const SEGV_MAPERR = 1;
const SEGV_ACCERR = 2;

/** System calls, faults, forks, interrupts and threads. */
export function describePlatform(subject: PlatformUnderTest): void {
  describe('the platform', () => {
    let guest: Guest;
    beforeEach(() => {
      guest = new Guest(subject.create);
    });
    afterEach(() => {
      guest.close();
    });

    function fault(page: ContextPage): object {
      return { reason: page.reason, signo: page.signo, code: page.sigCode, addr: page.faultAddr };
    }

    describe('system calls', () => {
      it('stop the guest with number and arguments, and go on with the result', () => {
        const { space } = guest.space([
          ...asm.movEax(39),
          ...asm.syscall,
          0x48,
          0x89,
          0xc7,
          ...asm.movEax(60),
          ...asm.syscall,
        ]);
        const context = guest.thread(space);
        guest.step(context);
        expect([context.page.reason, context.page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, 39]);
        expect(context.page.restartIp).toBe(CODE + 5);
        expect(context.page.get(REG_RIP)).toBe(CODE + 7);

        context.page.set(REG_RAX, 0x1234_5678_9abc);
        guest.step(context);
        expect([context.page.low(REG_ORIG_RAX), context.page.get(REG_RDI)]).toEqual([60, 0x1234_5678_9abc]);
      });
    });

    describe('faults', () => {
      it('tell where a write to nothing was', () => {
        const { space } = guest.space([...asm.movRdi(0x7000_1234), ...asm.storeRax]);
        const context = guest.thread(space);
        guest.step(context);
        expect(fault(context.page)).toEqual({
          reason: REASON_FAULT,
          signo: SIGSEGV,
          code: SEGV_MAPERR,
          addr: 0x7000_1234,
        });
        expect(context.page.get(REG_RIP)).toBe(CODE + 10);
      });

      it('tell of a write to what may only be read; the guest goes on when it may', () => {
        const { space, dataPfn } = guest.space([
          ...asm.movRdi(DATA + 8),
          ...asm.movEax(77),
          ...asm.storeRax,
          ...asm.syscall,
        ]);
        space.protect(DATA, PAGE_BYTES, PROT_READ);
        const context = guest.thread(space);
        guest.step(context);
        expect(fault(context.page)).toEqual({
          reason: REASON_FAULT,
          signo: SIGSEGV,
          code: SEGV_ACCERR,
          addr: DATA + 8,
        });

        space.protect(DATA, PAGE_BYTES, 3);
        guest.step(context);
        expect(context.page.reason).toBe(REASON_SYSCALL);
        expect(guest.memory.read(dataPfn, 8, 1)[0]).toBe(77);
      });
    });

    describe('AddressSpace.fork', () => {
      it('copies the mappings and the registers', () => {
        const { space, dataPfn } = guest.space([...asm.movRdi(DATA), ...asm.syscall, ...asm.storeRax, ...asm.syscall]);
        const parent = guest.thread(space);
        guest.step(parent);
        const copy = must(space.fork());
        const child = must(copy.createContext(parent));
        child.page.set(REG_RAX, 5);
        guest.step(child);
        expect([child.page.reason, guest.memory.read(dataPfn, 0, 1)[0]]).toEqual([REASON_SYSCALL, 5]);

        // What the copy maps from now on is its own.
        const otherPfn = guest.memory.allocate(1);
        copy.mapMemory(DATA, PAGE_BYTES, 3, otherPfn);
        expect(copy.flush()).toBe(0);
        parent.page.set(REG_RAX, 6);
        guest.step(parent);
        expect([guest.memory.read(dataPfn, 0, 1)[0], guest.memory.read(otherPfn, 0, 1)[0]]).toEqual([6, 0]);
      });

      it('copies what was queued, and has room for more threads before the first has run', () => {
        const { space } = guest.space([...asm.syscall, ...asm.movRdi(DATA), ...asm.storeRax, ...asm.syscall]);
        const parent = guest.thread(space);
        guest.step(parent);
        const pfns = [guest.memory.allocate(1), guest.memory.allocate(1)];
        // More changes than a request holds; the last one counts.
        for (let i = 0; i < 200; i++) space.mapMemory(DATA, PAGE_BYTES, 3, pfns[i % 2]!);
        const copy = must(space.fork());
        const children = [1, 2, 3].map(() => must(copy.createContext(parent)));
        children.forEach((child, i) => {
          child.page.set(REG_RAX, 10 + i);
          guest.step(child);
          const stored = pfns.map((pfn) => guest.memory.read(pfn, 0, 1)[0]);
          expect([child.page.reason, ...stored]).toEqual([REASON_SYSCALL, 0, 10 + i]);
        });
      });
    });

    describe('Context.interrupt', () => {
      it('stops an endless loop', () => {
        const { space } = guest.space(asm.loop);
        const context = guest.thread(space);
        context.resume();
        expect(guest.platform.next()).toBe(-1);
        context.interrupt();
        expect(guest.nextStop()).toBe(context.page.index);
        expect([context.page.reason, context.page.get(REG_RIP)]).toEqual([REASON_INTERRUPTED, CODE]);
      });
    });

    describe('threads', () => {
      it('share an address space and run at the same time', () => {
        // One waits for the other's store.
        const { space } = guest.space([
          ...asm.movRdi(DATA),
          ...asm.loadRax,
          0x48,
          0x85,
          0xc0, // test rax, rax
          0x74,
          0xf8, // je back to the load
          ...asm.syscall,
        ]);
        guest.mapCode(space, CODE + PAGE_BYTES, [
          ...asm.movRdi(DATA),
          ...asm.movEax(9),
          ...asm.storeRax,
          ...asm.syscall,
        ]);
        const first = guest.thread(space);
        const second = guest.thread(space);
        second.page.set(REG_RIP, CODE + PAGE_BYTES);
        first.resume();
        second.resume();
        const stopped = [guest.nextStop(), guest.nextStop()].sort();
        expect(stopped).toEqual([first.page.index, second.page.index].sort());
        expect(first.page.low(REG_ORIG_RAX)).toBe(9);
      });
    });

    describe('a round trip', () => {
      it('allocates nothing in JavaScript', () => {
        const { space } = guest.space([...asm.syscall, 0xeb, 0xfc]);
        const context = guest.thread(space);
        const { platform } = guest;
        const run = (count: number): void => {
          for (let i = 0; i < count; i++) {
            context.page.set(REG_RAX, 39);
            context.resume();
            while (platform.next() < 0) platform.sleep(1000);
          }
        };
        run(20_000);
        // The compiler takes its time on a busy machine, and some rounds wait long enough to look at the clock.
        const count = 2000;
        let bytes = Infinity;
        for (let round = 0; round < 100 && bytes >= 1; round++) {
          const before = process.memoryUsage().heapUsed;
          run(count);
          bytes = Math.abs(process.memoryUsage().heapUsed - before) / count;
        }
        expect(bytes).toBeLessThan(1);
      });
    });
  });
}
