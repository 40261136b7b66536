import { SYS_clone, SYS_clone3, SYS_fork, SYS_pause, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_vfork } from '@tsv/abi';
import {
  REASON_FAULT,
  REASON_INTERRUPTED,
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
  type Context,
} from '@tsv/platform';
import { CODE, DATA, asm, must } from '@tsv/platform/testing';
import { SystrapGuest } from './testing/guest.js';

const GETPID = 39;
const SIGTRAP = 5;
const SIGILL = 4;
const TF = 0x100;
const REGISTERS = {
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
  REG_ORIG_RAX,
  REG_RIP,
  REG_EFLAGS,
  REG_RSP,
  REG_FS_BASE,
  REG_GS_BASE,
};
/** Stops after which a site is patched. */
const WARM_UP = 40;

/** A number and a call, as libraries have them, again and again. */
const MOVE_LOOP = [...asm.endbr64, ...asm.movEax(GETPID), ...asm.syscall, ...asm.jmp(-13)];
const MOVE_SITE = CODE + 9;
/** The number is elsewhere; the result is compared: libc's syscall(3), Go's Syscall6. */
const COMPARE_LOOP = [...asm.movEax(GETPID), ...asm.nop, ...asm.syscall, ...asm.cmpRax, ...asm.jmp(-16)];
const COMPARE_SITE = CODE + 6;

let guest: SystrapGuest;
beforeEach(() => {
  guest = new SystrapGuest(true);
});
afterEach(() => {
  guest.close();
});

function isFast(context: Context): boolean {
  return context.page.way === 1;
}

function registersOf(context: Context): Record<string, string> {
  const { page } = context;
  const hex = (reg: number): string => `${page.high(reg).toString(16)}:${page.low(reg).toString(16)}`;
  return Object.fromEntries(Object.entries(REGISTERS).map(([name, reg]) => [name, hex(reg)]));
}

/** A thread in `code` whose site at `site` was patched; stopped there. */
function warmThread(code: readonly number[], g = guest): { context: Context; dataPfn: number } {
  const { space, dataPfn } = g.space(code);
  const context = g.thread(space);
  for (let i = 0; i < WARM_UP; i++) {
    context.page.set(REG_RAX, 1);
    g.step(context);
  }
  return { context, dataPfn };
}

describe.each([
  ['a number and a call', MOVE_LOOP, MOVE_SITE],
  ['a call and a comparison', COMPARE_LOOP, COMPARE_SITE],
])('%s', (_, code, site) => {
  it('is patched, and tells the call as before', () => {
    const { context } = warmThread(code);
    expect(isFast(context)).toBe(true);
    const { page } = context;
    expect([page.reason, page.low(REG_ORIG_RAX), page.get(REG_RIP), page.restartIp]).toEqual([
      REASON_SYSCALL,
      GETPID,
      site + 2,
      site,
    ]);
  });

  it('leaves all registers and flags as the unpatched one does', () => {
    const states = [true, false].map((mayPatch) => {
      const other = new SystrapGuest(mayPatch);
      try {
        const { context } = warmThread(code, other);
        expect(isFast(context)).toBe(mayPatch);
        const { page } = context;
        Object.values(REGISTERS)
          .slice(0, 15)
          .forEach((reg, i) => {
            page.setHalves(reg, 0xf000_0000 + i, 0x8000_0000 + i);
          });
        page.set(REG_RSP, DATA + 0x800);
        page.set(REG_FS_BASE, 0x1234_5678_9000);
        page.set(REG_EFLAGS, 0xcd5);
        other.step(context);
        return registersOf(context);
      } finally {
        other.close();
      }
    });
    expect(states[0]).toEqual(states[1]);
  });

  it('goes on where the kernel says', () => {
    const { context } = warmThread(code);
    context.page.set(REG_RIP, CODE);
    context.page.set(REG_RBX, 77);
    guest.step(context);
    expect([context.page.get(REG_RIP), context.page.get(REG_RBX)]).toEqual([site + 2, 77]);
  });

  it('is the same, instruction by instruction, under the trap flag', () => {
    const traces = [true, false].map((mayPatch) => {
      const other = new SystrapGuest(mayPatch);
      try {
        const { context } = warmThread(code, other);
        return Array.from({ length: 24 }, () => {
          context.page.set(REG_EFLAGS, 0x202 | TF);
          if (context.page.reason === REASON_SYSCALL) context.page.set(REG_RAX, 7);
          other.step(context);
          const { page } = context;
          return [page.reason, page.get(REG_RIP), page.low(REG_RAX), page.reason === REASON_FAULT ? page.signo : 0];
        });
      } finally {
        other.close();
      }
    });
    expect(traces[0]).toEqual(traces[1]);
    expect(traces[0]!.some(([, , , signo]) => signo === SIGTRAP)).toBe(true);
  });

  it('can be interrupted anywhere', () => {
    const { context } = warmThread(code);
    const { page } = context;
    for (let i = 0; i < 3000; i++) {
      page.set(REG_RAX, i);
      context.resume();
      for (let wait = i % 500; wait > 0; wait--);
      context.interrupt();
      expect(guest.nextStop()).toBe(page.index);
      const rip = page.get(REG_RIP);
      if (page.reason === REASON_SYSCALL) {
        expect([rip, page.low(REG_ORIG_RAX)]).toEqual([site + 2, GETPID]);
      } else {
        expect(page.reason).toBe(REASON_INTERRUPTED);
        expect(rip >= CODE && rip < CODE + code.length).toBe(true);
      }
    }
  });

  it('is patched in a copy of the address space too, with the FP state of the caller', () => {
    const { space } = guest.space([0xc5, 0xfe, 0x6f, 0x07, ...code]);
    const context = guest.thread(space);
    for (let i = 0; i < WARM_UP; i++) {
      context.page.set(REG_RDI, CODE);
      guest.step(context);
    }
    expect(isFast(context)).toBe(true);
    const copy = must(guest.fork(space).createContext(context));
    const states = [context, copy].map((of) => {
      const state = new Uint8Array(guest.platform.xstateBytes);
      of.loadFp(state, 0);
      return [...state];
    });
    expect(states[0]!.slice(160, 164)).toEqual([0xc5, 0xfe, 0x6f, 0x07]);
    expect(states[1]).toEqual(states[0]);
    guest.step(copy);
    expect(isFast(copy)).toBe(true);
    guest.step(context);
    expect(context.page.get(REG_RIP)).toBe(site + 6);
  });

  it('keeps its FP state and its red zone', () => {
    const { space, dataPfn } = guest.space([
      ...code,
      ...new Array<number>(8).fill(0x90),
      0xc5,
      0xfe,
      0x7f,
      0x07,
      ...asm.ud2,
    ]);
    const context = guest.thread(space);
    const { page } = context;
    for (let i = 0; i < WARM_UP; i++) guest.step(context);
    const state = new Uint8Array(guest.platform.xstateBytes);
    context.loadFp(state, 0);
    state[512] = 7;
    state.fill(0x5a, 160, 176);
    state.fill(0xa5, 576, 592);
    expect(context.storeFp(state, 0)).toBe(0);
    page.set(REG_RSP, DATA + 0x400);
    guest.memory.write(dataPfn, 0x300, new Uint8Array(0x100).fill(0x33));
    for (let i = 0; i < 10; i++) guest.step(context);
    expect(isFast(context)).toBe(true);
    page.set(REG_RIP, CODE + code.length);
    page.set(REG_RDI, DATA);
    guest.step(context);
    expect([page.reason, page.signo]).toEqual([REASON_FAULT, SIGILL]);
    expect([...guest.memory.read(dataPfn, 0, 32)]).toEqual([...new Array(16).fill(0x5a), ...new Array(16).fill(0xa5)]);
    expect([...guest.memory.read(dataPfn, 0x300, 0x100)]).toEqual(new Array(0x100).fill(0x33));
  });

  it('serves a guest that has a GS base of its own, and leaves that memory alone', () => {
    const { context, dataPfn } = warmThread(code);
    guest.memory.write(dataPfn, 0, new Uint8Array(4096).fill(0x44));
    context.page.set(REG_GS_BASE, DATA);
    for (let i = 0; i < 3; i++) guest.step(context);
    const { page } = context;
    expect(isFast(context)).toBe(false);
    expect([page.reason, page.get(REG_RIP), page.get(REG_RCX), page.restartIp, page.get(REG_GS_BASE)]).toEqual([
      REASON_SYSCALL,
      site + 2,
      site + 2,
      site,
      DATA,
    ]);
    expect([...guest.memory.read(dataPfn, 0, 4096)]).toEqual(new Array(4096).fill(0x44));
    page.set(REG_GS_BASE, 0);
    guest.step(context);
    guest.step(context);
    expect([isFast(context), page.get(REG_GS_BASE)]).toEqual([true, 0]);
  });
});

describe('a site that makes a call for which the kernel needs the FP state', () => {
  it.each(
    Object.entries({ SYS_clone, SYS_clone3, SYS_fork, SYS_vfork, SYS_rt_sigreturn, SYS_rt_sigsuspend, SYS_pause }),
  )('%s is not patched', (_, nr) => {
    const { context } = warmThread([...asm.endbr64, ...asm.movEax(nr), ...asm.syscall, ...asm.jmp(-13)]);
    const { page } = context;
    expect([isFast(context), page.reason, page.low(REG_ORIG_RAX)]).toEqual([false, REASON_SYSCALL, nr]);
  });
});

describe('a jump into a patched site', () => {
  it('to the call makes the call that is in rax', () => {
    const { context } = warmThread(MOVE_LOOP);
    const { page } = context;
    page.set(REG_RIP, MOVE_SITE);
    page.set(REG_RAX, -7);
    guest.step(context);
    expect([page.reason, page.low(REG_ORIG_RAX) | 0, page.get(REG_RIP), page.restartIp]).toEqual([
      REASON_SYSCALL,
      -7,
      MOVE_SITE + 2,
      MOVE_SITE,
    ]);
    expect([page.get(REG_RCX), page.low(REG_R11) & 0x200]).toEqual([MOVE_SITE + 2, 0x200]);
    guest.step(context);
    expect([page.reason, page.low(REG_ORIG_RAX)]).toEqual([REASON_SYSCALL, GETPID]);
  });

  it('behind the call goes on there', () => {
    const { context } = warmThread(COMPARE_LOOP);
    const { page } = context;
    // From elsewhere, so that the way back out of the stub does not know it.
    page.set(REG_RIP, COMPARE_SITE);
    page.set(REG_RAX, GETPID);
    guest.step(context);
    context.loadFp(new Uint8Array(guest.platform.xstateBytes), 0);
    page.set(REG_RAX, 5);
    page.set(REG_EFLAGS, 0x202);
    guest.step(context);
    // cmp rax, -4095 borrows for a result that is no error.
    expect([page.get(REG_RIP), page.low(REG_EFLAGS) & 1]).toEqual([COMPARE_SITE + 2, 1]);
  });
});

describe('a guest that writes its own context page', () => {
  const SLOTS = 0x7fff_4000_0000;
  const SLOT_BYTES = 0x1_0000;

  it.each([512, 520, 528, 536, 576, 584, 592])('at %i harms only itself', (at) => {
    const other = guest.thread(guest.space(MOVE_LOOP).space);
    const { space } = guest.space([
      ...asm.endbr64,
      ...asm.movEax(GETPID),
      ...asm.syscall,
      ...asm.storeRax,
      ...asm.jmp(-16),
    ]);
    const context = guest.thread(space);
    for (let i = 0; i < 2 * WARM_UP; i++) {
      context.page.set(REG_RDI, i < WARM_UP ? DATA : SLOTS + SLOT_BYTES * context.page.index + at);
      context.page.set(REG_RAX, 0x1357);
      context.resume();
      guest.platform.sleep(20);
      const stopped = guest.platform.next();
      if (stopped !== context.page.index) break;
      if (i > WARM_UP) context.loadFp(new Uint8Array(guest.platform.xstateBytes), 0);
    }
    other.resume();
    while (guest.nextStop() !== other.page.index);
    expect(other.page.reason).toBe(REASON_SYSCALL);
  });
});
