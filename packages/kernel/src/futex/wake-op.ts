import {
  FUTEX_OP_ADD,
  FUTEX_OP_ANDN,
  FUTEX_OP_CMP_EQ,
  FUTEX_OP_CMP_GE,
  FUTEX_OP_CMP_GT,
  FUTEX_OP_CMP_LE,
  FUTEX_OP_CMP_LT,
  FUTEX_OP_CMP_NE,
  FUTEX_OP_OPARG_SHIFT,
  FUTEX_OP_OR,
  FUTEX_OP_SET,
  FUTEX_OP_XOR,
} from '@tsv/abi';
import type { Mm } from '../mm/mm.js';

/** The parts of FUTEX_WAKE_OP's encoded argument, futex(2): 4 bits op, 4 bits cmp, 12 bits oparg, 12 bits cmparg. */
const opOf = (encoded: number): number => (encoded >>> 28) & 7;
const isShifted = (encoded: number): boolean => ((encoded >>> 28) & FUTEX_OP_OPARG_SHIFT) !== 0;
const cmpOf = (encoded: number): number => (encoded >>> 24) & 15;
const opArgOf = (encoded: number): number => (encoded << 8) >> 20;
const cmpArgOf = (encoded: number): number => (encoded << 20) >> 20;

/** Whether Linux knows the operation and the comparison. */
export function isWakeOpKnown(encoded: number): boolean {
  return opOf(encoded) <= FUTEX_OP_XOR && cmpOf(encoded) <= FUTEX_OP_CMP_GE;
}

/** Carries the operation out on the word at `addr`. Returns what it held before, NaN on a fault. */
export function applyWakeOp(mm: Mm, addr: number, encoded: number): number {
  let arg = opArgOf(encoded);
  if (isShifted(encoded)) arg = 1 << (arg & 31);
  for (;;) {
    const before = mm.load32(addr);
    if (Number.isNaN(before)) return NaN;
    const seen = mm.cas32(addr, before >>> 0, operate(opOf(encoded), before, arg) >>> 0);
    if (Number.isNaN(seen)) return NaN;
    if (seen >>> 0 === before >>> 0) return before | 0;
  }
}

/** Whether the word's former value (signed) meets the comparison. */
export function wakeOpHolds(before: number, encoded: number): boolean {
  const arg = cmpArgOf(encoded);
  switch (cmpOf(encoded)) {
    case FUTEX_OP_CMP_EQ:
      return before === arg;
    case FUTEX_OP_CMP_NE:
      return before !== arg;
    case FUTEX_OP_CMP_LT:
      return before < arg;
    case FUTEX_OP_CMP_LE:
      return before <= arg;
    case FUTEX_OP_CMP_GT:
      return before > arg;
    default:
      return before >= arg;
  }
}

function operate(op: number, value: number, arg: number): number {
  switch (op) {
    case FUTEX_OP_SET:
      return arg;
    case FUTEX_OP_ADD:
      return value + arg;
    case FUTEX_OP_OR:
      return value | arg;
    case FUTEX_OP_ANDN:
      return value & ~arg;
    default:
      return value ^ arg;
  }
}
