import {
  EFAULT,
  EINVAL,
  ENOMEM,
  EPERM,
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  RLIMIT_SIGPENDING,
  SA_NODEFER,
  SA_ONSTACK,
  SA_RESETHAND,
  SA_RESTORER,
  SA_SIGINFO,
  SEGV_MAPERR,
  SIGBUS,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SIGINT,
  SIGKILL,
  SIGPIPE,
  SIGQUIT,
  SIGSEGV,
  SIGSTOP,
  SIGTERM,
  SIGTSTP,
  SIGTTIN,
  SIGTTOU,
  SIGURG,
  SIGUSR1,
  SIGUSR2,
  SIGWINCH,
  SIG_DFL,
  SI_QUEUE,
  SI_USER,
  SS_DISABLE,
  SS_ONSTACK,
  SYS_clone,
  SYS_fork,
  SYS_getpid,
  SYS_rt_sigaction,
  SYS_rt_sigpending,
  SYS_rt_sigprocmask,
  SYS_rt_sigreturn,
  SYS_rt_sigsuspend,
  SYS_rt_sigtimedwait,
  SYS_setpgid,
  SYS_sigaltstack,
  EAGAIN,
} from '@tsv/abi';
import { REG_EFLAGS, REG_RAX, REG_RBX, REG_RDI, REG_RDX, REG_RIP, REG_RSI, REG_RSP } from '@tsv/platform';
import { BLOCKED, TASK_GONE } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, CODE_ADDR, DATA_ADDR, DATA_BYTES, STACK_TOP, TestKernel } from '../testing/test-kernel.js';
import { sendSignal } from './send-signal.js';
import { kernelSignal, SigInfo, userSignal } from './sig-info.js';

const HANDLER_ADDR = 0x50_0000;
const RESTORER_ADDR = 0x50_0100;
const UC = 8;
const INFO = 312;
const SC = UC + 40;

function handle(t: Task, signo: number, flags = 0, maskLow = 0): void {
  const action = t.threadGroup.signalActions.get(signo);
  action.handlerAddr = HANDLER_ADDR;
  action.flags = (flags | SA_RESTORER) >>> 0;
  action.restorerAddr = RESTORER_ADDR;
  action.maskLow = maskLow;
}

function raise(k: TestKernel, t: Task, signo: number): void {
  sendSignal(t.threadGroup, kernelSignal(signo));
  k.pump();
}

function started(): { k: TestKernel; t: Task } {
  const k = new TestKernel();
  k.spawn();
  return { k, t: k.spawn() };
}

/** The guest's handler returns: `ret` pops the restorer's address, which calls sigreturn. */
function handlerReturns(k: TestKernel, t: Task): void {
  t.page.set(REG_RSP, t.page.get(REG_RSP) + 8);
  k.call(t, SYS_rt_sigreturn);
}

describe('a signal handler', () => {
  it('gets the signal, siginfo and ucontext as the x86-64 ABI says', () => {
    const { k, t } = started();
    handle(t, SIGUSR1, SA_SIGINFO);
    t.page.set(REG_RBX, 0xabc);
    t.page.set(REG_EFLAGS, 0x246 | 0x400);
    sendSignal(t.threadGroup, userSignal(SIGUSR1, SI_USER, 42, 7));
    k.pump();
    const { page } = t;
    const frameAddr = page.get(REG_RSP);
    expect([page.get(REG_RIP), page.get(REG_RDI), page.get(REG_RAX)]).toEqual([HANDLER_ADDR, SIGUSR1, 0]);
    expect([page.get(REG_RSI), page.get(REG_RDX)]).toEqual([frameAddr + INFO, frameAddr + UC]);
    expect(frameAddr % 16).toBe(8);
    expect(frameAddr).toBeLessThan(STACK_TOP - 128 - 440);
    expect(page.low(REG_EFLAGS) & 0x400).toBe(0);
    const mem = k.peek(t, frameAddr, 440);
    expect(Number(mem.getBigUint64(0, true))).toBe(RESTORER_ADDR);
    expect(Number(mem.getBigUint64(UC, true))).toBe(7);
    expect(Number(mem.getBigUint64(SC + 88, true))).toBe(0xabc);
    expect(Number(mem.getBigUint64(SC + 120, true))).toBe(STACK_TOP);
    expect(Number(mem.getBigUint64(SC + 128, true))).toBe(CODE_ADDR);
    expect(mem.getUint32(SC + 136, true)).toBe(0x646);
    expect([mem.getInt32(INFO, true), mem.getInt32(INFO + 8, true)]).toEqual([SIGUSR1, SI_USER]);
    expect([mem.getInt32(INFO + 16, true), mem.getUint32(INFO + 20, true)]).toEqual([42, 7]);
  });

  it('finds the FP state marked as an XSAVE area, 64-byte aligned', () => {
    const { k, t } = started();
    handle(t, SIGUSR1);
    k.contextOf(t).fp.fill(0x5a, 0, 400);
    raise(k, t, SIGUSR1);
    const fpAddr = Number(k.peek(t, t.page.get(REG_RSP), 440).getBigUint64(SC + 184, true));
    const fp = k.peek(t, fpAddr, 836);
    expect(fpAddr % 64).toBe(0);
    expect(fp.getUint8(399)).toBe(0x5a);
    expect([fp.getUint32(464, true), fp.getUint32(468, true)]).toEqual([FP_XSTATE_MAGIC1, 836]);
    expect([fp.getUint32(472, true) & 3, fp.getUint32(480, true)]).toEqual([3, 832]);
    expect(fp.getUint32(832, true)).toBe(FP_XSTATE_MAGIC2);
  });

  it('returns to where it was called, with registers, FP state and mask as in the frame', () => {
    const { k, t } = started();
    handle(t, SIGUSR1, 0, 1 << (SIGUSR2 - 1));
    t.page.set(REG_RBX, 77);
    k.contextOf(t).fp.fill(9, 0, 400);
    raise(k, t, SIGUSR1);
    expect(t.signals.blocked.low).toBe((1 << (SIGUSR1 - 1)) | (1 << (SIGUSR2 - 1)));
    t.page.set(REG_RBX, 1);
    k.contextOf(t).fp.fill(0, 0, 400);
    handlerReturns(k, t);
    expect([t.page.get(REG_RIP), t.page.get(REG_RSP), t.page.get(REG_RBX)]).toEqual([CODE_ADDR, STACK_TOP, 77]);
    expect([k.contextOf(t).fp[399], t.signals.blocked.low]).toEqual([9, 0]);
  });

  it('keeps eflags that only the kernel may set', () => {
    const { k, t } = started();
    handle(t, SIGUSR1);
    raise(k, t, SIGUSR1);
    const eflagsAddr = t.page.get(REG_RSP) + SC + 136;
    t.mm.store32(eflagsAddr, 0xffff_ffff);
    handlerReturns(k, t);
    expect(t.page.low(REG_EFLAGS)).toBe(0x202 | 0x5_0dd5);
  });

  it('is not interrupted by its own signal, unless SA_NODEFER', () => {
    for (const [flags, isBlocked] of [
      [0, true],
      [SA_NODEFER, false],
    ] as const) {
      const { k, t } = started();
      handle(t, SIGUSR1, flags);
      raise(k, t, SIGUSR1);
      expect(t.signals.blocked.has(SIGUSR1)).toBe(isBlocked);
    }
  });

  it('is called once with SA_RESETHAND', () => {
    const { k, t } = started();
    handle(t, SIGUSR1, SA_RESETHAND);
    raise(k, t, SIGUSR1);
    expect(t.threadGroup.signalActions.get(SIGUSR1).handlerAddr).toBe(SIG_DFL);
  });

  it('runs on the alternate stack with SA_ONSTACK, and nested handlers stay there', () => {
    const { k, t } = started();
    t.signals.altStackAddr = DATA_ADDR;
    t.signals.altStackBytes = 0x3000;
    t.signals.altStackFlags = 0;
    handle(t, SIGUSR1, SA_ONSTACK);
    handle(t, SIGUSR2, SA_ONSTACK);
    raise(k, t, SIGUSR1);
    const first = t.page.get(REG_RSP);
    expect(first).toBeGreaterThan(DATA_ADDR);
    expect(first).toBeLessThan(DATA_ADDR + 0x3000);
    raise(k, t, SIGUSR2);
    expect(t.page.get(REG_RSP)).toBeLessThan(first - 440);
  });

  it('takes pending signals with the lowest number first, so that the last is on top', () => {
    const { k, t } = started();
    handle(t, SIGUSR1);
    handle(t, SIGTERM);
    t.signals.setBlocked(0xffffffff, 0);
    raise(k, t, SIGTERM);
    raise(k, t, SIGUSR1);
    t.mm.store32(DATA_ADDR, 0);
    t.mm.store32(DATA_ADDR + 4, 0);
    k.call(t, SYS_rt_sigprocmask, 2, DATA_ADDR, 0, 8);
    expect(t.page.get(REG_RDI)).toBe(SIGTERM);
    handlerReturns(k, t);
    expect([t.page.get(REG_RIP), t.page.get(REG_RDI)]).toEqual([HANDLER_ADDR, SIGUSR1]);
  });

  it.each`
    why                               | spoil
    ${'no stack to build a frame on'} | ${(t: Task) => t.page.set(REG_RSP, BAD_ADDR)}
    ${'no restorer'}                  | ${(t: Task) => (t.threadGroup.signalActions.get(SIGUSR1).flags = 0)}
  `('becomes SIGSEGV: $why', ({ spoil }: { spoil: (t: Task) => void }) => {
    const { k, t } = started();
    handle(t, SIGUSR1);
    spoil(t);
    raise(k, t, SIGUSR1);
    expect([t.hasExited, t.threadGroup.exitStatus]).toEqual([true, SIGSEGV]);
  });

  it('that returns through a frame that cannot be read gets SIGSEGV', () => {
    const { k, t } = started();
    handle(t, SIGUSR1);
    raise(k, t, SIGUSR1);
    t.page.set(REG_RSP, BAD_ADDR);
    expect(k.call(t, SYS_rt_sigreturn)).toBe(TASK_GONE);
    expect(t.threadGroup.exitStatus).toBe(SIGSEGV);
  });
});

describe('a fault', () => {
  it('gives the handler its address, error code and trap number', () => {
    const { k, t } = started();
    handle(t, SIGSEGV, SA_SIGINFO);
    k.contextOf(t).stopForFault(SIGSEGV, SEGV_MAPERR, BAD_ADDR, 6, 14);
    k.pump();
    const mem = k.peek(t, t.page.get(REG_RSP), 440);
    expect([mem.getInt32(INFO, true), mem.getInt32(INFO + 8, true)]).toEqual([SIGSEGV, SEGV_MAPERR]);
    expect(Number(mem.getBigUint64(INFO + 16, true))).toBe(BAD_ADDR);
    expect([mem.getUint32(SC + 152, true), mem.getUint32(SC + 160, true)]).toEqual([6, 14]);
    expect(Number(mem.getBigUint64(SC + 176, true))).toBe(BAD_ADDR);
  });

  it('ends the process when its signal is blocked', () => {
    const { k, t } = started();
    handle(t, SIGBUS);
    t.signals.setBlocked(1 << (SIGBUS - 1), 0);
    k.contextOf(t).stopForFault(SIGBUS, 2, BAD_ADDR, 0, 17);
    k.pump();
    expect([t.hasExited, t.threadGroup.exitStatus]).toEqual([true, SIGBUS]);
  });

  it.each([0, SIGKILL, SIGSTOP, 65, 200, 0xffff_ffff])('that a guest tells as signal %d is SIGSEGV', (signo) => {
    const { k, t } = started();
    k.contextOf(t).stopForFault(signo, 1, BAD_ADDR, 0, 14);
    k.pump();
    expect([t.hasExited, t.threadGroup.exitStatus]).toEqual([true, SIGSEGV]);
  });
});

describe('the default action', () => {
  it.each([SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGPIPE, SIGTERM, 34, 64])('of signal %d ends the process', (signo) => {
    const { k, t } = started();
    raise(k, t, signo);
    expect([t.hasExited, t.threadGroup.exitStatus]).toEqual([true, signo]);
  });

  it.each([SIGCHLD, SIGURG, SIGWINCH, SIGCONT])('of signal %d is nothing', (signo) => {
    const { k, t } = started();
    raise(k, t, signo);
    expect([t.hasExited, t.isInGuest]).toEqual([false, true]);
  });

  it.each([SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU])('of signal %d stops the process', (signo) => {
    const { k, t } = started();
    const child = k.task(k.call(t, SYS_fork));
    k.call(child, SYS_setpgid, 0, 0);
    raise(k, child, signo);
    expect([child.threadGroup.isStopped, child.isInGuest]).toEqual([true, false]);
    raise(k, child, SIGKILL);
    expect(child.hasExited).toBe(true);
  });

  it('of SIGTSTP is nothing in an orphaned process group, where SIGSTOP still stops', () => {
    const { k, t } = started();
    raise(k, t, SIGTSTP);
    expect(t.isInGuest).toBe(true);
    raise(k, t, SIGSTOP);
    expect(t.threadGroup.isStopped).toBe(true);
  });

  it('does not end process 1 by signals from its own namespace', () => {
    const k = new TestKernel();
    const init = k.spawn();
    sendSignal(init.threadGroup, userSignal(SIGKILL, SI_USER, 1, 0));
    sendSignal(init.threadGroup, userSignal(SIGTERM, SI_USER, 1, 0));
    k.pump();
    expect(init.isInGuest).toBe(true);
    raise(k, init, SIGKILL);
    expect(init.hasExited).toBe(true);
  });
});

describe('the threads of a process', () => {
  const THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000;

  it('all stop, and all end', () => {
    const { k, t } = started();
    const other = k.task(k.call(t, SYS_clone, THREAD, DATA_ADDR + 0x3000));
    raise(k, t, SIGSTOP);
    expect([t.isInGuest, other.isInGuest, t.threadGroup.isStopped]).toEqual([false, false, true]);
    raise(k, t, SIGCONT);
    expect([t.isInGuest, other.isInGuest]).toEqual([true, true]);
    raise(k, other, SIGTERM);
    expect([t.hasExited, other.hasExited]).toEqual([true, true]);
    expect(k.platform.contextCount).toBe(1);
  });

  it('take a signal for the process where it is not blocked', () => {
    const { k, t } = started();
    const other = k.task(k.call(t, SYS_clone, THREAD, DATA_ADDR + 0x8000));
    handle(t, SIGUSR1);
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    raise(k, t, SIGUSR1);
    expect([t.page.get(REG_RIP), other.page.get(REG_RIP)]).toEqual([CODE_ADDR + 2, HANDLER_ADDR]);
  });
});

describe('real-time signals', () => {
  it('are queued in order with their values, up to RLIMIT_SIGPENDING', () => {
    const { t } = started();
    t.signals.setBlocked(0xffffffff, 0xffffffff);
    t.threadGroup.limits.set(RLIMIT_SIGPENDING, 2, 2);
    const queue = (value: number): number => {
      const info = new SigInfo(40, SI_QUEUE);
      info.valueLow = value;
      return sendSignal(t.threadGroup, info);
    };
    expect([queue(1), queue(2), queue(3)]).toEqual([0, 0, -EAGAIN]);
    const values = [0, 0].map(() => t.signals.takeOf(0, 0xffffffff)!.valueLow);
    expect(values).toEqual([1, 2]);
    expect(t.threadGroup.pending.set.isEmpty).toBe(true);
  });
});

describe('rt_sigaction(2)', () => {
  it('sets and tells an action', () => {
    const { k, t } = started();
    t.mm.store64(DATA_ADDR, HANDLER_ADDR);
    t.mm.store64(DATA_ADDR + 8, SA_SIGINFO | SA_RESTORER | 0x1000);
    t.mm.store64(DATA_ADDR + 16, RESTORER_ADDR);
    t.mm.store64(DATA_ADDR + 24, 0xffff);
    expect(k.call(t, SYS_rt_sigaction, SIGUSR1, DATA_ADDR, 0, 8)).toBe(0);
    expect(k.call(t, SYS_rt_sigaction, SIGUSR1, 0, DATA_ADDR + 64, 8)).toBe(0);
    const words = [0, 8, 16, 24].map((at) => t.mm.load64(DATA_ADDR + 64 + at));
    expect(words).toEqual([HANDLER_ADDR, SA_SIGINFO | SA_RESTORER, RESTORER_ADDR, 0xffff & ~(1 << (SIGKILL - 1))]);
  });

  it.each`
    signo      | actAddr      | bytes | errno
    ${0}       | ${DATA_ADDR} | ${8}  | ${EINVAL}
    ${65}      | ${DATA_ADDR} | ${8}  | ${EINVAL}
    ${SIGKILL} | ${DATA_ADDR} | ${8}  | ${EINVAL}
    ${SIGSTOP} | ${DATA_ADDR} | ${8}  | ${EINVAL}
    ${SIGUSR1} | ${DATA_ADDR} | ${4}  | ${EINVAL}
    ${SIGUSR1} | ${BAD_ADDR}  | ${8}  | ${EFAULT}
  `('of $signo at $actAddr: $errno', ({ signo, actAddr, bytes, errno }: Record<string, number>) => {
    const { k, t } = started();
    expect(k.call(t, SYS_rt_sigaction, signo!, actAddr!, 0, bytes!)).toBe(-errno!);
  });

  it('forgets a pending signal that becomes ignored', () => {
    const { k, t } = started();
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    raise(k, t, SIGUSR1);
    t.mm.store64(DATA_ADDR, 1);
    k.call(t, SYS_rt_sigaction, SIGUSR1, DATA_ADDR, 0, 8);
    expect(t.threadGroup.pending.set.isEmpty).toBe(true);
  });
});

describe('the signal mask', () => {
  it('is read and changed by rt_sigprocmask(2), but for SIGKILL and SIGSTOP', () => {
    const { k, t } = started();
    t.mm.store32(DATA_ADDR, 0xffffffff);
    t.mm.store32(DATA_ADDR + 4, 0);
    expect(k.call(t, SYS_rt_sigprocmask, 0, DATA_ADDR, 0, 8)).toBe(0);
    expect(k.call(t, SYS_rt_sigprocmask, 1, 0, DATA_ADDR + 8, 8)).toBe(0);
    expect(t.mm.load32(DATA_ADDR + 8)).toBe((~0 & ~(1 << 8) & ~(1 << 18)) >>> 0);
    expect(k.call(t, SYS_rt_sigprocmask, 3, DATA_ADDR, 0, 8)).toBe(-EINVAL);
    expect(k.call(t, SYS_rt_sigprocmask, 0, DATA_ADDR, 0, 16)).toBe(-EINVAL);
    expect(k.call(t, SYS_rt_sigprocmask, 0, BAD_ADDR, 0, 8)).toBe(-EFAULT);
    expect(k.call(t, SYS_rt_sigprocmask, 0, 0, BAD_ADDR, 8)).toBe(-EFAULT);
  });

  it('shows in rt_sigpending(2) what it keeps back', () => {
    const { k, t } = started();
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    raise(k, t, SIGUSR1);
    expect(k.call(t, SYS_rt_sigpending, DATA_ADDR, 8)).toBe(0);
    expect(t.mm.load32(DATA_ADDR)).toBe(1 << (SIGUSR1 - 1));
    expect(k.call(t, SYS_rt_sigpending, DATA_ADDR, 9)).toBe(-EINVAL);
    expect(k.call(t, SYS_rt_sigpending, BAD_ADDR, 8)).toBe(-EFAULT);
  });

  it('of rt_sigsuspend(2) is gone when its handler returns', () => {
    const { k, t } = started();
    handle(t, SIGUSR1);
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    expect(k.call(t, SYS_rt_sigsuspend, DATA_ADDR, 8)).toBe(BLOCKED);
    raise(k, t, SIGUSR1);
    expect(t.page.get(REG_RIP)).toBe(HANDLER_ADDR);
    handlerReturns(k, t);
    expect(t.signals.blocked.low).toBe(1 << (SIGUSR1 - 1));
    expect(k.call(t, SYS_rt_sigsuspend, BAD_ADDR, 8)).toBe(-EFAULT);
    expect(k.call(t, SYS_rt_sigsuspend, DATA_ADDR, 4)).toBe(-EINVAL);
  });
});

describe('rt_sigtimedwait(2)', () => {
  const SET_ADDR = DATA_ADDR + 0x40;
  const INFO_ADDR = DATA_ADDR + 0x80;

  function waiting(): { k: TestKernel; t: Task } {
    const { k, t } = started();
    t.mm.store32(SET_ADDR, 1 << (SIGUSR1 - 1));
    t.signals.setBlocked(1 << (SIGUSR1 - 1), 0);
    return { k, t };
  }

  it('takes a blocked signal that is or becomes pending', () => {
    const { k, t } = waiting();
    expect(k.call(t, SYS_rt_sigtimedwait, SET_ADDR, INFO_ADDR, 0, 8)).toBe(BLOCKED);
    sendSignal(t.threadGroup, userSignal(SIGUSR1, SI_USER, 9, 0));
    k.pump();
    expect(k.result(t)).toBe(SIGUSR1);
    expect(t.mm.load32(INFO_ADDR + 16)).toBe(9);
    raise(k, t, SIGUSR1);
    expect(k.call(t, SYS_rt_sigtimedwait, SET_ADDR, 0, 0, 8)).toBe(SIGUSR1);
  });

  it('ends with EAGAIN after the timeout', () => {
    const { k, t } = waiting();
    t.mm.store64(DATA_ADDR, 2);
    expect(k.call(t, SYS_rt_sigtimedwait, SET_ADDR, 0, DATA_ADDR, 8)).toBe(BLOCKED);
    k.advance(1999);
    expect(k.result(t)).toBe(BLOCKED);
    k.advance(1);
    expect(k.result(t)).toBe(-EAGAIN);
  });

  it('refuses what it cannot read and a wrong set size', () => {
    const { k, t } = waiting();
    t.mm.store64(DATA_ADDR + 8, 1e9);
    expect(k.call(t, SYS_rt_sigtimedwait, BAD_ADDR, 0, 0, 8)).toBe(-EFAULT);
    expect(k.call(t, SYS_rt_sigtimedwait, SET_ADDR, 0, BAD_ADDR, 8)).toBe(-EFAULT);
    expect(k.call(t, SYS_rt_sigtimedwait, SET_ADDR, 0, DATA_ADDR, 8)).toBe(-EINVAL);
    expect(k.call(t, SYS_rt_sigtimedwait, SET_ADDR, 0, 0, 4)).toBe(-EINVAL);
  });
});

describe('sigaltstack(2)', () => {
  function setStack(k: TestKernel, t: Task, addr: number, flags: number, bytes: number): number {
    t.mm.store64(DATA_ADDR, addr);
    t.mm.store64(DATA_ADDR + 8, flags);
    t.mm.store64(DATA_ADDR + 16, bytes);
    return k.call(t, SYS_sigaltstack, DATA_ADDR, DATA_ADDR + 32);
  }

  it('sets a stack and tells the former one', () => {
    const { k, t } = started();
    expect(setStack(k, t, DATA_ADDR + 0x1000, 0, 4096)).toBe(0);
    expect(t.mm.load32(DATA_ADDR + 40)).toBe(SS_DISABLE);
    expect(setStack(k, t, 0, SS_DISABLE, 0)).toBe(0);
    expect([t.mm.load64(DATA_ADDR + 32), t.mm.load64(DATA_ADDR + 48)]).toEqual([DATA_ADDR + 0x1000, 4096]);
  });

  it('returns the errors of its man page', () => {
    const { k, t } = started();
    expect(setStack(k, t, DATA_ADDR, 8, 4096)).toBe(-EINVAL);
    expect(setStack(k, t, DATA_ADDR, 0, 2047)).toBe(-ENOMEM);
    expect(k.call(t, SYS_sigaltstack, BAD_ADDR, 0)).toBe(-EFAULT);
    expect(setStack(k, t, DATA_ADDR, 0, DATA_BYTES)).toBe(0);
    expect(k.call(t, SYS_sigaltstack, 0, DATA_ADDR + 32)).toBe(0);
    expect(t.mm.load32(DATA_ADDR + 40)).toBe(SS_ONSTACK);
    expect(setStack(k, t, 0, SS_DISABLE, 0)).toBe(-EPERM);
    expect(k.call(t, SYS_getpid)).toBe(2);
  });
});
