import {
  AUDIT_ARCH_X86_64,
  ENOMEM,
  ENOSYS,
  SECCOMP_DATA_ARCH,
  SECCOMP_DATA_ARGS,
  SECCOMP_DATA_INSTRUCTION_POINTER,
  SECCOMP_DATA_NR,
  SECCOMP_RET_ACTION_FULL,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_DATA,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_USER_NOTIF,
  SIGSYS,
  SIZEOF_SECCOMP_DATA,
  SYS_SECCOMP,
} from '@tsv/abi';
import {
  REG_ORIG_RAX,
  REG_R10,
  REG_R8,
  REG_R9,
  REG_RAX,
  REG_RDI,
  REG_RDX,
  REG_RIP,
  REG_RSI,
  type ContextPage,
} from '@tsv/platform';
import { forceSignal } from '../signal/force-signal.js';
import { SigInfo } from '../signal/sig-info.js';
import { REGISTERS_SET, TASK_GONE } from '../syscalls/syscall.js';
import { exitGroup, exitTask } from '../task/exit.js';
import type { Task } from '../task/task.js';
import type { BpfProgram } from './bpf-program.js';

/** Instructions that all filters of a task may have together, with 4 more counted for each filter, seccomp(2). */
const INSTRUCTIONS_MAX = 32768;
const FILTER_PENALTY = 4;
const MAX_ERRNO = 4095;
const ARGUMENTS = [REG_RDI, REG_RSI, REG_RDX, REG_R10, REG_R8, REG_R9] as const;

const data = new Uint32Array(SIZEOF_SECCOMP_DATA / 4);

/** A filter of system calls and those that were installed before it. Tasks share what their parents installed. */
export class SeccompFilter {
  readonly program: BpfProgram;
  readonly previous: SeccompFilter | null;
  readonly #instructionCount: number;

  private constructor(program: BpfProgram, previous: SeccompFilter | null, instructionCount: number) {
    this.program = program;
    this.previous = previous;
    this.#instructionCount = instructionCount;
  }

  /** `program` on top of `previous`. Errors: ENOMEM when there are too many instructions. */
  static install(program: BpfProgram, previous: SeccompFilter | null): SeccompFilter | number {
    const count = program.count + FILTER_PENALTY + (previous === null ? 0 : previous.#instructionCount);
    return count > INSTRUCTIONS_MAX ? -ENOMEM : new SeccompFilter(program, previous, count);
  }

  /** Whether `other` is this filter or lies under it. */
  hasBelow(other: SeccompFilter | null): boolean {
    return other === null || other === this || (this.previous?.hasBelow(other) ?? false);
  }
}

/**
 * Asks the filters of `task` about the system call that it is making. Returns null when it may go on, or what the
 * handler's place returns instead. The handler gets the number and the arguments that the filters saw.
 */
export function filterSyscall(task: Task, filter: SeccompFilter): number | null {
  fillData(task.syscallNr, task.args.hold(task.page));
  let verdict = filter.program.run(data);
  for (let f = filter.previous; f !== null; f = f.previous) {
    const other = f.program.run(data);
    if (((other & SECCOMP_RET_ACTION_FULL) | 0) < ((verdict & SECCOMP_RET_ACTION_FULL) | 0)) verdict = other;
  }
  const value = verdict & SECCOMP_RET_DATA;
  switch ((verdict & SECCOMP_RET_ACTION_FULL) >>> 0) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
      return null;
    case SECCOMP_RET_ERRNO:
      return -Math.min(value, MAX_ERRNO);
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_USER_NOTIF:
      return -ENOSYS;
    case SECCOMP_RET_TRAP:
      return trap(task, value);
    case SECCOMP_RET_KILL_THREAD:
      exitTask(task, SIGSYS);
      return TASK_GONE;
    default:
      exitGroup(task, SIGSYS);
      return TASK_GONE;
  }
}

/** Actions that a filter can return here, SECCOMP_GET_ACTION_AVAIL. */
export function isActionAvailable(action: number): boolean {
  return AVAILABLE.includes(action);
}

const AVAILABLE: readonly number[] = [
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_TRAP,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_LOG,
  SECCOMP_RET_ALLOW,
];

/** SIGSYS in place of the call: registers are as they were before it, but for rip. */
function trap(task: Task, value: number): number {
  const { page } = task;
  const info = new SigInfo(SIGSYS, SYS_SECCOMP);
  info.errno = value;
  info.addr = page.get(REG_RIP);
  info.syscall = page.low(REG_ORIG_RAX) | 0;
  info.arch = AUDIT_ARCH_X86_64;
  page.setHalves(REG_RAX, page.low(REG_ORIG_RAX), page.high(REG_ORIG_RAX));
  forceSignal(task, info);
  return REGISTERS_SET;
}

function fillData(nr: number, page: ContextPage): void {
  data[SECCOMP_DATA_NR >>> 2] = nr;
  data[SECCOMP_DATA_ARCH >>> 2] = AUDIT_ARCH_X86_64;
  data[SECCOMP_DATA_INSTRUCTION_POINTER >>> 2] = page.low(REG_RIP);
  data[(SECCOMP_DATA_INSTRUCTION_POINTER >>> 2) + 1] = page.high(REG_RIP);
  for (let i = 0; i < ARGUMENTS.length; i++) {
    data[(SECCOMP_DATA_ARGS >>> 2) + 2 * i] = page.low(ARGUMENTS[i]!);
    data[(SECCOMP_DATA_ARGS >>> 2) + 2 * i + 1] = page.high(ARGUMENTS[i]!);
  }
}
