import { Kernel, createVdso } from '@tsv/kernel';
import type { MemoryFile, Platform } from '@tsv/platform';
import { HostClock } from '../host-clock.js';
import { registerFileSystems } from '../register-file-systems.js';

/** A kernel that runs nothing: only its files and figures are looked at. */
export function createIdleKernel(memoryFile: MemoryFile): Kernel {
  const vdso = createVdso(memoryFile);
  if (typeof vdso === 'number') throw new Error('There is no room for the vDSO');
  const kernel = new Kernel({
    platform: {} as Platform,
    memoryFile,
    clock: new HostClock(),
    random: (dst) => dst.fill(1),
    vdso,
    cpuCount: 1,
    totalMemoryBytes: 1 << 30,
    hostname: 'test',
    log: () => undefined,
  });
  registerFileSystems(kernel);
  return kernel;
}
