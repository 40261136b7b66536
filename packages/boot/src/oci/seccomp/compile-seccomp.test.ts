import * as abi from '@tsv/abi';
import { compileSeccomp, type SeccompConfig } from './compile-seccomp.js';

const UPPER_HALF = 2 ** 32;

/** What the program says of a system call. */
function verdict(
  config: SeccompConfig,
  nr: number,
  args: readonly number[] = [],
  arch = abi.AUDIT_ARCH_X86_64,
): number {
  const data = new Uint32Array(abi.SIZEOF_SECCOMP_DATA / 4);
  data[0] = nr;
  data[1] = arch;
  for (const [index, value] of args.entries()) {
    data[4 + index * 2] = value % UPPER_HALF;
    data[5 + index * 2] = Math.floor(value / UPPER_HALF);
  }
  return compileSeccomp(config).program.run(data);
}

const ALLOW = abi.SECCOMP_RET_ALLOW;
const DENY = abi.SECCOMP_RET_ERRNO | abi.EPERM;

function onlyIf(op: string, value: number, valueTwo?: number): SeccompConfig {
  const argument = { index: 1, op, value, ...(valueTwo !== undefined && { valueTwo }) };
  return {
    defaultAction: 'SCMP_ACT_ERRNO',
    syscalls: [{ names: ['ioctl'], action: 'SCMP_ACT_ALLOW', args: [argument] }],
  };
}

describe('compileSeccomp, config-linux.md "Seccomp"', () => {
  it.each`
    op                      | value          | valueTwo     | argument       | holds
    ${'SCMP_CMP_EQ'}        | ${7}           | ${undefined} | ${7}           | ${true}
    ${'SCMP_CMP_EQ'}        | ${7}           | ${undefined} | ${2 ** 32 + 7} | ${false}
    ${'SCMP_CMP_EQ'}        | ${2 ** 40 + 1} | ${undefined} | ${2 ** 40 + 1} | ${true}
    ${'SCMP_CMP_NE'}        | ${7}           | ${undefined} | ${7}           | ${false}
    ${'SCMP_CMP_NE'}        | ${7}           | ${undefined} | ${2 ** 32 + 7} | ${true}
    ${'SCMP_CMP_GT'}        | ${7}           | ${undefined} | ${7}           | ${false}
    ${'SCMP_CMP_GT'}        | ${7}           | ${undefined} | ${8}           | ${true}
    ${'SCMP_CMP_GT'}        | ${7}           | ${undefined} | ${2 ** 32}     | ${true}
    ${'SCMP_CMP_GT'}        | ${2 ** 33}     | ${undefined} | ${2 ** 32 + 9} | ${false}
    ${'SCMP_CMP_GE'}        | ${7}           | ${undefined} | ${7}           | ${true}
    ${'SCMP_CMP_GE'}        | ${7}           | ${undefined} | ${6}           | ${false}
    ${'SCMP_CMP_LT'}        | ${7}           | ${undefined} | ${7}           | ${false}
    ${'SCMP_CMP_LT'}        | ${7}           | ${undefined} | ${6}           | ${true}
    ${'SCMP_CMP_LT'}        | ${7}           | ${undefined} | ${2 ** 32}     | ${false}
    ${'SCMP_CMP_LE'}        | ${7}           | ${undefined} | ${7}           | ${true}
    ${'SCMP_CMP_LE'}        | ${7}           | ${undefined} | ${8}           | ${false}
    ${'SCMP_CMP_MASKED_EQ'} | ${0xff00}      | ${0x1200}    | ${0x12ab}      | ${true}
    ${'SCMP_CMP_MASKED_EQ'} | ${0xff00}      | ${0x1200}    | ${0x13ab}      | ${false}
    ${'SCMP_CMP_MASKED_EQ'} | ${2 ** 35}     | ${0}         | ${2 ** 35}     | ${false}
  `('$op $value $valueTwo of $argument: $holds', ({ op, value, valueTwo, argument, holds }: Comparison) => {
    expect(verdict(onlyIf(op, value, valueTwo), abi.SYS_ioctl, [0, argument])).toBe(holds ? ALLOW : DENY);
  });

  it.each`
    action                     | errnoRet     | value
    ${'SCMP_ACT_KILL'}         | ${undefined} | ${abi.SECCOMP_RET_KILL_THREAD}
    ${'SCMP_ACT_KILL_THREAD'}  | ${undefined} | ${abi.SECCOMP_RET_KILL_THREAD}
    ${'SCMP_ACT_KILL_PROCESS'} | ${undefined} | ${abi.SECCOMP_RET_KILL_PROCESS}
    ${'SCMP_ACT_TRAP'}         | ${undefined} | ${abi.SECCOMP_RET_TRAP}
    ${'SCMP_ACT_ERRNO'}        | ${undefined} | ${abi.SECCOMP_RET_ERRNO | abi.EPERM}
    ${'SCMP_ACT_ERRNO'}        | ${38}        | ${abi.SECCOMP_RET_ERRNO | 38}
    ${'SCMP_ACT_TRACE'}        | ${5}         | ${abi.SECCOMP_RET_TRACE | 5}
    ${'SCMP_ACT_LOG'}          | ${undefined} | ${abi.SECCOMP_RET_LOG}
    ${'SCMP_ACT_ALLOW'}        | ${undefined} | ${abi.SECCOMP_RET_ALLOW}
  `('$action $errnoRet', ({ action, errnoRet, value }: { action: string; errnoRet?: number; value: number }) => {
    const config: SeccompConfig = {
      defaultAction: 'SCMP_ACT_LOG',
      syscalls: [{ names: ['read'], action, ...(errnoRet !== undefined && { errnoRet }) }],
    };
    expect(verdict(config, abi.SYS_read) >>> 0).toBe(value >>> 0);
    expect(verdict(config, abi.SYS_write)).toBe(abi.SECCOMP_RET_LOG);
  });

  it('decides every system call as its rule says', () => {
    const names = ['read', 'write', 'close', 'mmap', 'getpid', 'exit_group', 'openat', 'clone3', 'no_such_call'];
    const config: SeccompConfig = {
      defaultAction: 'SCMP_ACT_ERRNO',
      syscalls: [{ names: names as [string], action: 'SCMP_ACT_ALLOW' }],
    };
    const numbers = new Set(names.map((name) => (abi as unknown as Record<string, number>)[`SYS_${name}`]));
    for (let nr = 0; nr < 600; nr++) expect([nr, verdict(config, nr)]).toEqual([nr, numbers.has(nr) ? ALLOW : DENY]);
  });

  it('of several rules for a call the first that applies counts', () => {
    const config: SeccompConfig = {
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [
        { names: ['personality'], action: 'SCMP_ACT_ALLOW', args: [{ index: 0, op: 'SCMP_CMP_EQ', value: 8 }] },
        { names: ['personality'], action: 'SCMP_ACT_ERRNO', errnoRet: 22 },
      ],
    };
    expect(verdict(config, abi.SYS_personality, [8])).toBe(ALLOW);
    expect(verdict(config, abi.SYS_personality, [9])).toBe(abi.SECCOMP_RET_ERRNO | 22);
  });

  it('kills a call of another architecture', () => {
    const AUDIT_ARCH_I386 = 0x40000003;
    expect(verdict({ defaultAction: 'SCMP_ACT_ALLOW' }, 0, [], AUDIT_ARCH_I386)).toBe(abi.SECCOMP_RET_KILL_PROCESS);
  });

  it('tells its instructions for the log', () => {
    const { lines } = compileSeccomp({ defaultAction: 'SCMP_ACT_ALLOW' });
    expect(lines).toEqual([
      '0: ld [4]',
      '1: jeq #3221225534, 3, 2',
      '2: ret #0x80000000',
      '3: ld [0]',
      '4: ret #0x7fff0000',
    ]);
  });

  it.each`
    config                                                                                | field
    ${{ defaultAction: 'SCMP_ACT_NOTIFY' }}                                               | ${'linux.seccomp.defaultAction'}
    ${{ defaultAction: 'SCMP_ACT_ALLOW', defaultErrnoRet: 1 }}                            | ${'linux.seccomp.defaultAction'}
    ${{ defaultAction: 'SCMP_ACT_ALLOW', flags: ['X'] }}                                  | ${'linux.seccomp.flags.0'}
    ${{ defaultAction: 'SCMP_ACT_ALLOW', architectures: ['ARM'] }}                        | ${'linux.seccomp.architectures.0'}
    ${{ defaultAction: 'SCMP_ACT_ALLOW', listenerPath: '/s' }}                            | ${'linux.seccomp.listenerPath'}
    ${{ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ names: ['read'], action: 'NO' }] }} | ${'linux.seccomp.syscalls.0.action'}
    ${onlyIf('SCMP_CMP_XX', 1)}                                                           | ${'linux.seccomp.syscalls.0.args.0.op'}
    ${onlyIf('SCMP_CMP_EQ', -1)}                                                          | ${'linux.seccomp.syscalls.0.args.0'}
  `('refuses $field', ({ config, field }: { config: SeccompConfig; field: string }) => {
    expect(() => compileSeccomp(config)).toThrow(`Cannot use ${field}`);
  });
});

interface Comparison {
  op: string;
  value: number;
  valueTwo?: number;
  argument: number;
  holds: boolean;
}
