import type { Dentry } from '../dentry/dentry.js';
import type { Mount } from '../mount/mount.js';
import type { VfsPath } from './vfs-path.js';

/** A path as text, and whether it leads to the root it was asked from. */
export interface PathText {
  readonly text: string;
  readonly isReachable: boolean;
  readonly isUnlinked: boolean;
}

/** Where `path` is, from `root` on; a byte string. */
export function pathText(root: VfsPath, path: VfsPath): PathText {
  let mount: Mount = path.mount;
  let dentry: Dentry = path.dentry;
  let text = '';
  let isReachable = true;
  const { isUnlinked } = dentry;
  while (mount !== root.mount || dentry !== root.dentry) {
    if (dentry === mount.root) {
      if (mount.parent === null || mount.mountpoint === null) {
        isReachable = false;
        break;
      }
      dentry = mount.mountpoint;
      mount = mount.parent;
      continue;
    }
    text = `/${dentry.name}${text}`;
    if (dentry.parent === null) {
      isReachable = false;
      break;
    }
    dentry = dentry.parent;
  }
  return { text: text === '' ? '/' : text, isReachable, isUnlinked };
}

/** As /proc/PID/fd shows it: with ` (deleted)` behind a name that was removed. */
export function displayPath(root: VfsPath, path: VfsPath): string {
  const { text, isUnlinked } = pathText(root, path);
  return isUnlinked ? `${text} (deleted)` : text;
}

/** Where `dentry` is in its own filesystem, as the fourth field of /proc/PID/mountinfo. */
export function dentryText(dentry: Dentry): string {
  let text = '';
  for (let d = dentry; d.parent !== null; d = d.parent) text = `/${d.name}${text}`;
  return text === '' ? '/' : text;
}
