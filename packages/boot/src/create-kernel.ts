import { errnoText, syscallName } from '@tsv/abi';
import { getrandom, hasInvariantTsc, rdtsc } from '@tsv/host';
import { Kernel, Strace, Timekeeper, createVdso } from '@tsv/kernel';
import type { MemoryFile, Platform } from '@tsv/platform';
import { toByteString } from './byte-string.js';
import type { RuntimeConfig } from './config.js';
import { HostClock } from './host-clock.js';
import type { MachineSize } from './machine-size.js';
import { lineWriter } from './quiet-log.js';
import { registerFileSystems } from './register-file-systems.js';
import { SandboxError } from './sandbox-error.js';
import type { SandboxLog } from './sandbox-log.js';
import type { UserLog } from './user-log.js';

/** What a sandbox's kernel is made with. */
export interface KernelParts {
  readonly platform: Platform;
  readonly memoryFile: MemoryFile;
  readonly config: RuntimeConfig;
  readonly log: SandboxLog;
  readonly userLog: UserLog | null;
  readonly hostname: string;
  readonly size: MachineSize;
  readonly domainname: string | undefined;
}

/** A kernel with clocks, vDSO, filesystems and the logs that the configuration asks for. */
export function createKernel(parts: KernelParts): Kernel {
  const { platform, memoryFile, config, log } = parts;
  const clock = new HostClock();
  const vdso = createVdso(memoryFile, platform.cpuAnswer);
  if (typeof vdso === 'number') throw new SandboxError(`Cannot place the vDSO in memory: ${errnoText(-vdso)}`);
  const kernel = new Kernel({
    platform,
    memoryFile,
    clock,
    random: (dst) => {
      const n = getrandom(dst, 0);
      if (n !== dst.length) throw new Error(`getrandom gave ${n} of ${dst.length} bytes`);
    },
    vdso,
    cpuCount: parts.size.cpuCount,
    totalMemoryBytes: parts.size.totalMemoryBytes,
    hostname: toByteString(parts.hostname),
    ...(config.dentryCountMax !== null && { unusedDentriesMax: config.dentryCountMax }),
    log: (level, message) => {
      log[level](message);
    },
  });
  if (parts.domainname !== undefined) kernel.ns.uts.domainname = toByteString(parts.domainname);
  // The vDSO tells the time by the counter where it runs evenly on all CPUs, and by a system call elsewhere.
  if (hasInvariantTsc()) kernel.timekeeper = new Timekeeper(memoryFile, vdso, clock, { readTsc: rdtsc });
  setStrace(kernel, config, log, config.straceNames);
  kernel.unimplemented.onFirst = (nr, comm) => {
    log.debug(`${comm} called ${syscallName(nr)}, which is not implemented`);
    parts.userLog?.unimplemented(nr, comm);
  };
  registerFileSystems(kernel);
  return kernel;
}

/** Logs the system calls of these names from now on: all for an empty list, none for null. */
export function setStrace(
  kernel: Kernel,
  config: RuntimeConfig,
  log: SandboxLog,
  names: readonly string[] | null,
): void {
  if (names === null) {
    kernel.strace = null;
    return;
  }
  kernel.strace = new Strace({
    names,
    dataBytesMax: config.straceDataBytesMax,
    write: lineWriter(config, log),
  });
}
