import * as abi from '@tsv/abi';
import { BpfProgram } from '@tsv/kernel';
import type { Linux } from '@tsv/oci';
import { SandboxError } from '../../sandbox-error.js';
import { BpfAssembler, type Label } from './bpf-assembler.js';
import { disassemble } from './disassemble.js';
import { ACTIONS, FLAGS } from './seccomp-words.js';

/** `linux.seccomp`, config-linux.md "Seccomp". */
export type SeccompConfig = NonNullable<Linux['seccomp']>;
type Rule = NonNullable<SeccompConfig['syscalls']>[number];
type Argument = NonNullable<Rule['args']>[number];

/** The filter of a configuration. */
export interface CompiledSeccomp {
  readonly program: BpfProgram;
  /** Its instructions as text, for the debug log. */
  readonly lines: readonly string[];
}

/** What a rule says of one system call. */
interface Decision {
  /** SECCOMP_RET_* with its data. */
  readonly action: number;
  /** All of them must hold; none for a rule that always applies. */
  readonly args: readonly Argument[];
}

/** System calls from `from` on, up to the next range, are decided alike. */
interface Range {
  readonly from: number;
  readonly decisions: readonly Decision[];
}

const ARGUMENT_COUNT = 6;
const UPPER_HALF = 0x1_0000_0000;

/**
 * Compiles `linux.seccomp` to a program that decides by binary search for the number of the system call; of several rules
 * for one, the first that applies counts. Names of system calls that x86-64 does not have are passed over, as the
 * specification allows. Throws {@link SandboxError} with the path of a field that cannot be honoured.
 */
export function compileSeccomp(config: SeccompConfig): CompiledSeccomp {
  checkOptions(config);
  const where = 'linux.seccomp';
  const fallback = actionOf(config.defaultAction, config.defaultErrnoRet, `${where}.defaultAction`);
  const asm = new BpfAssembler();
  const isNative = asm.label();
  asm.load(abi.SECCOMP_DATA_ARCH);
  asm.jumpEqual(abi.AUDIT_ARCH_X86_64, isNative, null);
  asm.ret(abi.SECCOMP_RET_KILL_PROCESS);
  asm.place(isNative);
  asm.load(abi.SECCOMP_DATA_NR);
  emitRanges(asm, rangesOf(config, fallback), fallback);
  const bytes = asm.bytes();
  const program = BpfProgram.parse(bytes, asm.count);
  if (typeof program === 'number') {
    throw new SandboxError(`Cannot use ${where}: it takes ${asm.count} instructions, more than a filter may have`);
  }
  return { program, lines: disassemble(bytes) };
}

function checkOptions(config: SeccompConfig): void {
  for (const [index, flag] of (config.flags ?? []).entries()) {
    if (!FLAGS.has(flag)) throw new SandboxError(`Cannot use linux.seccomp.flags.${index}: "${flag}" is not known`);
  }
  for (const [index, name] of (config.architectures ?? []).entries()) {
    if (!/^SCMP_ARCH_[A-Z0-9]+$/.test(name)) {
      throw new SandboxError(`Cannot use linux.seccomp.architectures.${index}: "${name}" is not known`);
    }
  }
  if (config.listenerPath !== undefined && config.listenerPath !== '') {
    throw new SandboxError('Cannot use linux.seccomp.listenerPath: notifications are not supported');
  }
}

function actionOf(name: string, errnoRet: number | undefined, where: string): number {
  const action = ACTIONS[name];
  if (action === undefined) throw new SandboxError(`Cannot use ${where}: "${name}" is not supported`);
  const hasData = action === abi.SECCOMP_RET_ERRNO || action === abi.SECCOMP_RET_TRACE;
  if (!hasData) {
    if (errnoRet === undefined) return action;
    throw new SandboxError(`Cannot use ${where}: an errno goes with SCMP_ACT_ERRNO and SCMP_ACT_TRACE only`);
  }
  const data = errnoRet ?? abi.EPERM;
  if (data < 0 || data > abi.SECCOMP_RET_DATA)
    throw new SandboxError(`Cannot use ${where}: errno ${data} is too large`);
  return action | data;
}

/** Sorted; the first begins at 0. */
function rangesOf(config: SeccompConfig, fallback: number): Range[] {
  const decisions = new Map<number, Decision[]>();
  for (const [index, rule] of (config.syscalls ?? []).entries()) {
    const where = `linux.seccomp.syscalls.${index}`;
    const action = actionOf(rule.action, rule.errnoRet, `${where}.action`);
    const args = rule.args ?? [];
    for (const [position, argument] of args.entries()) checkArgument(argument, `${where}.args.${position}`);
    for (const name of rule.names) {
      const nr = abi.syscallNumber(name);
      if (nr === undefined) continue;
      const list = decisions.get(nr) ?? [];
      list.push({ action, args });
      decisions.set(nr, list);
    }
  }
  const ranges: Range[] = [{ from: 0, decisions: [] }];
  const add = (from: number, list: readonly Decision[]): void => {
    const last = ranges.at(-1)!;
    if (last.from === from) ranges.pop();
    const previous = ranges.at(-1);
    if (previous === undefined || !isAlike(previous.decisions, list, fallback)) ranges.push({ from, decisions: list });
  };
  for (const nr of [...decisions.keys()].sort((a, b) => a - b)) {
    add(nr, decisions.get(nr)!);
    add(nr + 1, []);
  }
  return ranges;
}

/** Whether both decide without looking at arguments, and the same. */
function isAlike(left: readonly Decision[], right: readonly Decision[], fallback: number): boolean {
  const [a, b] = [left, right].map((list) => {
    const first = list[0];
    if (first === undefined) return fallback;
    return first.args.length === 0 ? first.action : null;
  });
  return a !== null && a === b;
}

function checkArgument({ index, op, value, valueTwo }: Argument, where: string): void {
  if (index < 0 || index >= ARGUMENT_COUNT) throw new SandboxError(`Cannot use ${where}.index: there is no ${index}`);
  if (!(op in COMPARISONS)) throw new SandboxError(`Cannot use ${where}.op: "${op}" is not known`);
  for (const number of [value, valueTwo ?? 0]) {
    if (number < 0 || number >= 2 ** 64) throw new SandboxError(`Cannot use ${where}: ${number} is not of 64 bits`);
  }
}

/** A holds the number. */
function emitRanges(asm: BpfAssembler, ranges: readonly Range[], fallback: number): void {
  if (ranges.length === 1) {
    emitDecisions(asm, ranges[0]!.decisions, fallback);
    return;
  }
  const middle = ranges.length >> 1;
  const [below, above] = [asm.label(), asm.label()];
  asm.jumpGreaterOrEqual(ranges[middle]!.from, null, below);
  asm.jump(above);
  asm.place(below);
  emitRanges(asm, ranges.slice(0, middle), fallback);
  asm.place(above);
  emitRanges(asm, ranges.slice(middle), fallback);
}

function emitDecisions(asm: BpfAssembler, decisions: readonly Decision[], fallback: number): void {
  for (const { action, args } of decisions) {
    const fails = asm.label();
    for (const argument of args) {
      const holds = asm.label();
      COMPARISONS[argument.op]!(asm, argument, holds, fails);
      asm.place(holds);
    }
    asm.ret(action);
    asm.place(fails);
    if (args.length === 0) return;
  }
  asm.ret(fallback);
}

type Compare = (asm: BpfAssembler, argument: Argument, holds: Label, fails: Label) => void;

/** An argument is 64 bits, a register of BPF 32: the upper halves are compared first. */
const COMPARISONS: Readonly<Record<string, Compare>> = {
  SCMP_CMP_EQ: (asm, { index, value }, holds, fails) => {
    loadUpper(asm, index);
    asm.jumpEqual(upper(value), null, fails);
    loadLower(asm, index);
    asm.jumpEqual(lower(value), holds, fails);
  },
  SCMP_CMP_NE: (asm, { index, value }, holds, fails) => {
    loadUpper(asm, index);
    asm.jumpEqual(upper(value), null, holds);
    loadLower(asm, index);
    asm.jumpEqual(lower(value), fails, holds);
  },
  SCMP_CMP_GT: (asm, { index, value }, holds, fails) => {
    loadUpper(asm, index);
    asm.jumpGreater(upper(value), holds, null);
    asm.jumpEqual(upper(value), null, fails);
    loadLower(asm, index);
    asm.jumpGreater(lower(value), holds, fails);
  },
  SCMP_CMP_GE: (asm, { index, value }, holds, fails) => {
    loadUpper(asm, index);
    asm.jumpGreater(upper(value), holds, null);
    asm.jumpEqual(upper(value), null, fails);
    loadLower(asm, index);
    asm.jumpGreaterOrEqual(lower(value), holds, fails);
  },
  SCMP_CMP_LT: (asm, argument, holds, fails) => {
    COMPARISONS['SCMP_CMP_GE']!(asm, argument, fails, holds);
  },
  SCMP_CMP_LE: (asm, argument, holds, fails) => {
    COMPARISONS['SCMP_CMP_GT']!(asm, argument, fails, holds);
  },
  SCMP_CMP_MASKED_EQ: (asm, { index, value, valueTwo = 0 }, holds, fails) => {
    loadUpper(asm, index);
    asm.and(upper(value));
    asm.jumpEqual(upper(valueTwo), null, fails);
    loadLower(asm, index);
    asm.and(lower(value));
    asm.jumpEqual(lower(valueTwo), holds, fails);
  },
};

const ARGUMENT_BYTES = 8;

function loadLower(asm: BpfAssembler, index: number): void {
  asm.load(abi.SECCOMP_DATA_ARGS + index * ARGUMENT_BYTES);
}

function loadUpper(asm: BpfAssembler, index: number): void {
  asm.load(abi.SECCOMP_DATA_ARGS + index * ARGUMENT_BYTES + 4);
}

function lower(value: number): number {
  return value % UPPER_HALF;
}

function upper(value: number): number {
  return Math.floor(value / UPPER_HALF);
}
