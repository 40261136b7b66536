import type { PlatformOptions, PlatformType } from '@tsv/platform';
import native from '../native/index.js';
import { SystrapPlatform } from './platform.js';

/** The platform `systrap`. */
export const systrapPlatform: PlatformType = {
  name: 'systrap',
  description: 'Traps system calls with seccomp(2) and answers them through shared memory: needs no root and no ptrace',
  unavailableReason(): string | null {
    const error = native.unavailable();
    return error === null ? null : `${error}; it needs Linux 5.9 or newer and a processor with FSGSBASE`;
  },
  create(options: PlatformOptions): SystrapPlatform {
    return new SystrapPlatform(options);
  },
};
