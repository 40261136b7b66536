import { EINVAL, type Errno } from '@tsv/abi';
import type { FileSystem } from '../file-system.js';
import type { VfsPath } from '../path/vfs-path.js';
import type { VirtualFileSystem } from '../virtual-file-system.js';
import { MOUNT_FLAGS } from './mount-flags.js';
import { mountTree, type MountNamespace } from './mount-namespace.js';
import { copyForBind, graft } from './mount-operations.js';

/**
 * fsmount(2): a mount of `fs` in a namespace of its own, which nobody sees until {@link attachDetached}. The reference is
 * the caller's: giving it up unmounts what was not attached.
 */
export function detachedMount(vfs: VirtualFileSystem, fs: FileSystem, source: string, flags: number): MountNamespace {
  return vfs.namespaceOf(vfs.createMount(fs, source, flags & MOUNT_FLAGS));
}

/** open_tree(2) OPEN_TREE_CLONE: a copy of the tree at `from`, likewise. Errors: EINVAL. */
export function detachedCopy(vfs: VirtualFileSystem, from: VfsPath, isRecursive: boolean): MountNamespace | Errno {
  const copy = copyForBind(vfs, from, isRecursive);
  return typeof copy === 'number' ? copy : vfs.namespaceOf(copy);
}

/** move_mount(2) of what is detached: it is seen at `at` from now on. Errors: EINVAL, ENOSPC, ENOTDIR. */
export function attachDetached(vfs: VirtualFileSystem, namespace: MountNamespace, at: VfsPath): 0 | Errno {
  const { root } = namespace;
  if (root.namespace !== namespace || at.mount.namespace === namespace) return -EINVAL;
  for (const mount of mountTree(root)) namespace.disown(mount);
  const error = graft(vfs, root, at);
  if (error < 0) namespace.adopt(root);
  return error;
}
