import * as abi from '@tsv/abi';

/** What actions of `linux.seccomp` make a filter return. */
export const ACTIONS: Readonly<Record<string, number>> = {
  SCMP_ACT_KILL: abi.SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: abi.SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: abi.SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: abi.SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: abi.SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: abi.SECCOMP_RET_TRACE,
  SCMP_ACT_LOG: abi.SECCOMP_RET_LOG,
  SCMP_ACT_ALLOW: abi.SECCOMP_RET_ALLOW,
};
/** They change how the host's kernel installs filters; here every thread has them, and nothing speculates. */
export const FLAGS = new Set([
  'SECCOMP_FILTER_FLAG_TSYNC',
  'SECCOMP_FILTER_FLAG_LOG',
  'SECCOMP_FILTER_FLAG_SPEC_ALLOW',
  'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
]);

/** What `linux.seccomp` may use, features-linux.md "Seccomp". */
export const SECCOMP_FEATURES = {
  actions: Object.keys(ACTIONS),
  operators: ['EQ', 'NE', 'LT', 'LE', 'GT', 'GE', 'MASKED_EQ'].map((name) => `SCMP_CMP_${name}`),
  archs: ['SCMP_ARCH_X86_64'],
  knownFlags: [...FLAGS],
  supportedFlags: [...FLAGS],
};
