import { EFAULT } from '@tsv/abi';
import type { Caller } from './caller.js';
import type { VfsPath } from './path/vfs-path.js';

/** A caller at `root` that may do everything: for programs that use a file tree of their own. It borrows `root`. */
export function superuser(root: VfsPath): Caller {
  return {
    creds: { fsuid: 0, fsgid: 0, inGroup: (gid) => gid === 0, hasCap: () => true },
    umask: 0o022,
    root,
    cwd: root,
    memory: { copyIn: () => -EFAULT, copyOut: () => -EFAULT },
  };
}
