import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { close, openat2, write } from '@tsv/host';
import { AT_FDCWD, ESRCH, O_CLOEXEC, O_WRONLY, errnoText } from '@tsv/abi';
import { toByteString } from '../byte-string.js';
import { findCgroupHierarchies, type CgroupHierarchies } from './cgroup-hierarchies.js';

/** Whoever writes, cgroups(7). */
const SELF = 0;

/**
 * The way of this process back to the cgroups that it is in now, for when it can reach no name any more: it keeps their
 * `cgroup.procs` open, cgroups(7).
 */
export class CgroupReturn {
  readonly #fds: number[] = [];

  /** Notes where this process is. A cgroup that cannot be written to is not returned to. */
  constructor(hierarchies: CgroupHierarchies = findCgroupHierarchies()) {
    const own = parseOwnCgroups(readFileSync('/proc/self/cgroup', 'utf8'));
    const directories = [...hierarchies.mountpoints].map(([controller, mountpoint]) => {
      return join(mountpoint, own.get(hierarchies.version === 2 ? '' : controller) ?? '/');
    });
    for (const directory of new Set(directories)) {
      const fd = openat2(AT_FDCWD, toByteString(join(directory, 'cgroup.procs')), O_WRONLY | O_CLOEXEC, 0, 0);
      if (fd >= 0) this.#fds.push(fd);
    }
  }

  /** Moves this process back. */
  goBack(): void {
    this.move(SELF);
    for (const fd of this.#fds.splice(0)) close(fd);
  }

  /** Moves another process to where this one was. */
  move(pid: number): void {
    const text = new TextEncoder().encode(String(pid));
    for (const fd of this.#fds) {
      const error = write(fd, text, 0, text.length);
      if (error < 0 && error !== -ESRCH) {
        process.stderr.write(`tsv: warning: Cannot leave the container's cgroup: ${errnoText(-error)}\n`);
      }
    }
  }
}

/** The path in each hierarchy by controller, and by `''` for version 2, of the text of /proc/self/cgroup, cgroups(7). */
export function parseOwnCgroups(text: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const controller of controllers?.split(',') ?? []) paths.set(controller, path!);
  }
  return paths;
}
