import { closeSync, openSync, readSync } from 'node:fs';
import {
  PAGE_BYTES,
  REASON_DEAD,
  REASON_INTERRUPTED,
  REASON_SYSCALL,
  REG_ORIG_RAX,
  REG_R10,
  REG_RAX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  REG_RSP,
} from '@tsv/platform';
import { CODE, DATA, asm, describeHostileGuests, stubsOf } from '@tsv/platform/testing';
import { SLOT_BYTES, STUB_BELL, STUB_CODE, STUB_SLOTS, SystrapGuest, systrap } from './testing/guest.js';

describeHostileGuests(systrap);

describe("a guest in the stub's code", () => {
  let guest: SystrapGuest;
  beforeEach(() => {
    guest = new SystrapGuest();
  });
  afterEach(() => {
    guest.close();
  });

  it('makes none of the calls that the helper makes, from any byte, with any arguments', () => {
    // mmap, munmap, mprotect, rt_sigprocmask, clone, sigaltstack, prctl, seccomp, close_range and others.
    const numbers = [0, 1, 3, 8, 9, 10, 11, 14, 47, 56, 57, 59, 60, 110, 131, 157, 231, 317, 436];
    const { space, dataPfn } = guest.space(asm.loop);
    const context = guest.thread(space);
    const { page } = context;
    const before = guest.memory.read(dataPfn, 0, PAGE_BYTES);
    let callCount = 0;
    for (const at of syscallsOfStub()) {
      for (const nr of numbers) {
        page.set(REG_RIP, at);
        page.set(REG_RAX, nr);
        page.set(REG_RDI, DATA);
        page.set(REG_RSI, PAGE_BYTES);
        page.set(REG_RDX, 0);
        page.set(REG_R10, 0x32);
        context.resume();
        expect(guest.nextStop()).toBe(page.index);
        expect([page.reason, page.low(REG_ORIG_RAX), page.get(REG_RIP)]).toEqual([REASON_SYSCALL, nr, at + 2]);
        callCount++;
      }
    }
    expect(callCount).toBeGreaterThan(20 * numbers.length);
    expect(guest.memory.read(dataPfn, 0, PAGE_BYTES)).toEqual(before);
  });

  it('that forges a frame for rt_sigreturn changes its own registers only', () => {
    const sigreturn = syscallsOfStub().at(-1)!;
    const { space, dataPfn } = guest.space(asm.loop);
    const frame = new DataView(new ArrayBuffer(304));
    // rip, cs, rsp; an alternate stack in the doorbell.
    frame.setBigUint64(168, BigInt(CODE), true);
    frame.setUint16(184, 0x33, true);
    frame.setBigUint64(160, BigInt(DATA), true);
    frame.setBigUint64(16, BigInt(STUB_BELL), true);
    frame.setBigUint64(32, BigInt(PAGE_BYTES), true);
    guest.memory.write(dataPfn, 0, new Uint8Array(frame.buffer));
    guest.mapCode(space, CODE, asm.syscall);
    const context = guest.thread(space);
    context.page.set(REG_RIP, sigreturn);
    context.page.set(REG_RAX, 15);
    context.page.set(REG_RSP, DATA);
    context.resume();
    for (let i = 0; i < 20; i++) guest.platform.sleep(5);
    // Whatever became of it, others do not notice.
    const { space: other } = guest.space(asm.syscall);
    const victim = guest.thread(other);
    victim.resume();
    const stops = [];
    for (let index = guest.nextStop(); ; index = guest.nextStop()) {
      stops.push(index);
      if (index === victim.page.index) break;
    }
    expect(stops).toContain(victim.page.index);
    expect(victim.page.reason).toBe(REASON_SYSCALL);
    context.release();
  });

  it('that blocks the signal that interrupts is ended with its process', () => {
    const { space, dataPfn } = guest.space([...asm.movRdi(DATA + 512), ...asm.storeRdi, ...asm.loop]);
    const frame = new DataView(new ArrayBuffer(304));
    // rip, cs, ss, rsp, and a mask of all signals.
    frame.setBigUint64(168, BigInt(CODE), true);
    frame.setUint16(184, 0x33, true);
    frame.setUint16(190, 0x2b, true);
    frame.setBigUint64(160, BigInt(DATA), true);
    frame.setBigUint64(296, 0xffff_ffff_ffff_ffffn, true);
    guest.memory.write(dataPfn, 0, new Uint8Array(frame.buffer));
    const context = guest.thread(space);
    context.page.set(REG_RIP, syscallsOfStub().at(-1)!);
    context.page.set(REG_RAX, 15);
    context.page.set(REG_RSP, DATA);
    context.resume();
    while (guest.memory.read(dataPfn, 512, 8).readUInt32LE() === 0) guest.platform.sleep(5);
    context.interrupt();
    expect(guest.nextStop()).toBe(context.page.index);
    expect(context.page.reason).toBe(REASON_DEAD);
  });

  it('that rings for others and writes nonsense on the bell stops nobody else', () => {
    const { space: other } = guest.space(asm.loop);
    const victim = guest.thread(other);
    victim.resume();
    // mov ecx, 1024; mov rax, -1; rep stosd; then a call.
    const { space } = guest.space([0xb9, 0, 4, 0, 0, ...asm.movRax(-1), 0xf3, 0xab, ...asm.syscall]);
    const context = guest.thread(space);
    context.page.set(REG_RDI, STUB_BELL);
    context.resume();
    expect(guest.nextStop()).toBe(context.page.index);
    expect(guest.platform.next()).toBe(-1);
    victim.interrupt();
    expect(guest.nextStop()).toBe(victim.page.index);
    expect(victim.page.reason).toBe(REASON_INTERRUPTED);
  });

  it('that writes any state into its page leaves the sentry at work', () => {
    const { space } = guest.space([...asm.storeRax, ...asm.loop]);
    for (const state of [0, 2, 3, 0xffff_ffff]) {
      const context = guest.thread(space);
      context.page.set(REG_RAX, state);
      context.page.set(REG_RDI, STUB_SLOTS + context.page.index * SLOT_BYTES);
      context.resume();
      for (let i = 0; i < 3; i++) guest.platform.sleep(1);
      context.interrupt();
      expect(guest.nextStop()).toBe(context.page.index);
      context.release();
    }
  });
});

/** Where the stub's `syscall` instructions are, as its code can be read. */
function syscallsOfStub(): number[] {
  const [pid] = stubsOf(process.pid).slice(-1);
  const file = openSync(`/proc/${pid}/mem`, 'r');
  const code = Buffer.alloc(2 * PAGE_BYTES);
  readSync(file, code, 0, code.length, STUB_CODE);
  closeSync(file);
  const found = [];
  for (let at = code.indexOf('0f05', 0, 'hex'); at >= 0; at = code.indexOf('0f05', at + 2, 'hex'))
    found.push(STUB_CODE + at);
  return found;
}
