import { mountOptionsText, type Caller, type Mount } from '@tsv/vfs';
import type { Task } from '../task/task.js';

/** Mounts of the namespace of `task` that can be seen from the root of `task`. */
function visibleMounts(task: Task): { mount: Mount; place: string }[] {
  if (task.hasExited) return [];
  const namespace = task.root.mount.namespace;
  if (namespace === null) return [];
  const rows: { mount: Mount; place: string }[] = [];
  for (const mount of namespace.mounts) {
    const place = task.kernel.vfs.mountpointText(mount, task.root);
    if (place !== null) rows.push({ mount, place });
  }
  return rows;
}

/** Space, tab, newline and backslash as octal escapes, as getmntent(3) reads them. */
function escape(text: string): string {
  return text.replace(/[ \t\n\\#]/g, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, '0')}`);
}

const superOptions = (mount: Mount): string => {
  const own = mount.fs.mountOptions();
  return own === '' ? '' : `,${own}`;
};

/** /proc/PID/mounts, proc_pid_mounts(5). */
export function formatMounts(task: Task, _caller: Caller): string {
  return visibleMounts(task)
    .map(({ mount, place }) => {
      const options = mountOptionsText(mount.flags) + superOptions(mount);
      return `${escape(mount.source)} ${escape(place)} ${mount.fs.typeName} ${options} 0 0\n`;
    })
    .join('');
}

/** /proc/PID/mountinfo, proc_pid_mountinfo(5). */
export function formatMountinfo(task: Task, _caller: Caller): string {
  return visibleMounts(task)
    .map(({ mount, place }) => {
      const dev = mount.fs.dev;
      const major = (dev >>> 8) & 0xfff;
      const minor = (dev & 0xff) | ((dev >>> 12) & 0xfff00);
      const optional = [
        ...(mount.peers === null ? [] : [`shared:${mount.peers.id}`]),
        ...(mount.master === null ? [] : [`master:${mount.master.id}`]),
        ...(mount.isUnbindable ? ['unbindable'] : []),
      ];
      const fields = [
        mount.id,
        mount.parent?.id ?? mount.id,
        `${major}:${minor}`,
        escape(task.kernel.vfs.pathInFileSystem(mount.root)),
        escape(place),
        mountOptionsText(mount.flags),
        ...optional,
        '-',
        mount.fs.typeName,
        escape(mount.source),
        (mount.superBlock.isReadOnly ? 'ro' : 'rw') + superOptions(mount),
      ];
      return `${fields.join(' ')}\n`;
    })
    .join('');
}
