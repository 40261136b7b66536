import { closeSync, openSync, readFileSync, readSync, readlinkSync, readdirSync } from 'node:fs';
import {
  PAGE_BYTES,
  REASON_DEAD,
  REASON_FAULT,
  REASON_INTERRUPTED,
  REASON_SYSCALL,
  REG_EFLAGS,
  REG_FS_BASE,
  REG_ORIG_RAX,
  REG_R10,
  REG_RAX,
  REG_RBP,
  REG_RBX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  REG_RSP,
  type ContextPage,
} from '@tsv/platform';
import { CODE, DATA, Guest, asm } from './testing/guest.js';
import { statusField, stubsOf } from './testing/host-processes.js';

const SIGILL = 4;
const SIGTRAP = 5;
const SIGFPE = 8;
const SIGSEGV = 11;
const SI_KERNEL = 0x80;

/** Where the stub lies: `crates/stub-systrap/src/layout.rs`. */
const STUB_CODE = 0x7fff_1000_0000;
const STUB_DATA = STUB_CODE + 2 * PAGE_BYTES;
const STUB_BELL = STUB_CODE + 3 * PAGE_BYTES;
const STUB_CONTROL = STUB_CODE + 4 * PAGE_BYTES;
const STUB_SCRATCH = STUB_CODE + 5 * PAGE_BYTES;
const STUB_SLOTS = 0x7fff_4000_0000;
const SLOT_BYTES = 0x1_0000;
const GETPID = 39;
const NO_CAPABILITIES = '0'.repeat(16);

let guest: Guest;
beforeEach(() => {
  guest = new Guest();
});
afterEach(() => {
  guest.close();
});

function fault(page: ContextPage): object {
  return { reason: page.reason, signo: page.signo, code: page.sigCode, trapno: page.faultTrapno };
}

describe('a stub process', () => {
  it("has the guest's mappings, the stub's and those of its threads, and nothing else", () => {
    const before = stubsOf(process.pid);
    const { space } = guest.space(asm.syscall);
    const context = guest.thread(space);
    guest.step(context);
    const [pid] = stubsOf(process.pid).filter((stub) => !before.includes(stub));
    const mappings = readFileSync(`/proc/${pid}/maps`, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !line.endsWith('[vsyscall]'))
      .map((line) => line.split(' ', 2).join(' '));
    expect(mappings).toEqual([
      '00400000-00401000 r-xs',
      '00600000-00601000 rw-s',
      '7fff10000000-7fff10003000 r-xs',
      '7fff10003000-7fff10004000 rw-s',
      '7fff10004000-7fff10005000 r--s',
      '7fff40000000-7fff40001000 rw-s',
      '7fff40001000-7fff40010000 rw-s',
    ]);
  });

  it('has five descriptors, a seccomp filter and no way to new privileges', () => {
    guest.space(asm.syscall);
    for (const pid of stubsOf(process.pid)) {
      const fds = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`).replace(/\d+/g, ''));
      expect(fds).toEqual([
        expect.stringContaining('memory'),
        '/memfd:tsv-control (deleted)',
        'socket:[]',
        '/memfd:tsv-answer (deleted)',
        'anon_inode:[eventfd]',
      ]);
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
      page.set(REG_RIP, STUB_CODE + offset);
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

  it.each([STUB_CODE, STUB_DATA, STUB_CONTROL, STUB_SCRATCH, 0, STUB_CODE - 8, STUB_SLOTS + SLOT_BYTES])(
    'can not write at %i',
    (addr) => {
      const { space } = guest.space([...asm.movRdi(addr), ...asm.storeRax, ...asm.syscall]);
      const context = guest.thread(space);
      guest.step(context);
      expect([context.page.reason, context.page.signo, context.page.faultAddr]).toEqual([REASON_FAULT, SIGSEGV, addr]);
    },
  );

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
      context.page.set(REG_RDI, STUB_CONTROL + at);
      guest.step(context);
      seen.push(context.page.get(REG_RAX));
    }
    expect(seen).toContain(0x5432_1000);
    expect(seen).not.toContain(0x1234_5000);
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
      expect([context.page.signo, context.page.sigCode, context.page.get(REG_RIP)]).toEqual([SIGTRAP, 2, CODE + count]);
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
