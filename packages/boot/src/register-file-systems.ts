import type { MountCaller } from './container-mounter.js';
import {
  CgroupFileSystem,
  ProcFileSystem,
  SysFileSystem,
  Task,
  type CgroupNamespace,
  type CpuDescription,
  type Kernel,
  type NsProxy,
} from '@tsv/kernel';
import { PAGE_BYTES } from '@tsv/platform';
import { devtmpfsType, overlayType, tmpfsType, type Caller, type FileSystemType } from '@tsv/vfs';
import { readFileSync } from 'node:fs';

/** Makes the filesystems known that mount(2) and config.json can name. */
export function registerFileSystems(kernel: Kernel): void {
  const { vfs } = kernel;
  const nodev = (name: string, create: FileSystemType['create']): void => {
    vfs.registerType({ name, isNodev: true, create });
  };
  const memoryPageCount = Math.floor(kernel.totalMemoryBytes / PAGE_BYTES);
  vfs.registerType(tmpfsType(vfs, kernel.memoryFile, memoryPageCount));
  vfs.registerType(devtmpfsType(vfs, kernel.memoryFile));
  vfs.registerType(overlayType(vfs));
  const cpu = describeCpu();
  const nsOf = (caller: Caller): NsProxy => (caller as Partial<Task & MountCaller>).ns ?? kernel.ns;
  nodev('proc', ({ caller }) => {
    const pidNs = caller instanceof Task ? caller.pidNs : nsOf(caller).pidForChildren;
    return new ProcFileSystem({ kernel, pidNs, dev: vfs.allocateDev(), cpu });
  });
  nodev('mqueue', ({ caller }) => nsOf(caller).ipc.mqueues(kernel));
  const cgroupFileSystems = new WeakMap<CgroupNamespace, CgroupFileSystem>();
  nodev('cgroup2', ({ caller }) => {
    const { cgroup } = nsOf(caller);
    const fs = cgroupFileSystems.get(cgroup) ?? new CgroupFileSystem(kernel, cgroup.root);
    cgroupFileSystems.set(cgroup, fs);
    return fs;
  });
  nodev('sysfs', ({ caller }) => new SysFileSystem(kernel, nsOf(caller).net, vfs.allocateDev()));
}

/** The host's first CPU, as its kernel describes it: guest code runs on it and may use what it has. */
function describeCpu(): CpuDescription {
  const rows = new Map(
    readFileSync('/proc/cpuinfo', 'latin1')
      .split('\n\n', 1)[0]!
      .split('\n')
      .map((line) => {
        const cut = line.indexOf(':');
        return [line.slice(0, cut).trim(), line.slice(cut + 1).trim()] as const;
      }),
  );
  const number = (name: string): number => Number.parseFloat(rows.get(name) ?? '0') || 0;
  return {
    vendorId: rows.get('vendor_id') ?? 'unknown',
    family: number('cpu family'),
    model: number('model'),
    modelName: rows.get('model name') ?? 'unknown',
    stepping: number('stepping'),
    mhz: number('cpu MHz'),
    cacheKb: number('cache size'),
    flags: (rows.get('flags') ?? '').split(' '),
  };
}
