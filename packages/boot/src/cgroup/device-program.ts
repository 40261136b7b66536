import type { DeviceRule } from './resource-files.js';

/** `struct bpf_cgroup_dev_ctx`, linux/bpf.h: what was asked for (the device's type below, the access above), and of which. */
const CTX_ACCESS_TYPE = 0;
const CTX_MAJOR = 4;
const CTX_MINOR = 8;
/** BPF_DEVCG_DEV_*. */
const DEVICE_TYPES = { b: 1, c: 2 } as const;
const TYPE_MASK = 0xffff;
const ACCESS_SHIFT = 16;
/** BPF_DEVCG_ACC_*. */
const ACCESS_BITS = { m: 1, r: 2, w: 4 } as const;

/** Instruction codes, linux/bpf.h: a class, what it does, and whether the operand is in the instruction. */
const LDX_MEM_W = 0x61;
const MOV64_REG = 0xbf;
const MOV64_IMM = 0xb7;
const AND32_IMM = 0x54;
const RSH32_IMM = 0x74;
const JNE32_IMM = 0x56;
const JEQ32_IMM = 0x16;
const EXIT = 0x95;

const R0 = 0;
const CTX = 1;
const TYPE = 2;
/** Bits of the access that no rule has decided about yet. */
const LEFT = 3;
const MAJOR = 4;
const MINOR = 5;
const SCRATCH = 6;

const INSTRUCTION_BYTES = 8;
const DENY = 0;
const ALLOW = 1;

interface Instruction {
  readonly code: number;
  readonly dst: number;
  readonly src: number;
  readonly offset: number;
  readonly imm: number;
}

/**
 * An eBPF program of type BPF_PROG_TYPE_CGROUP_DEVICE, config-linux.md "Allowed Device list": the rules apply in the listed
 * order, so that of several for one kind of access to a device the last counts. What no rule is about is allowed, as in a
 * cgroup of version 1.
 */
export function deviceProgram(rules: readonly DeviceRule[]): Uint8Array {
  const program: Instruction[] = [
    instruction(LDX_MEM_W, TYPE, 0, CTX_ACCESS_TYPE, CTX),
    instruction(MOV64_REG, LEFT, 0, 0, TYPE),
    instruction(RSH32_IMM, LEFT, ACCESS_SHIFT),
    instruction(AND32_IMM, TYPE, TYPE_MASK),
    instruction(LDX_MEM_W, MAJOR, 0, CTX_MAJOR, CTX),
    instruction(LDX_MEM_W, MINOR, 0, CTX_MINOR, CTX),
  ];
  for (const rule of [...rules].reverse()) program.push(...ruleInstructions(rule));
  program.push(...verdict(ALLOW));
  return encode(program);
}

/** Decides, or goes on behind its last instruction. */
function ruleInstructions({ isAllowed, type, major, minor, access }: DeviceRule): Instruction[] {
  const mask = Object.entries(ACCESS_BITS).reduce(
    (sum, [letter, bit]) => (access.includes(letter) ? sum | bit : sum),
    0,
  );
  const conditions: [register: number, value: number][] = [];
  if (type !== 'a') conditions.push([TYPE, DEVICE_TYPES[type]]);
  if (major >= 0) conditions.push([MAJOR, major]);
  if (minor >= 0) conditions.push([MINOR, minor]);
  const decision = isAllowed
    ? [instruction(AND32_IMM, LEFT, ~mask), instruction(JNE32_IMM, LEFT, 0, 2), ...verdict(ALLOW)]
    : [
        instruction(MOV64_REG, SCRATCH, 0, 0, LEFT),
        instruction(AND32_IMM, SCRATCH, mask),
        instruction(JEQ32_IMM, SCRATCH, 0, 2),
        ...verdict(DENY),
      ];
  const tests = conditions.map(([register, value], index) => {
    const skipped = conditions.length - 1 - index + decision.length;
    return instruction(JNE32_IMM, register, value, skipped);
  });
  return [...tests, ...decision];
}

function verdict(value: number): Instruction[] {
  return [instruction(MOV64_IMM, R0, value), instruction(EXIT, 0, 0)];
}

function instruction(code: number, dst: number, imm: number, offset = 0, src = 0): Instruction {
  return { code, dst, src, offset, imm };
}

/** `struct bpf_insn`, one after the other. */
function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * INSTRUCTION_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, dst, src, offset, imm }] of program.entries()) {
    const at = index * INSTRUCTION_BYTES;
    view.setUint8(at, code);
    view.setUint8(at + 1, (src << 4) | dst);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, imm, true);
  }
  return bytes;
}
