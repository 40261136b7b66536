import {
  REASON_FAULT,
  REASON_SYSCALL,
  REG_EFLAGS,
  REG_FS_BASE,
  REG_GS_BASE,
  REG_ORIG_RAX,
  REG_R10,
  REG_R11,
  REG_R12,
  REG_R13,
  REG_R14,
  REG_R15,
  REG_R8,
  REG_R9,
  REG_RAX,
  REG_RBP,
  REG_RBX,
  REG_RCX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  REG_RSP,
} from '../index.js';
import { CODE, DATA, Guest, must } from './guest.js';
import type { PlatformUnderTest } from './platform-under-test.js';
import { asm } from './machine-code.js';

const GENERAL = [
  REG_R15,
  REG_R14,
  REG_R13,
  REG_R12,
  REG_RBP,
  REG_RBX,
  REG_R11,
  REG_R10,
  REG_R9,
  REG_R8,
  REG_RAX,
  REG_RCX,
  REG_RDX,
  REG_RSI,
  REG_RDI,
  REG_RSP,
];
/** Place of XMM0 in the XSAVE format, Intel SDM 1, 13.4.1. */
const XMM0_AT = 160;
const MXCSR_AT = 24;

/** vmovdqu ymm0, [rdi] */
const loadYmm0 = [0xc5, 0xfe, 0x6f, 0x07];
/** vmovdqu [rdi + 64], ymm0 */
const storeYmm0 = [0xc5, 0xfe, 0x7f, 0x47, 0x40];

/** Registers and FP state reach a guest and come back. */
export function describeRegisters(subject: PlatformUnderTest): void {
  describe('contexts', () => {
    let guest: Guest;
    beforeEach(() => {
      guest = new Guest(subject.create);
    });
    afterEach(() => {
      guest.close();
    });

    describe('registers', () => {
      it('reach the guest and come back, all 64 bits of each', () => {
        const { space } = guest.space(asm.ud2);
        const context = guest.thread(space);
        GENERAL.forEach((reg, i) => {
          context.page.setHalves(reg, 0xf000_0000 + i, 0x8000_0000 + i);
        });
        context.page.set(REG_FS_BASE, 0x1234_5678_9000);
        context.page.set(REG_GS_BASE, 0x7fff_0000_1000);
        context.page.set(REG_EFLAGS, 0xcd5);
        guest.step(context);
        expect(context.page.reason).toBe(REASON_FAULT);
        expect(GENERAL.map((reg) => [context.page.low(reg), context.page.high(reg)])).toEqual(
          GENERAL.map((_, i) => [0xf000_0000 + i, 0x8000_0000 + i]),
        );
        expect([context.page.get(REG_FS_BASE), context.page.get(REG_GS_BASE)]).toEqual([
          0x1234_5678_9000, 0x7fff_0000_1000,
        ]);
        // Arithmetic and direction flags are the guest's; the interrupt flag is always set, and bit 1 too.
        expect(context.page.low(REG_EFLAGS) & 0xfff).toBe(0xed7);
      });

      it('of a system call that is not restarted hold any result', () => {
        const { space } = guest.space([...asm.syscall, ...asm.syscall]);
        const context = guest.thread(space);
        guest.step(context);
        // -ERESTARTSYS would make the host restart a system call of its own.
        context.page.set(REG_RAX, -512);
        guest.step(context);
        expect([context.page.reason, context.page.low(REG_ORIG_RAX) | 0]).toEqual([REASON_SYSCALL, -512]);
        expect(context.page.get(REG_RIP)).toBe(CODE + 4);
      });
    });

    describe('FP state', () => {
      it('with AVX survives a stop, other threads and stub work on the same thread', () => {
        const { space, dataPfn } = guest.space([...loadYmm0, ...asm.syscall, ...storeYmm0, ...asm.syscall]);
        const bytes = Uint8Array.from({ length: 32 }, (_, i) => 0xe0 - i);
        guest.memory.write(dataPfn, 0, bytes);
        const context = guest.thread(space);
        context.page.set(REG_RDI, DATA);
        guest.step(context);

        const other = guest.thread(space);
        other.page.set(REG_RDI, DATA + 128);
        guest.step(other);
        space.mapMemory(DATA + 0x10000, 4096, 3, guest.memory.allocate(1));
        expect(space.flush()).toBe(0);

        context.page.set(REG_RDI, DATA);
        guest.step(context);
        expect([...guest.memory.read(dataPfn, 64, 32)]).toEqual([...bytes]);
      });

      it('is copied to a context made from another', () => {
        const { space, dataPfn } = guest.space([...loadYmm0, ...asm.syscall, ...storeYmm0, ...asm.syscall]);
        guest.memory.write(dataPfn, 0, new Uint8Array(32).fill(0x77));
        const parent = guest.thread(space);
        parent.page.set(REG_RDI, DATA);
        guest.step(parent);

        const copy = must(must(space.fork()).createContext(parent));
        guest.step(copy);
        expect([...guest.memory.read(dataPfn, 64, 32)]).toEqual(new Array(32).fill(0x77));
        expect(copy.page.get(REG_RIP)).toBe(CODE + loadYmm0.length + 2 + storeYmm0.length + 2);
      });

      it('can be taken, given and reset', () => {
        const { space } = guest.space([...loadYmm0, ...asm.syscall, ...asm.syscall]);
        const context = guest.thread(space);
        const initial = new Uint8Array(guest.platform.xstateBytes);
        context.loadFp(initial, 0);
        const view = new DataView(initial.buffer);
        expect([view.getUint16(0, true), view.getUint32(MXCSR_AT, true)]).toEqual([0x37f, 0x1f80]);

        context.page.set(REG_RDI, CODE);
        guest.step(context);
        const state = new Uint8Array(guest.platform.xstateBytes + 64);
        context.loadFp(state, 64);
        expect([...state.subarray(64 + XMM0_AT, 64 + XMM0_AT + 6)]).toEqual([...loadYmm0, ...asm.syscall]);

        state[64 + XMM0_AT] = 0x99;
        expect(context.storeFp(state, 64)).toBe(0);
        guest.step(context);
        context.loadFp(state, 0);
        expect(state[XMM0_AT]).toBe(0x99);

        context.resetFp();
        context.loadFp(state, 0);
        expect(state[XMM0_AT]).toBe(0);
      });

      it.each`
        what                   | at     | value
        ${'MXCSR'}             | ${27}  | ${0xff}
        ${'a state component'} | ${519} | ${0x80}
        ${'the header'}        | ${530} | ${1}
      `('is refused with EINVAL when $what is not valid', ({ at, value }: { at: number; value: number }) => {
        const { space } = guest.space(asm.syscall);
        const context = guest.thread(space);
        const state = new Uint8Array(guest.platform.xstateBytes);
        context.loadFp(state, 0);
        // SSE is in the state, so that MXCSR counts.
        state[512] = 3;
        state[at] = value;
        expect(context.storeFp(state, 0)).toBe(-22);
      });
    });
  });
}
