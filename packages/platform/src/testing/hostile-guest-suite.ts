import { readFileSync, readlinkSync, readdirSync } from 'node:fs';
import {
  PAGE_BYTES,
  REASON_FAULT,
  REASON_SYSCALL,
  REG_EFLAGS,
  REG_FS_BASE,
  REG_RAX,
  REG_RBP,
  REG_RBX,
  REG_RDI,
  REG_RIP,
  REG_RSP,
  type ContextPage,
} from '../index.js';
import { CODE, DATA, Guest } from './guest.js';
import type { PlatformUnderTest } from './platform-under-test.js';
import { asm } from './machine-code.js';
import { statusField, stubsOf } from './host-processes.js';

const SIGILL = 4;
const SIGTRAP = 5;
const SIGFPE = 8;
const SIGSEGV = 11;
const SI_KERNEL = 0x80;

const GETPID = 39;
const NO_CAPABILITIES = '0'.repeat(16);

/** What a guest may not do to its stub, and what it finds in the processor. */
export function describeHostileGuests(subject: PlatformUnderTest): void {
  describe('hostile guests', () => {
    let guest: Guest;
    beforeEach(() => {
      guest = new Guest(subject.create);
    });
    afterEach(() => {
      guest.close();
    });

    function fault(page: ContextPage): object {
      return { reason: page.reason, signo: page.signo, code: page.sigCode, trapno: page.faultTrapno };
    }

    describe('a stub process', () => {
      it("has the guest's mappings and the stub's, and nothing else", () => {
        const before = stubsOf(process.pid);
        const { space } = guest.space(asm.syscall);
        const context = guest.thread(space);
        guest.step(context);
        const [pid] = stubsOf(process.pid).filter((stub) => !before.includes(stub));
        const mappings = readFileSync(`/proc/${pid}/maps`, 'utf8')
          .split('\n')
          .filter((line) => line !== '' && !line.endsWith('[vsyscall]'))
          .map((line) => line.split(' ', 2).join(' '));
        expect(mappings).toEqual(['00400000-00401000 r-xs', '00600000-00601000 rw-s', ...subject.stubMappings]);
      });

      it('has few descriptors, a seccomp filter and no way to new privileges', () => {
        guest.space(asm.syscall);
        for (const pid of stubsOf(process.pid)) {
          const fds = readdirSync(`/proc/${pid}/fd`).map((fd) =>
            readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+/g, ''),
          );
          expect(fds).toEqual([expect.stringContaining('memory'), ...subject.stubDescriptors]);
          expect([statusField(pid, 'Seccomp'), statusField(pid, 'NoNewPrivs')]).toEqual(['2', '1']);
          for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb'])
            expect([set, statusField(pid, set)]).toEqual([set, NO_CAPABILITIES]);
        }
      });
    });

    describe("a guest in the stub's code", () => {
      it.each([0, 2, 5, 7, 9, 10, 11, 14, 20, 30, 40, 50, 60, 70, 80, 90])(
        'makes guest calls from byte %i on',
        (offset) => {
          const { space } = guest.space(asm.loop);
          const context = guest.thread(space);
          const page = context.page;
          page.set(REG_RIP, subject.stubCode + offset);
          page.set(REG_RAX, GETPID);
          page.set(REG_RBX, DATA);
          page.set(REG_RBP, DATA + 56);
          for (let stop = 0; stop < 4; stop++) {
            guest.step(context);
            expect([REASON_SYSCALL, REASON_FAULT]).toContain(page.reason);
            if (page.reason === REASON_SYSCALL) page.set(REG_RAX, 0);
            else expect([SIGSEGV, SIGILL, SIGTRAP]).toContain(page.signo);
            page.set(REG_RBX, DATA);
          }
          // The stub itself is unharmed.
          space.unmap(DATA, PAGE_BYTES);
          expect(space.flush()).toBe(0);
        },
      );

      it.each(subject.protectedAddresses)('can not write at %i', (addr) => {
        const { space } = guest.space([...asm.movRdi(addr), ...asm.storeRax, ...asm.syscall]);
        const context = guest.thread(space);
        guest.step(context);
        expect([context.page.reason, context.page.signo, context.page.faultAddr]).toEqual([
          REASON_FAULT,
          SIGSEGV,
          addr,
        ]);
      });

      it('sees in the control page only its own changes', () => {
        const { space: other } = guest.space(asm.loop);
        other.mapMemory(0x1234_5000, PAGE_BYTES, 3, 0);
        guest.thread(other);
        expect(other.flush()).toBe(0);
        const { space } = guest.space([...asm.loadRax, ...asm.ud2]);
        const context = guest.thread(space);
        space.mapMemory(0x5432_1000, PAGE_BYTES, 3, 0);
        const seen = [];
        for (let at = 0; at < PAGE_BYTES; at += 8) {
          context.page.set(REG_RIP, CODE);
          context.page.set(REG_RDI, subject.stubControl + at);
          guest.step(context);
          seen.push(context.page.get(REG_RAX));
        }
        expect(seen).toContain(0x5432_1000);
        expect(seen).not.toContain(0x1234_5000);
      });
    });

    describe('odd ways into the kernel', () => {
      it('int $0x80 is a general protection fault at the instruction', () => {
        const { space } = guest.space([...asm.movEax(20), ...asm.int80]);
        const context = guest.thread(space);
        guest.step(context);
        expect(fault(context.page)).toEqual({ reason: REASON_FAULT, signo: SIGSEGV, code: SI_KERNEL, trapno: 13 });
        expect([context.page.get(REG_RIP), context.page.get(REG_RAX)]).toEqual([CODE + 5, 20]);
      });

      it('sysenter is a fault', () => {
        const { space } = guest.space(asm.sysenter);
        const context = guest.thread(space);
        guest.step(context);
        expect([context.page.reason, [SIGILL, SIGSEGV].includes(context.page.signo)]).toEqual([REASON_FAULT, true]);
      });

      it.each([0, 0x400, 0x800])('a call of the vsyscall page at %i is a page fault there', (offset) => {
        const { space } = guest.space([...asm.loop]);
        const context = guest.thread(space);
        const page = context.page;
        page.setHalves(REG_RIP, 0xff60_0000 + offset, 0xffff_ffff);
        page.set(REG_RSP, DATA + 64);
        guest.step(context);
        expect([page.reason, page.signo]).toEqual([REASON_FAULT, SIGSEGV]);
        expect([page.low(REG_RIP), page.high(REG_RIP)]).toEqual([0xff60_0000 + offset, 0xffff_ffff]);
        expect(page.get(REG_RSP)).toBe(DATA + 64);
      });
    });

    describe('synchronous signals', () => {
      it.each`
        what                  | code                              | signo      | sigCode      | trapno
        ${'int3'}             | ${asm.int3}                       | ${SIGTRAP} | ${SI_KERNEL} | ${3}
        ${'ud2'}              | ${asm.ud2}                        | ${SIGILL}  | ${2}         | ${6}
        ${'division by zero'} | ${[0x31, 0xc9, 0xf7, 0xf1]}       | ${SIGFPE}  | ${1}         | ${0}
        ${'hlt'}              | ${[0xf4]}                         | ${SIGSEGV} | ${SI_KERNEL} | ${13}
        ${'jump to nothing'}  | ${[...asm.movEax(8), 0xff, 0xe0]} | ${SIGSEGV} | ${1}         | ${14}
      `('of $what', ({ code, signo, sigCode, trapno }: Record<string, number> & { code: number[] }) => {
        const { space } = guest.space(code);
        const context = guest.thread(space);
        guest.step(context);
        expect(fault(context.page)).toEqual({ reason: REASON_FAULT, signo, code: sigCode, trapno });
      });

      it('of the trap flag, once for each instruction', () => {
        const { space } = guest.space([0x90, 0x90, 0x90]);
        const context = guest.thread(space);
        context.page.set(REG_EFLAGS, 0x302);
        for (let count = 1; count <= 3; count++) {
          guest.step(context);
          expect([context.page.signo, context.page.sigCode, context.page.get(REG_RIP)]).toEqual([
            SIGTRAP,
            2,
            CODE + count,
          ]);
        }
      });
    });

    describe('registers that no user can have', () => {
      it.each`
        reg            | low            | high
        ${REG_RIP}     | ${0}           | ${0x8000}
        ${REG_RIP}     | ${0x1234}      | ${0xffff_8000}
        ${REG_RIP}     | ${0xffff_ffff} | ${0xffff_ffff}
        ${REG_RIP}     | ${0xffff_f000} | ${0x7fff}
        ${REG_FS_BASE} | ${0}           | ${0xffff_8000}
      `('$reg = $high:$low are a fault, and the guest lives on', ({ reg, low, high }: Record<string, number>) => {
        const { space } = guest.space(asm.syscall);
        const context = guest.thread(space);
        context.page.setHalves(reg!, low!, high!);
        guest.step(context);
        expect([context.page.reason, context.page.signo]).toEqual([REASON_FAULT, SIGSEGV]);

        context.page.set(REG_FS_BASE, 0);
        context.page.set(REG_RIP, CODE);
        guest.step(context);
        expect(context.page.reason).toBe(REASON_SYSCALL);
      });

      it('a stack pointer outside of user space faults at its first use', () => {
        const { space } = guest.space([...asm.syscall, 0x50]);
        const context = guest.thread(space);
        context.page.setHalves(REG_RSP, 0, 0x8000);
        guest.step(context);
        expect(context.page.reason).toBe(REASON_SYSCALL);
        guest.step(context);
        expect([context.page.reason, context.page.get(REG_RIP)]).toEqual([REASON_FAULT, CODE + 2]);
      });
    });
  });
}
