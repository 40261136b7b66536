import {
  BPF_ABS,
  BPF_ADD,
  BPF_ALU,
  BPF_DIV,
  BPF_JA,
  BPF_JEQ,
  BPF_JMP,
  BPF_K,
  BPF_LD,
  BPF_LSH,
  BPF_MEM,
  BPF_RET,
  BPF_ST,
  BPF_W,
  BPF_X,
  EACCES,
  EFAULT,
  EINVAL,
  ENOMEM,
  ENOSYS,
  EOPNOTSUPP,
  PR_GET_SECCOMP,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_SECCOMP,
  SA_RESTORER,
  SA_SIGINFO,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_MODE_FILTER,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
  SIGSYS,
  SYS_clone,
  SYS_exit,
  SYS_fork,
  SYS_getpid,
  SYS_getppid,
  SYS_pipe2,
  SYS_prctl,
  SYS_read,
  SYS_seccomp,
  SYS_write,
} from '@tsv/abi';
import { REG_RDX, REG_RIP, REG_RSP } from '@tsv/platform';
import type { OpenFile } from '@tsv/vfs';
import { Credentials } from '../cred/credentials.js';
import { BLOCKED, TASK_GONE } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, CODE_ADDR, DATA_ADDR, TestKernel } from '../testing/test-kernel.js';
import { BpfProgram } from './bpf-program.js';

type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, k: number];

const RET_K = BPF_RET | BPF_K;
const LOAD_NR: Instruction = [BPF_LD | BPF_W | BPF_ABS, 0, 0, 0];

/** An open file of `t`, with one reference more. */
function sharedFile(t: Task, fd: number): OpenFile {
  const file = t.fds.get(fd);
  if (file === undefined) throw new Error(`sharedFile: ${fd} is not open`);
  file.incRef();
  return file;
}

/** Goes on so many instructions further, as what was loaded is `value` or not. */
function jumpIf(value: number, ifEqual: number, ifNot: number): Instruction {
  return [BPF_JMP | BPF_JEQ | BPF_K, ifEqual, ifNot, value];
}

/** Gives `getppid` the verdict and lets everything else through. */
function onGetppid(verdict: number): Instruction[] {
  return [
    LOAD_NR,
    [BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_getppid],
    [RET_K, 0, 0, verdict],
    [RET_K, 0, 0, SECCOMP_RET_ALLOW],
  ];
}

function encode(program: readonly Instruction[]): DataView {
  const mem = new DataView(new ArrayBuffer(8 * program.length));
  for (const [i, [code, jumpTrue, jumpFalse, k]] of program.entries()) {
    mem.setUint16(8 * i, code, true);
    mem.setUint8(8 * i + 2, jumpTrue);
    mem.setUint8(8 * i + 3, jumpFalse);
    mem.setUint32(8 * i + 4, k, true);
  }
  return mem;
}

function put(k: TestKernel, t: Task, program: readonly Instruction[]): number {
  k.put(t, DATA_ADDR + 0x100, new Uint8Array(encode(program).buffer));
  t.mm.store64(DATA_ADDR, program.length);
  t.mm.store64(DATA_ADDR + 8, DATA_ADDR + 0x100);
  return DATA_ADDR;
}

function install(k: TestKernel, t: Task, program: readonly Instruction[], flags = 0): number {
  return k.call(t, SYS_seccomp, 1, flags, put(k, t, program));
}

function started(uid = 0): { k: TestKernel; t: Task } {
  const k = new TestKernel();
  k.spawn();
  return { k, t: k.spawn(Credentials.forUser(k.kernel.userNs, uid, uid)) };
}

describe('BpfProgram', () => {
  it.each`
    why                            | program
    ${'no return at the end'}      | ${[LOAD_NR]}
    ${'an unknown instruction'}    | ${[[0xff, 0, 0, 0], [RET_K, 0, 0, 0]]}
    ${'a load of half a word'}     | ${[[BPF_LD | BPF_W | BPF_ABS, 0, 0, 2], [RET_K, 0, 0, 0]]}
    ${'a load behind the data'}    | ${[[BPF_LD | BPF_W | BPF_ABS, 0, 0, 64], [RET_K, 0, 0, 0]]}
    ${'a jump behind the end'}     | ${[[BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 0], [RET_K, 0, 0, 0]]}
    ${'a far jump behind the end'} | ${[[BPF_JMP | BPF_JA, 0, 0, 0xffffffff], [RET_K, 0, 0, 0]]}
    ${'a division by 0'}           | ${[[BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0], [RET_K, 0, 0, 0]]}
    ${'a shift by 32'}             | ${[[BPF_ALU | BPF_LSH | BPF_K, 0, 0, 32], [RET_K, 0, 0, 0]]}
    ${'a word that is not stored'} | ${[[BPF_LD | BPF_MEM, 0, 0, 1], [RET_K, 0, 0, 0]]}
    ${'a word that is not there'}  | ${[[BPF_ST, 0, 0, 16], [RET_K, 0, 0, 0]]}
  `('is refused: $why', ({ program }: { program: Instruction[] }) => {
    expect(BpfProgram.parse(encode(program), program.length)).toBe(-EINVAL);
  });

  it.each`
    what                 | code                                                                   | result
    ${'adds'}            | ${[[BPF_ALU | BPF_ADD | BPF_K, 0, 0, 0xffffffff]]}                     | ${6}
    ${'divides'}         | ${[[BPF_ALU | BPF_DIV | BPF_K, 0, 0, 2]]}                              | ${3}
    ${'divides by X, 0'} | ${[[BPF_ALU | BPF_DIV | BPF_X, 0, 0, 0]]}                              | ${0}
    ${'shifts'}          | ${[[BPF_ALU | BPF_LSH | BPF_K, 0, 0, 31]]}                             | ${0x80000000}
    ${'remembers'}       | ${[[BPF_ST, 0, 0, 3], [BPF_LD, 0, 0, 1], [BPF_LD | BPF_MEM, 0, 0, 3]]} | ${7}
    ${'jumps'}           | ${[[BPF_JMP | BPF_JA, 0, 0, 1], [BPF_LD, 0, 0, 1]]}                    | ${7}
  `('$what', ({ code, result }: { code: Instruction[]; result: number }) => {
    const program = BpfProgram.parse(encode([LOAD_NR, ...code, [BPF_RET | 0x10, 0, 0, 0]]), code.length + 2);
    if (typeof program === 'number') throw new Error('the program is valid');
    expect(program.run(new Uint32Array(16).fill(7))).toBe(result);
  });
});

describe('seccomp(2)', () => {
  it.each`
    verdict                       | result
    ${SECCOMP_RET_ALLOW}          | ${0}
    ${SECCOMP_RET_LOG}            | ${0}
    ${SECCOMP_RET_ERRNO | EACCES} | ${-EACCES}
    ${SECCOMP_RET_ERRNO | 0xffff} | ${-4095}
    ${SECCOMP_RET_TRACE}          | ${-ENOSYS}
    ${SECCOMP_RET_USER_NOTIF}     | ${-ENOSYS}
    ${SECCOMP_RET_KILL_THREAD}    | ${TASK_GONE}
    ${SECCOMP_RET_KILL_PROCESS}   | ${TASK_GONE}
    ${0x12340000}                 | ${TASK_GONE}
  `('of verdict $verdict gives $result', ({ verdict, result }: Record<string, number>) => {
    const { k, t } = started();
    expect(install(k, t, onGetppid(verdict!))).toBe(0);
    expect(k.call(t, SYS_getpid)).toBe(2);
    expect(k.call(t, SYS_getppid)).toBe(result);
    if (result === TASK_GONE) expect(t.threadGroup.exitStatus).toBe(SIGSYS);
  });

  it('raises SIGSYS with the call for SECCOMP_RET_TRAP', () => {
    const { k, t } = started();
    const action = t.threadGroup.signalActions.get(SIGSYS);
    action.handlerAddr = 0x50_0000;
    action.flags = SA_SIGINFO | SA_RESTORER;
    install(k, t, onGetppid(SECCOMP_RET_TRAP | 99));
    t.page.set(REG_RIP, CODE_ADDR);
    k.call(t, SYS_getppid);
    expect(t.page.get(REG_RIP)).toBe(0x50_0000);
    const mem = k.peek(t, t.page.get(REG_RSP), 440);
    const info = 312;
    expect([mem.getInt32(info, true), mem.getInt32(info + 4, true), mem.getInt32(info + 8, true)]).toEqual([
      SIGSYS,
      99,
      1,
    ]);
    expect(Number(mem.getBigUint64(info + 16, true))).toBe(CODE_ADDR + 2);
    expect([mem.getInt32(info + 24, true), mem.getUint32(info + 28, true)]).toEqual([SYS_getppid, 0xc000003e]);
  });

  it('is about the arguments that the call is made with, whatever is written to the registers meanwhile', () => {
    const { k, t } = started();
    k.call(t, SYS_pipe2, DATA_ADDR, 0);
    const [reader, writer] = new Int32Array(k.peek(t, DATA_ADDR, 8).buffer);
    const loadCount: Instruction = [BPF_LD | BPF_W | BPF_ABS, 0, 0, 32];
    const verdicts: Instruction[] = [
      [RET_K, 0, 0, SECCOMP_RET_ERRNO | EACCES],
      [RET_K, 0, 0, SECCOMP_RET_ALLOW],
    ];
    install(k, t, [LOAD_NR, jumpIf(SYS_read, 0, 2), loadCount, jumpIf(1, 1, 0), ...verdicts]);
    expect(k.call(t, SYS_read, reader!, DATA_ADDR, 2)).toBe(-EACCES);
    expect(k.call(t, SYS_read, reader!, DATA_ADDR, 1)).toBe(BLOCKED);
    t.page.set(REG_RDX, 2);
    const other = k.spawn();
    other.fds.install(sharedFile(t, writer!), 0, false);
    expect(k.call(other, SYS_write, 0, DATA_ADDR, 2)).toBe(2);
    expect(k.result(t)).toBe(1);
  });

  it('lets the strictest of several filters decide, in children too', () => {
    const { k, t } = started();
    install(k, t, onGetppid(SECCOMP_RET_ERRNO | EACCES));
    install(k, t, onGetppid(SECCOMP_RET_LOG));
    const child = k.task(k.call(t, SYS_fork));
    expect(k.call(child, SYS_getppid)).toBe(-EACCES);
    expect(k.call(child, SYS_prctl, PR_GET_SECCOMP)).toBe(2);
  });

  it('filters all threads with SECCOMP_FILTER_FLAG_TSYNC, unless one has a filter of its own', () => {
    const { k, t } = started();
    const other = k.task(k.call(t, SYS_clone, 0x100 | 0x200 | 0x400 | 0x800 | 0x10000, DATA_ADDR + 0x8000));
    expect(install(k, t, onGetppid(SECCOMP_RET_ERRNO | 1), SECCOMP_FILTER_FLAG_TSYNC)).toBe(0);
    expect(k.call(other, SYS_getppid)).toBe(-1);
    install(k, other, onGetppid(SECCOMP_RET_ERRNO | 2));
    expect(install(k, t, onGetppid(SECCOMP_RET_ALLOW), SECCOMP_FILTER_FLAG_TSYNC)).toBe(other.tid);
  });

  it('kills a thread alone', () => {
    const { k, t } = started();
    const other = k.task(k.call(t, SYS_clone, 0x100 | 0x200 | 0x400 | 0x800 | 0x10000, DATA_ADDR + 0x8000));
    install(k, other, onGetppid(SECCOMP_RET_KILL_THREAD));
    expect([k.call(other, SYS_getppid), t.isInGuest]).toEqual([TASK_GONE, true]);
  });

  it('leaves read, write, exit and sigreturn in strict mode', () => {
    const { k, t } = started();
    expect(k.call(t, SYS_prctl, PR_SET_SECCOMP, 1)).toBe(0);
    expect(k.call(t, SYS_read, 99, DATA_ADDR, 1)).toBe(-9);
    expect(k.call(t, SYS_getpid)).toBe(TASK_GONE);
    const { k: k2, t: t2 } = started();
    k2.call(t2, SYS_seccomp, 0, 0, 0);
    k2.call(t2, SYS_exit, 5);
    expect(t2.threadGroup.exitStatus).toBe(0x500);
  });

  it('returns the errors of its man page', () => {
    const { k, t } = started(1000);
    expect(install(k, t, onGetppid(0))).toBe(-EACCES);
    k.call(t, SYS_prctl, PR_SET_NO_NEW_PRIVS, 1);
    expect(install(k, t, onGetppid(SECCOMP_RET_ALLOW), 0x100)).toBe(-EINVAL);
    expect(install(k, t, [LOAD_NR])).toBe(-EINVAL);
    expect(k.call(t, SYS_seccomp, 1, 0, BAD_ADDR)).toBe(-EFAULT);
    expect(k.call(t, SYS_seccomp, 9, 0, 0)).toBe(-EINVAL);
    expect(k.call(t, SYS_seccomp, 0, 1, 0)).toBe(-EINVAL);
    t.mm.store32(DATA_ADDR, SECCOMP_RET_TRAP);
    t.mm.store32(DATA_ADDR + 4, SECCOMP_RET_USER_NOTIF);
    expect(k.call(t, SYS_seccomp, 2, 0, DATA_ADDR)).toBe(0);
    expect(k.call(t, SYS_seccomp, 2, 0, DATA_ADDR + 4)).toBe(-EOPNOTSUPP);
    expect(k.call(t, SYS_prctl, PR_SET_SECCOMP, SECCOMP_MODE_FILTER, put(k, t, onGetppid(SECCOMP_RET_ALLOW)))).toBe(0);
    expect(k.call(t, SYS_prctl, PR_SET_SECCOMP, 1)).toBe(-EINVAL);
  });

  it('returns ENOMEM for too many instructions in all', () => {
    const { k, t } = started();
    const long: Instruction[] = [...Array.from({ length: 4095 }, () => LOAD_NR), [RET_K, 0, 0, SECCOMP_RET_ALLOW]];
    for (let i = 0; i < 7; i++) expect(install(k, t, long)).toBe(0);
    expect(install(k, t, long)).toBe(-ENOMEM);
  });
});
