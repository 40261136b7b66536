import { EBUSY, EINVAL, ENOENT, EOPNOTSUPP, ERANGE, type Errno } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { Cgroup } from './cgroup.js';
import { CONTROLLERS, THREADED_CONTROLLERS, type Controller } from './cgroup-settings.js';
import type { ControlFile } from './control-file.js';
import { limitText, parseCount } from './parse-value.js';

const INT_MAX = 0x7fffffff;

/** The files of every cgroup but for cgroup.procs and cgroup.threads, Linux's admin-guide/cgroup-v2 "Core Interface Files". */
export const CORE_FILES: readonly ControlFile[] = [
  {
    name: 'cgroup.controllers',
    controller: null,
    isOnRoot: true,
    read: ({ controllers }) => listText(controllers),
  },
  {
    name: 'cgroup.events',
    controller: null,
    isOnRoot: false,
    read: (cgroup) => `populated ${cgroup.isPopulated ? 1 : 0}\nfrozen ${cgroup.isFrozen ? 1 : 0}\n`,
  },
  {
    name: 'cgroup.freeze',
    controller: null,
    isOnRoot: false,
    read: ({ settings }) => (settings.isFrozen ? '1\n' : '0\n'),
    write: (cgroup, text) => {
      const value = parseCount(text, 0, 1);
      if (value < 0 || value > 1) return value === -ERANGE ? -ERANGE : -EINVAL;
      cgroup.setFrozen(value === 1);
      return 0;
    },
  },
  {
    name: 'cgroup.kill',
    controller: null,
    isOnRoot: false,
    write: (cgroup, text) => {
      const value = parseCount(text, 0, INT_MAX);
      if (value !== 1) return value >= 0 || value === -ERANGE ? -ERANGE : -EINVAL;
      cgroup.kill();
      return 0;
    },
  },
  limit('cgroup.max.depth', 'maxDepth'),
  limit('cgroup.max.descendants', 'maxDescendants'),
  {
    name: 'cgroup.stat',
    controller: null,
    isOnRoot: true,
    read: (cgroup) => `nr_descendants ${cgroup.descendantCount}\nnr_dying_descendants 0\n`,
  },
  {
    name: 'cgroup.subtree_control',
    controller: null,
    isOnRoot: true,
    read: ({ subtreeControl }) => listText(subtreeControl),
    write: changeSubtreeControl,
  },
  {
    name: 'cgroup.type',
    controller: null,
    isOnRoot: false,
    read: () => 'domain\n',
    // Differs: there are no threaded cgroups.
    write: (_cgroup, text) => (text === 'threaded' ? -EOPNOTSUPP : -EINVAL),
  },
];

function listText(controllers: ReadonlySet<Controller>): string {
  return `${CONTROLLERS.filter((name) => controllers.has(name)).join(' ')}\n`;
}

function limit(name: string, key: 'maxDepth' | 'maxDescendants'): ControlFile {
  return {
    name,
    controller: null,
    isOnRoot: true,
    read: ({ settings }) => `${limitText(settings[key])}\n`,
    write: ({ settings }, text) => {
      const value = parseCount(text, 0, INT_MAX);
      if (value < 0) return value;
      settings[key] = value;
      return 0;
    },
  };
}

/** Words as `+pids` and `-memory`. All are done, or none. Errors: EBUSY, EINVAL, ENOENT. */
function changeSubtreeControl(cgroup: Cgroup, text: string): 0 | Errno {
  const wanted = new Set(cgroup.subtreeControl);
  const [enabled, disabled] = [new Set<Controller>(), new Set<Controller>()];
  for (const word of text.split(/\s+/)) {
    if (word === '') continue;
    const name = CONTROLLERS.find((controller) => controller === word.slice(1));
    const sign = word[0];
    if (name === undefined || (sign !== '+' && sign !== '-')) return -EINVAL;
    (sign === '+' ? enabled : disabled).add(name);
    (sign === '+' ? disabled : enabled).delete(name);
  }
  for (const name of enabled) {
    if (!cgroup.controllers.has(name)) return -ENOENT;
    if (wanted.has(name)) enabled.delete(name);
    wanted.add(name);
  }
  for (const name of disabled) {
    for (const child of cgroup.children.values()) if (child.subtreeControl.has(name)) return -EBUSY;
    wanted.delete(name);
  }
  // "No Internal Process Constraint": processes of the cgroup itself would compete with its children.
  if (enabled.size > 0 && cgroup.parent !== null && cgroup.hasLiveMembers && !mayBeThreadRoot(cgroup, enabled)) {
    return -EBUSY;
  }
  cgroup.subtreeControl.clear();
  for (const name of wanted) cgroup.subtreeControl.add(name);
  return 0;
}

/** Whether only controllers that know threads would be enabled, with nothing below that has processes. */
function mayBeThreadRoot(cgroup: Cgroup, enabled: ReadonlySet<Controller>): boolean {
  for (const name of [...enabled, ...cgroup.subtreeControl]) if (!THREADED_CONTROLLERS.has(name)) return false;
  for (const child of cgroup.children.values()) if (child.isPopulated) return false;
  return true;
}

/** The processes of a cgroup by their IDs for `reader`, a line each; 0 for those that it cannot see. */
export function processList(cgroup: Cgroup, reader: Task | null): string {
  let text = '';
  for (const group of cgroup.members) {
    if (!group.isZombie) text += `${reader === null ? group.pid : group.pidIn(reader.pidNs)}\n`;
  }
  return text;
}

/** The threads of a cgroup, likewise. */
export function threadList(cgroup: Cgroup, reader: Task | null): string {
  let text = '';
  for (const { tasks } of cgroup.members) {
    for (const task of tasks) {
      if (!task.hasExited) text += `${reader === null ? task.tid : task.threadPid.in(reader.pidNs)}\n`;
    }
  }
  return text;
}
