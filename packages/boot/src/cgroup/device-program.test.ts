import { deviceProgram } from './device-program.js';
import { deviceRules, type Resources } from './resource-files.js';

type Rules = NonNullable<Resources['devices']>;

const READ = 2;
const WRITE = 4;
const MKNOD = 1;
const CHAR = 2;
const BLOCK = 1;

/** Runs a program as linux/bpf.h describes its instructions, for those that there are. Returns R0. */
function run(bytes: Uint8Array, context: readonly [accessType: number, major: number, minor: number]): number {
  const view = new DataView(bytes.buffer);
  const registers = new Uint32Array(11);
  for (let at = 0; ; at += 8) {
    const code = view.getUint8(at);
    const dst = view.getUint8(at + 1) & 15;
    const src = view.getUint8(at + 1) >> 4;
    const offset = view.getInt16(at + 2, true);
    const imm = view.getInt32(at + 4, true);
    const value = registers[dst]!;
    if (code === 0x61) registers[dst] = context[offset / 4]!;
    else if (code === 0xbf) registers[dst] = registers[src]!;
    else if (code === 0xb7) registers[dst] = imm;
    else if (code === 0x54) registers[dst] = value & imm;
    else if (code === 0x74) registers[dst] = value >>> imm;
    else if (code === 0x56) at += value === imm ? 0 : offset * 8;
    else if (code === 0x16) at += value === imm ? offset * 8 : 0;
    else if (code === 0x95) return registers[0]!;
    else throw new Error(`No instruction ${code} at ${at}`);
  }
}

function isAllowed(rules: Rules, type: number, device: string, access: number): boolean {
  const [major, minor] = device.split(':').map(Number);
  return run(deviceProgram(deviceRules({ devices: rules })), [(access << 16) | type, major!, minor!]) === 1;
}

const NOTHING = { allow: false, access: 'rwm' };
const LOOP = { allow: true, type: 'c', major: 7, minor: 5, access: 'rw' };

describe('deviceProgram, config-linux.md "Allowed Device list"', () => {
  it.each`
    rules                                                             | type     | device     | access          | isRight
    ${[]}                                                             | ${CHAR}  | ${'7:5'}   | ${READ}         | ${true}
    ${[NOTHING]}                                                      | ${CHAR}  | ${'7:5'}   | ${READ}         | ${false}
    ${[NOTHING]}                                                      | ${BLOCK} | ${'8:0'}   | ${MKNOD}        | ${false}
    ${[NOTHING]}                                                      | ${CHAR}  | ${'1:3'}   | ${READ | WRITE} | ${true}
    ${[NOTHING, LOOP]}                                                | ${CHAR}  | ${'7:5'}   | ${READ}         | ${true}
    ${[NOTHING, LOOP]}                                                | ${CHAR}  | ${'7:5'}   | ${READ | WRITE} | ${true}
    ${[NOTHING, LOOP]}                                                | ${CHAR}  | ${'7:5'}   | ${MKNOD}        | ${false}
    ${[NOTHING, LOOP]}                                                | ${CHAR}  | ${'7:5'}   | ${READ | MKNOD} | ${false}
    ${[NOTHING, LOOP]}                                                | ${CHAR}  | ${'7:6'}   | ${READ}         | ${false}
    ${[NOTHING, LOOP]}                                                | ${CHAR}  | ${'2:5'}   | ${READ}         | ${false}
    ${[NOTHING, LOOP]}                                                | ${BLOCK} | ${'7:5'}   | ${READ}         | ${false}
    ${[LOOP, NOTHING]}                                                | ${CHAR}  | ${'7:5'}   | ${READ}         | ${false}
    ${[NOTHING, { allow: true, type: 'c', major: 137 }]}              | ${CHAR}  | ${'137:7'} | ${READ | MKNOD} | ${true}
    ${[NOTHING, { allow: true, type: 'b', access: 'm' }]}             | ${BLOCK} | ${'9:9'}   | ${MKNOD}        | ${true}
    ${[NOTHING, { allow: true, type: 'b', access: 'm' }]}             | ${BLOCK} | ${'9:9'}   | ${WRITE}        | ${false}
    ${[NOTHING, { allow: true, type: 'a' }]}                          | ${BLOCK} | ${'9:9'}   | ${WRITE}        | ${true}
    ${[{ allow: false, type: 'c', major: 7, minor: 5, access: 'w' }]} | ${CHAR}  | ${'7:5'}   | ${READ}         | ${true}
    ${[{ allow: false, type: 'c', major: 7, minor: 5, access: 'w' }]} | ${CHAR}  | ${'7:5'}   | ${READ | WRITE} | ${false}
    ${[NOTHING, { ...LOOP, access: 'r' }, { ...LOOP, access: 'w' }]}  | ${CHAR}  | ${'7:5'}   | ${READ | WRITE} | ${true}
  `(
    '$rules: $access of $type $device: $isRight',
    ({
      rules,
      type,
      device,
      access,
      isRight,
    }: {
      rules: Rules;
      type: number;
      device: string;
      access: number;
      isRight: boolean;
    }) => {
      expect(isAllowed(rules, type, device, access)).toBe(isRight);
    },
  );
});
