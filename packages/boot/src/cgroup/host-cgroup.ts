import { closeSync, constants, existsSync, mkdirSync, openSync } from 'node:fs';
import { readFileSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { attachDeviceFilter } from '@tsv/host';
import { errnoText } from '@tsv/abi';
import type { Spec } from '@tsv/oci';
import { isInUserNamespace } from '../in-user-namespace.js';
import type { RuntimeConfig } from '../config.js';
import { SandboxError } from '../sandbox-error.js';
import { findCgroupHierarchies, type CgroupHierarchies } from './cgroup-hierarchies.js';
import { statisticsV1, statisticsV2, type CgroupStatistics } from './cgroup-statistics.js';
import { deviceProgram } from './device-program.js';
import { deviceRules, resourceFilesV1, resourceFilesV2, type ResourceWrite, type Resources } from './resource-files.js';

/** What cannot be made or written because of who we are. */
const FORBIDDEN = new Set(['EACCES', 'EPERM', 'EROFS']);
/** A cgroup is busy until the kernel is done with processes that have ended. */
const REMOVE_TRIES = 200;
const REMOVE_PAUSE_MS = 25;

/** What the command line says about cgroups. */
type CgroupConfig = Pick<RuntimeConfig, 'rootDir' | 'ignoresCgroups'>;

/**
 * The cgroup that a configuration asks for. One that names none and has limits gets one directly below the mount point; IDs
 * are unique in a `--root` only. Null where it has neither: the container stays where its creator is, for making and
 * removing a cgroup in each hierarchy of version 1 takes a third of a short run. So does every one with `--ignore-cgroups`.
 */
export function cgroupPathOf({ linux = {} }: Spec, config: CgroupConfig, id: string): string | null {
  if (config.ignoresCgroups) return null;
  if (linux.cgroupsPath !== undefined) return linux.cgroupsPath;
  return linux.resources === undefined ? null : `/tsv-${hashOf(resolve(config.rootDir)).toString(16)}-${id}`;
}

/** FNV-1a of 32 bits: a library of hash functions takes longer to load than a container to start. */
function hashOf(text: string): number {
  let hash = 0x811c_9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x0100_0193) >>> 0;
  return hash;
}

/**
 * A control group of the host, config-linux.md "Control Groups": one directory a hierarchy in version 1, one in version 2.
 * It is managed by its files, without systemd. Names come from the configuration and are checked.
 */
export class HostCgroup {
  readonly #hierarchies: CgroupHierarchies;
  readonly #path: string;
  /** Where the host lets us make nothing, a container without limits has no cgroup. */
  readonly #isAbsent: boolean;

  private constructor(hierarchies: CgroupHierarchies, path: string, isAbsent: boolean) {
    this.#hierarchies = hierarchies;
    this.#path = path;
    this.#isAbsent = isAbsent;
  }

  /**
   * Makes the cgroup at `path`, below the mount points of the hierarchies, with its limits. Throws {@link SandboxError}
   * naming the field that cannot be done; nothing is left then. Where the host forbids cgroups, and no limit is asked for,
   * the cgroup does nothing.
   */
  static create(
    path: string,
    resources: Resources | undefined,
    hierarchies: CgroupHierarchies = findCgroupHierarchies(),
  ): HostCgroup {
    const cgroup = new HostCgroup(hierarchies, checkPath(path), false);
    const writes = cgroup.#writesFor(resources ?? {});
    const made: string[] = [];
    try {
      for (const directory of cgroup.#directories()) makeDirectory(directory, made);
      cgroup.#refuseBusy();
      cgroup.#prepare();
      cgroup.#write(writes);
      cgroup.#filterDevices(resources ?? {});
    } catch (error) {
      for (const directory of made.reverse()) removeIfEmpty(directory);
      const needsNone = writes.every(({ controller }) => controller === 'devices');
      if (needsNone && FORBIDDEN.has((error as NodeJS.ErrnoException).code ?? '')) {
        return new HostCgroup(hierarchies, path, true);
      }
      if (error instanceof SandboxError) throw error;
      throw new SandboxError(`Cannot make the cgroup "${path}" (linux.cgroupsPath): ${(error as Error).message}`);
    }
    return cgroup;
  }

  /** The cgroup at `path`, which was made before; one that is not there does nothing. */
  static open(path: string, hierarchies: CgroupHierarchies = findCgroupHierarchies()): HostCgroup {
    const cgroup = new HostCgroup(hierarchies, checkPath(path), false);
    const isThere = cgroup.#directories().some((directory) => existsSync(directory));
    return isThere ? cgroup : new HostCgroup(hierarchies, path, true);
  }

  /** Moves a process here, with all of its threads; what it starts is here too. */
  addProcess(pid: number): void {
    if (this.#isAbsent) return;
    for (const directory of this.#directories()) {
      try {
        writeFileSync(join(directory, 'cgroup.procs'), String(pid));
      } catch (error) {
        throw new SandboxError(`Cannot move process ${pid} to cgroup "${directory}": ${(error as Error).message}`);
      }
    }
  }

  /** Pids of the processes that are here. */
  processes(): number[] {
    if (this.#isAbsent) return [];
    const pids = this.#directories().flatMap((directory) => readIfThere(join(directory, 'cgroup.procs')).split('\n'));
    return [...new Set(pids.filter((pid) => pid !== '').map(Number))];
  }

  /** Changes the limits that `resources` names. Throws {@link SandboxError} naming the field. */
  update(resources: Resources): void {
    const writes = this.#writesFor(resources);
    const first = writes[0];
    if (this.#isAbsent && first !== undefined) {
      throw new SandboxError(`Cannot set ${first.field}: the container has no cgroup`);
    }
    this.#write(writes);
    if (!this.#isAbsent) this.#filterDevices(resources);
  }

  /** Its directories on the host; none where there is no cgroup. */
  get directories(): readonly string[] {
    return this.#isAbsent ? [] : this.#directories();
  }

  /** What its processes have used. */
  statistics(): CgroupStatistics {
    const read = (controller: string, file: string): string => {
      const directory = this.#isAbsent ? null : this.#directoryOf(controller);
      return directory === null ? '' : readIfThere(join(directory, file));
    };
    return this.#hierarchies.version === 2 ? statisticsV2(read) : statisticsV1(read);
  }

  /**
   * Removes it and what is below, once its processes have ended. Throws {@link SandboxError} when they do not within
   * seconds.
   */
  async destroy(): Promise<void> {
    if (this.#isAbsent) return;
    for (const directory of this.#directories()) {
      for (let tries = 1; !removeTree(directory); tries++) {
        if (tries === REMOVE_TRIES) {
          const left = this.processes().join(', ');
          throw new SandboxError(`Cannot remove cgroup "${directory}": processes are in it still: ${left}`);
        }
        await sleep(REMOVE_PAUSE_MS);
      }
    }
  }

  #writesFor(resources: Resources): ResourceWrite[] {
    return this.#hierarchies.version === 2 ? resourceFilesV2(resources) : resourceFilesV1(resources);
  }

  /** One a hierarchy: controllers may share one. */
  #directories(): string[] {
    return [...new Set([...this.#hierarchies.mountpoints.values()].map((mountpoint) => join(mountpoint, this.#path)))];
  }

  #directoryOf(controller: string): string | null {
    const mountpoint = this.#hierarchies.mountpoints.get(controller);
    return mountpoint === undefined ? null : join(mountpoint, this.#path);
  }

  /** A cgroup that others use is not ours to limit and remove. */
  #refuseBusy(): void {
    const pids = this.processes();
    if (pids.length === 0) return;
    throw new SandboxError(`Cannot use linux.cgroupsPath "${this.#path}": process ${pids[0]!} is there already`);
  }

  #prepare(): void {
    if (this.#hierarchies.version === 2) this.#delegateControllers();
    else this.#inheritCpuset();
  }

  /** cgroups(7): a controller works below a cgroup when its cgroup.subtree_control names it. */
  #delegateControllers(): void {
    const root = this.#hierarchies.mountpoints.get('')!;
    const names = this.#path.split('/').filter((name) => name !== '');
    let directory = root;
    for (const name of names) {
      const available = readIfThere(join(directory, 'cgroup.controllers')).trim().split(/\s+/);
      for (const controller of available) {
        if (controller !== '') tryWrite(join(directory, 'cgroup.subtree_control'), `+${controller}`);
      }
      directory = join(directory, name);
    }
  }

  /** In version 1 a new cpuset is empty, and takes no process. */
  #inheritCpuset(): void {
    const mountpoint = this.#hierarchies.mountpoints.get('cpuset');
    if (mountpoint === undefined) return;
    let directory = mountpoint;
    for (const name of this.#path.split('/').filter((part) => part !== '')) {
      const parent = directory;
      directory = join(directory, name);
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        if (readFileSync(join(directory, file), 'utf8').trim() !== '') continue;
        writeFileSync(join(directory, file), readFileSync(join(parent, file), 'utf8').trim());
      }
    }
  }

  /**
   * In version 2 a program decides about devices. Where bpf(2) is refused, that matters only when devices are denied, and not
   * in a user namespace, where few may be opened or made anyway. Throws {@link SandboxError}.
   */
  #filterDevices(resources: Resources): void {
    const rules = deviceRules(resources);
    if (this.#hierarchies.version !== 2 || rules.length === 0) return;
    const program = deviceProgram(rules);
    const fd = openSync(this.#directoryOf('')!, constants.O_RDONLY | constants.O_DIRECTORY);
    const error = attachDeviceFilter(fd, program, program.length);
    closeSync(fd);
    const deniesNothing = rules.every(({ isAllowed, access }) => isAllowed && access.length >= 3);
    if (error === 0 || deniesNothing || isInUserNamespace()) return;
    throw new SandboxError(`Cannot set linux.resources.devices: bpf(2): ${errnoText(-error)}`);
  }

  #write(writes: readonly ResourceWrite[]): void {
    const pending = [...writes];
    let failures = 0;
    while (pending.length > 0) {
      const write = pending.shift()!;
      const problem = this.#writeOne(write);
      if (problem === null) {
        failures = 0;
        continue;
      }
      // A limit may have to wait for another: memory cannot be above memory with swap, a quota above its burst.
      failures++;
      pending.push(write);
      if (failures >= pending.length) throw new SandboxError(`Cannot set ${write.field} to ${write.value}: ${problem}`);
    }
  }

  /** Null, or why it could not be written. */
  #writeOne({ controller, files, value, field }: ResourceWrite): string | null {
    const directory = this.#directoryOf(controller);
    if (directory === null) {
      throw new SandboxError(`Cannot set ${field}: the host has no cgroup controller "${controller}"`);
    }
    const file = files.find((name) => existsSync(join(directory, name)));
    if (file === undefined) throw new SandboxError(`Cannot set ${field}: the host's kernel has no ${files[0]!}`);
    try {
      writeFileSync(join(directory, file), value);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }
}

/** Throws {@link SandboxError} for a path that leads elsewhere. */
function checkPath(path: string): string {
  const names = path.split('/').filter((name) => name !== '' && name !== '.');
  if (names.length === 0 || names.includes('..') || path.includes('\0')) {
    throw new SandboxError(`Cannot use linux.cgroupsPath: "${path}" names no cgroup`);
  }
  if (/^[^/]+:[^/]*:[^/]+$/.test(path)) {
    throw new SandboxError(`Cannot use linux.cgroupsPath: "${path}" is for systemd; give a path`);
  }
  return `/${names.join('/')}`;
}

/** mkdir(2) of it and its parents; those that were not there are added to `made`. */
function makeDirectory(path: string, made: string[]): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path), made);
  mkdirSync(path, 0o755);
  made.push(path);
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch (error) {
    if (!['EBUSY', 'ENOENT', 'ENOTEMPTY'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** Removes a cgroup and those below. Returns false when one is busy. */
function removeTree(directory: string): boolean {
  try {
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory() && !removeTree(join(directory, entry.name))) return false;
    }
    rmdirSync(directory);
    return true;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY') return false;
    throw error;
  }
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    // Some controls exist and have nothing to say: EOPNOTSUPP.
    if (['ENOENT', 'ENODEV', 'EOPNOTSUPP', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

/** What cannot be delegated is told when a limit needs it. */
function tryWrite(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
