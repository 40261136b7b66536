import { readFileSync } from 'node:fs';

/** Where a controller's files are. */
export interface CgroupHierarchies {
  /** 2 when the unified hierarchy has the controllers, cgroups(7). */
  readonly version: 1 | 2;
  /** Mount point by controller; in version 2 all have the same, under `''` too. */
  readonly mountpoints: ReadonlyMap<string, string>;
}

/** Words among the options of a cgroup mount that are no controllers. */
const NOT_CONTROLLERS = new Set(['rw', 'ro', 'xattr', 'clone_children', 'noprefix', 'release_agent', 'none']);

/** The cgroup hierarchies that this process sees mounted. */
export function findCgroupHierarchies(): CgroupHierarchies {
  return parseCgroupHierarchies(readFileSync('/proc/self/mountinfo', 'utf8'), controllersAt);
}

/** As {@link findCgroupHierarchies}, of the text of /proc/self/mountinfo. */
export function parseCgroupHierarchies(
  mountinfo: string,
  unifiedControllers: (mountpoint: string) => readonly string[],
): CgroupHierarchies {
  const legacy = new Map<string, string>();
  let unified: string | null = null;
  for (const line of mountinfo.split('\n')) {
    // proc_pid_mountinfo(5): optional fields end with a hyphen.
    const [left = '', right = ''] = line.split(' - ');
    const mountpoint = unescapeOctal(left.split(' ')[4] ?? '');
    const [type, , superOptions = ''] = right.split(' ');
    if (type === 'cgroup2') unified ??= mountpoint;
    if (type !== 'cgroup') continue;
    for (const option of superOptions.split(',')) {
      if (option !== '' && !option.includes('=') && !NOT_CONTROLLERS.has(option)) legacy.set(option, mountpoint);
    }
  }
  if (legacy.size > 0 || unified === null) return { version: 1, mountpoints: legacy };
  const root = unified;
  const mountpoints = new Map(['', ...unifiedControllers(root)].map((controller) => [controller, root]));
  return { version: 2, mountpoints };
}

function controllersAt(mountpoint: string): string[] {
  return readFileSync(`${mountpoint}/cgroup.controllers`, 'utf8').trim().split(/\s+/);
}

function unescapeOctal(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}
