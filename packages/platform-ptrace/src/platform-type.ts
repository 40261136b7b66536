import { readFileSync } from 'node:fs';
import type { PlatformOptions, PlatformType } from '@tsv/platform';
import native from '../native/index.js';
import { PtracePlatform } from './platform.js';

/** The platform `ptrace`. */
export const ptracePlatform: PlatformType = {
  name: 'ptrace',
  description: 'Traces guest threads with ptrace(2): works on any Linux, each system call costs two context switches',
  unavailableReason(): string | null {
    const error = native.unavailable();
    return error === null ? null : `${error}; ${advice()}`;
  },
  create(options: PlatformOptions): PtracePlatform {
    return new PtracePlatform(options);
  },
};

/** `ptrace_scope` from which no process may trace another, Linux's Documentation/admin-guide/LSM/Yama.rst. */
const SCOPE_NO_ATTACH = 3;
/** `ptrace_scope` from which only an administrator may. */
const SCOPE_ADMIN_ONLY = 2;

function advice(): string {
  const scope = yamaScope();
  if (scope >= SCOPE_NO_ATTACH) return 'kernel.yama.ptrace_scope is 3, which only a reboot can change';
  if (scope >= SCOPE_ADMIN_ONLY) return 'run "sysctl kernel.yama.ptrace_scope=1", or give CAP_SYS_PTRACE';
  return 'in a container allow it ptrace(2), for example with "--cap-add SYS_PTRACE"';
}

function yamaScope(): number {
  try {
    return Number(readFileSync('/proc/sys/kernel/yama/ptrace_scope', 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
