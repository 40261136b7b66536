import {
  REASON_FAULT,
  REASON_INTERRUPTED,
  REASON_SYSCALL,
  REG_EFLAGS,
  REG_ORIG_RAX,
  REG_R11,
  REG_R8,
  REG_RAX,
  REG_RBX,
  REG_RCX,
  REG_RDX,
  REG_RIP,
  REG_RSP,
  type AddressSpace,
  type Context,
} from '@tsv/platform';
import { CODE, DATA, asm } from '@tsv/platform/testing';
import { SystrapGuest } from './testing/guest.js';

const GETPID = 39;
const GETPPID = 110;
const GETCPU = 309;
const NO_ANSWER = 0xffff_ffff;
const PID = 0xfedc_ba98;
/** endbr64; mov eax, 39; syscall; jmp rbx */
const CALL = [...asm.endbr64, ...asm.movEax(GETPID), ...asm.syscall, 0xff, 0xe3];
const SITE = CODE + 9;
const END = CODE + 64;

let guest: SystrapGuest;
let space: AddressSpace;
let context: Required<Context>;
beforeEach(() => {
  guest = new SystrapGuest(true);
  const code = [...CALL, ...new Array<number>(64 - CALL.length).fill(0x90), ...asm.ud2];
  ({ space } = guest.space(code));
  context = guest.thread(space) as Required<Context>;
  context.page.set(REG_RBX, CODE);
  for (let i = 0; i < 40; i++) guest.step(context);
  expect(context.page.way).toBe(1);
});
afterEach(() => {
  guest.close();
});

describe('SystrapContext.answer', () => {
  it('has the stub answer, with the registers that the kernel would leave', () => {
    const { page } = context;
    context.answer(GETPID, PID);
    page.set(REG_RIP, CODE);
    page.set(REG_RBX, END);
    page.set(REG_RDX, 0x1234);
    page.set(REG_R8, 0x5678);
    page.set(REG_RSP, DATA + 0x800);
    page.set(REG_EFLAGS, 0xcd5);
    guest.step(context);
    expect([page.reason, page.get(REG_RIP), page.get(REG_RAX)]).toEqual([REASON_FAULT, END, PID]);
    expect([page.get(REG_RCX), page.low(REG_R11), page.low(REG_EFLAGS) & 0xfff]).toEqual([SITE + 2, 0xed7, 0xed7]);
    expect([page.get(REG_RDX), page.get(REG_R8), page.get(REG_RSP)]).toEqual([0x1234, 0x5678, DATA + 0x800]);
  });

  it('is for that call only, and not for numbers that look like it', () => {
    const { page } = context;
    context.answer(GETPPID, 7);
    guest.step(context);
    expect([page.reason, page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, GETPID]);
    context.answer(GETPID, 7);
    context.answer(12345, 8);
    page.set(REG_RIP, SITE);
    page.setHalves(REG_RAX, GETPID, 1);
    guest.step(context);
    expect([page.reason, page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, GETPID]);
  });

  it('leaves a guest that never stops open to interrupts, wherever it is', () => {
    const { page } = context;
    for (let i = 0; i < 3000; i++) {
      context.answer(GETPID, i);
      page.set(REG_RAX, 0);
      context.resume();
      for (let wait = (i * 7) % 900; wait > 0; wait--);
      context.interrupt();
      expect(guest.nextStop()).toBe(page.index);
      const rip = page.get(REG_RIP);
      if (page.reason === REASON_SYSCALL) expect(rip).toBe(SITE + 2);
      else {
        expect(page.reason).toBe(REASON_INTERRUPTED);
        expect(rip >= CODE && rip < CODE + CALL.length).toBe(true);
        // It may not have begun.
        if (rip === SITE + 2) expect([0, i]).toContain(page.get(REG_RAX));
      }
      expect(page.get(REG_RBX)).toBe(CODE);
    }
  });

  it('is told to a guest under the trap flag by the kernel', () => {
    const { page } = context;
    context.answer(GETPID, PID);
    page.set(REG_RIP, CODE);
    page.set(REG_EFLAGS, 0x302);
    const reasons = [];
    for (let i = 0; i < 4; i++) {
      guest.step(context);
      reasons.push(page.reason);
      page.set(REG_EFLAGS, 0x302);
    }
    expect(reasons).toContain(REASON_SYSCALL);
  });

  it('puts the CPU where the guest finds it by its GS base', () => {
    const { offset, gsStart, gsEnd } = guest.platform.cpuAnswer!;
    const disp32 = [0, 8, 16, 24].map((shift) => (offset >> shift) & 0xff);
    // rdgsbase rcx; mov eax, gs:[offset]
    const { space: reading } = guest.space([
      0xf3,
      0x48,
      0x0f,
      0xae,
      0xc9,
      0x65,
      0x8b,
      0x04,
      0x25,
      ...disp32,
      ...asm.ud2,
    ]);
    const reader = guest.thread(reading) as Required<Context>;
    const other = guest.thread(reading) as Required<Context>;
    reader.answer(GETCPU, 5);
    for (const [thread, cpu] of [
      [reader, 5],
      [other, NO_ANSWER],
    ] as const) {
      guest.step(thread);
      expect([thread.page.reason, thread.page.low(REG_RAX)]).toEqual([REASON_FAULT, cpu]);
      const gs = thread.page.get(REG_RCX);
      expect(gs >= gsStart && gs < gsEnd).toBe(true);
    }
  });

  it('of getcpu(2) is not the result of the call', () => {
    context.answer(GETCPU, 5);
    context.page.set(REG_RIP, SITE);
    context.page.set(REG_RAX, GETCPU);
    guest.step(context);
    expect([context.page.reason, context.page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, GETCPU]);
  });
});

describe('SystrapContext.forgetAnswers', () => {
  it('makes a guest that runs tell its calls again', () => {
    context.answer(GETPID, PID);
    context.resume();
    for (let i = 0; i < 5; i++) guest.platform.sleep(1);
    expect(guest.platform.next()).toBe(-1);
    context.forgetAnswers();
    expect(guest.nextStop()).toBe(context.page.index);
    expect([context.page.reason, context.page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, GETPID]);
  });

  it('has been done for each new context', () => {
    context.answer(GETPID, PID);
    context.release();
    const other = guest.thread(space);
    expect(other.page.index).toBe(context.page.index);
    guest.step(other);
    expect(other.page.reason).toBe(REASON_SYSCALL);
  });
});
