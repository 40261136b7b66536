import {
  EAGAIN,
  EBUSY,
  EINVAL,
  ELOOP,
  ENOTDIR,
  EPERM,
  MNT_DETACH,
  MNT_EXPIRE,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_RDONLY,
  MS_SHARED,
  MS_SLAVE,
  type Errno,
} from '@tsv/abi';
import type { Dentry } from '../dentry/dentry.js';
import type { FileSystem } from '../file-system.js';
import type { VfsPath } from '../path/vfs-path.js';
import type { VirtualFileSystem } from '../virtual-file-system.js';
import { MOUNT_FLAGS } from './mount-flags.js';
import { mountTree, type MountNamespace } from './mount-namespace.js';
import { Mount } from './mount.js';
import { PeerGroup, joinMaster, joinPeers, leaveMaster, leavePeers, propagationTargets } from './peer-group.js';

/** Flags that a namespace with fewer rights cannot clear. */
const LOCKABLE_FLAGS = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;

/** mount(2): shows `fs` at `at`. Errors: ENOTDIR, EINVAL, ENOSPC. */
export function mountFileSystem(
  vfs: VirtualFileSystem,
  fs: FileSystem,
  source: string,
  at: VfsPath,
  flags: number,
): 0 | Errno {
  const mount = vfs.createMount(fs, source, flags & MOUNT_FLAGS);
  const error = graft(vfs, mount, at);
  if (error < 0) mount.decRef();
  return error;
}

/** mount(2) MS_BIND: shows the tree at `from` at `at` too; with `isRecursive` what is mounted below it as well. */
export function bindMount(vfs: VirtualFileSystem, from: VfsPath, at: VfsPath, isRecursive: boolean): 0 | Errno {
  const copy = copyForBind(vfs, from, isRecursive);
  if (typeof copy === 'number') return copy;
  const error = graft(vfs, copy, at);
  if (error < 0) releaseTree(copy);
  return error;
}

/** A copy of the tree at `from` that is nowhere yet. Errors: EINVAL. */
export function copyForBind(vfs: VirtualFileSystem, from: VfsPath, isRecursive: boolean): Mount | Errno {
  if (from.mount.namespace === null && from.mount.parent !== null) return -EINVAL;
  if (from.mount.isUnbindable) return -EINVAL;
  // What a locked mount hides must not be seen through a copy without it.
  if (!isRecursive && hasLockedBelow(from)) return -EINVAL;
  return copyTree(vfs, from.mount, from.dentry, isRecursive, false);
}

/** mount(2) MS_MOVE. Errors: EINVAL, ELOOP, ENOTDIR. */
export function moveMount(vfs: VirtualFileSystem, from: VfsPath, at: VfsPath): 0 | Errno {
  const { mount } = from;
  if (from.dentry !== mount.root || mount.parent === null || mount.namespace === null || mount.isLocked) return -EINVAL;
  if (at.mount.namespace !== mount.namespace) return -EINVAL;
  if (mount.parent.peers !== null) return -EINVAL;
  if (mount.root.inode!.isDirectory !== at.inode.isDirectory) return -ENOTDIR;
  if (at.mount.peers !== null && mountTree(mount).some((each) => each.isUnbindable)) return -EINVAL;
  for (let m: Mount | null = at.mount; m !== null; m = m.parent) if (m === mount) return -ELOOP;
  mount.detach();
  const [parent, mountpoint] = topmost(at);
  mount.attach(parent, mountpoint);
  if (parent.peers !== null) for (const each of mountTree(mount)) share(vfs, each);
  propagateMount(vfs, mount);
  return 0;
}

/** mount(2) MS_REMOUNT | MS_BIND: changes the flags of one mount. Errors: EINVAL when `at` is no mount point. */
export function remountBind(at: VfsPath, flags: number): 0 | Errno {
  if (at.dentry !== at.mount.root) return -EINVAL;
  if ((at.mount.lockedFlags & ~flags) !== 0) return -EPERM;
  at.mount.flags = flags & MOUNT_FLAGS;
  return 0;
}

/** mount(2) MS_REMOUNT: changes the filesystem's own read-only state and the flags of the mount. Errors: EINVAL. */
export function remount(at: VfsPath, flags: number): 0 | Errno {
  if (at.dentry !== at.mount.root) return -EINVAL;
  if ((at.mount.lockedFlags & ~flags) !== 0) return -EPERM;
  at.mount.superBlock.isReadOnly = (flags & MS_RDONLY) !== 0;
  at.mount.flags = flags & MOUNT_FLAGS;
  return 0;
}

/** mount(2) MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE. Errors: EINVAL when `at` is no mount point. */
export function setPropagation(vfs: VirtualFileSystem, at: VfsPath, type: number, isRecursive: boolean): 0 | Errno {
  if (at.dentry !== at.mount.root) return -EINVAL;
  for (const mount of isRecursive ? mountTree(at.mount) : [at.mount]) {
    if (type === MS_SHARED) {
      if (mount.peers === null) joinPeers(mount, new PeerGroup(vfs.nextPeerGroupId()));
      mount.isUnbindable = false;
    } else if (type === MS_SLAVE) {
      makeSlave(mount);
    } else {
      leavePeers(mount);
      leaveMaster(mount);
      mount.isUnbindable = type !== MS_PRIVATE;
    }
  }
  return 0;
}

/**
 * umount2(2) of what is on top at `at`. Errors: EINVAL when that is no mount point or the root, EBUSY, EAGAIN (MNT_EXPIRE:
 * the caller marks the mount as expiring when it has given back `at`).
 */
export function unmount(at: VfsPath, flags: number): 0 | Errno {
  const [mount, dentry] = topmost(at);
  if (dentry !== mount.root || mount.namespace === null) return -EINVAL;
  if (mount.isLocked) return -EINVAL;
  // References: the tree's, and the one of `at`.
  const isBusy = mount.refCount > (mount === at.mount ? 2 : 1) || mount.children.size > 0;
  if ((flags & MNT_EXPIRE) !== 0) {
    if (mount === mount.namespace.root) return -EINVAL;
    if (isBusy) return -EBUSY;
    if (!mount.isExpiring) return -EAGAIN;
  }
  if (mount === mount.namespace.root) return (flags & MNT_DETACH) !== 0 ? -EINVAL : -EBUSY;
  if (isBusy && (flags & MNT_DETACH) === 0) return -EBUSY;
  for (const peer of propagatedCopies(mount)) {
    // A copy in use stays, as umount(2) of a shared mount leaves it.
    if ((flags & MNT_DETACH) !== 0 || (peer.refCount === 1 && peer.children.size === 0)) disconnectTree(peer);
  }
  disconnectTree(mount);
  return 0;
}

/** pivot_root(2): `newRoot` becomes the root, the old one moves to `putOld`. Errors: EBUSY, EINVAL, ENOTDIR. */
export function pivotRoot(namespace: MountNamespace, root: VfsPath, newRoot: VfsPath, putOld: VfsPath): 0 | Errno {
  if (!newRoot.inode.isDirectory || !putOld.inode.isDirectory) return -ENOTDIR;
  const rootMount = root.mount;
  const newMount = newRoot.mount;
  if (newMount.namespace !== namespace || rootMount.namespace !== namespace) return -EINVAL;
  if (newMount === rootMount || putOld.mount === rootMount) return -EBUSY;
  if (root.dentry !== rootMount.root || newRoot.dentry !== newMount.root) return -EINVAL;
  if (newMount.parent === null || rootMount.peers !== null || newMount.parent.peers !== null) return -EINVAL;
  if (putOld.mount.peers !== null || newMount.isLocked) return -EINVAL;
  if (!isReachable(putOld, newRoot) || !isReachable(newRoot, root)) return -EINVAL;
  const rootParent = rootMount.parent;
  const rootMountpoint = rootMount.mountpoint;
  newMount.incRef();
  rootMount.incRef();
  newMount.detach();
  rootMount.detach();
  if (rootParent !== null && rootMountpoint !== null) newMount.attach(rootParent, rootMountpoint);
  else namespace.root = newMount;
  const [parent, mountpoint] = topmost(putOld);
  rootMount.attach(parent, mountpoint);
  rootMount.decRef();
  newMount.decRef();
  return 0;
}

/**
 * unshare(2) CLONE_NEWNS: a namespace with a copy of every mount. For another `owner` (user namespace, null for the first)
 * the copies are slaves, and locked: they cannot be taken apart. Errors: ENOSPC. The reference is the caller's.
 */
export function cloneNamespace(
  vfs: VirtualFileSystem,
  namespace: MountNamespace,
  owner: object | null = namespace.owner,
): MountNamespace | Errno {
  const error = namespace.reserve(0);
  if (error < 0) return error;
  const copies = new Map<Mount, Mount>();
  const root = copyTree(vfs, namespace.root, namespace.root.root, true, true, copies);
  for (const [mount, copy] of copies) {
    copy.copiedFromId = mount.id;
    if (owner !== namespace.owner) lock(copy, copy !== root);
  }
  return vfs.namespaceOf(root, owner);
}

/** The last process of `namespace` is gone: its mounts go. */
export function unmountNamespace(namespace: MountNamespace): void {
  // A detached mount may have been attached elsewhere.
  if (namespace.root.namespace === namespace) disconnectTree(namespace.root);
}

/** Unmounts what covers `dentry` in any namespace, because its name was removed. */
export function detachMountsOf(dentry: Dentry): void {
  for (const mount of [...(dentry.mounts ?? [])]) disconnectTree(mount);
}

/** Attaches `mount` and tells the peers of the place. Errors: ENOTDIR, EINVAL, ENOSPC. */
export function graft(vfs: VirtualFileSystem, mount: Mount, at: VfsPath): 0 | Errno {
  const namespace = at.mount.namespace;
  if (namespace === null) return -EINVAL;
  if (mount.root.inode!.isDirectory !== at.inode.isDirectory) return -ENOTDIR;
  if (at.dentry.isUnlinked && at.dentry !== at.mount.root) return -EINVAL;
  const error = namespace.reserve(mountTree(mount).length);
  if (error < 0) return error;
  const [parent, mountpoint] = topmost(at);
  mount.attach(parent, mountpoint);
  namespace.adopt(mount);
  if (parent.peers !== null) for (const each of mountTree(mount)) share(vfs, each);
  propagateMount(vfs, mount);
  return 0;
}

/** Where a mount on `at` goes: on top of what is mounted there. */
function topmost(at: VfsPath): [Mount, Dentry] {
  let mount = at.mount;
  let dentry = at.dentry;
  for (let over = mount.childAt(dentry); over !== null; over = mount.childAt(dentry)) {
    mount = over;
    dentry = over.root;
  }
  return [mount, dentry];
}

/** Mounts copies of `mount` wherever its parent's events go. */
function propagateMount(vfs: VirtualFileSystem, mount: Mount): void {
  const parent = mount.parent!;
  const mountpoint = mount.mountpoint!;
  for (const target of propagationTargets(parent)) {
    if (target.namespace === null || !mountpoint.isBelow(target.root)) continue;
    if (target.namespace.reserve(mountTree(mount).length) < 0) continue;
    const copy = copyTree(vfs, mount, mount.root, true, true);
    if (target.peers !== parent.peers) {
      for (const each of mountTree(copy)) makeSlave(each);
      if (target.peers !== null) for (const each of mountTree(copy)) share(vfs, each);
    }
    const place = target.childAt(mountpoint);
    if (place !== null) {
      place.incRef();
      place.detach();
    }
    copy.attach(target, mountpoint);
    target.namespace.adopt(copy);
    // What was mounted there already stays on top.
    if (place !== null) {
      place.attach(copy, copy.root);
      place.decRef();
    }
  }
}

/** The mounts that came from mounting `mount` on a shared parent. */
function propagatedCopies(mount: Mount): Mount[] {
  const copies: Mount[] = [];
  if (mount.parent === null) return copies;
  for (const target of propagationTargets(mount.parent)) {
    const copy = target.childAt(mount.mountpoint!);
    if (copy !== null && copy.superBlock === mount.superBlock && copy.root === mount.root) copies.push(copy);
  }
  return copies;
}

/** Copies `mount` from `root` down, and what is mounted below if `isRecursive`; the copies are in no namespace. */
function copyTree(
  vfs: VirtualFileSystem,
  mount: Mount,
  root: Dentry,
  isRecursive: boolean,
  withUnbindable: boolean,
  copies: Map<Mount, Mount> = new Map(),
): Mount {
  const copy = copyMount(vfs, mount, root);
  copies.set(mount, copy);
  if (!isRecursive) return copy;
  const sources = [mount];
  for (let i = 0; i < sources.length; i++) {
    const source = sources[i]!;
    for (const child of source.children.values()) {
      if (child.isUnbindable && !withUnbindable) continue;
      if (source === mount && !child.mountpoint!.isBelow(root)) continue;
      const childCopy = copyMount(vfs, child, child.root);
      childCopy.isUnbindable = child.isUnbindable;
      childCopy.isLocked = child.isLocked;
      childCopy.attach(copies.get(source)!, child.mountpoint!);
      copies.set(child, childCopy);
      sources.push(child);
    }
  }
  return copy;
}

function copyMount(vfs: VirtualFileSystem, mount: Mount, root: Dentry): Mount {
  const copy = new Mount(vfs.nextMountId(), mount.superBlock, root, mount.source, mount.flags);
  copy.lockedFlags = mount.lockedFlags;
  if (mount.peers !== null) joinPeers(copy, mount.peers);
  if (mount.master !== null) joinMaster(copy, mount.master);
  return copy;
}

/** Keeps `mount` as a namespace with more rights made it. */
function lock(mount: Mount, isInTree: boolean): void {
  makeSlave(mount);
  mount.lockedFlags |= mount.flags & LOCKABLE_FLAGS;
  mount.isLocked = isInTree;
}

function hasLockedBelow({ mount, dentry }: VfsPath): boolean {
  for (const child of mount.children.values()) if (child.isLocked && child.mountpoint!.isBelow(dentry)) return true;
  return false;
}

function share(vfs: VirtualFileSystem, mount: Mount): void {
  if (mount.peers === null) joinPeers(mount, new PeerGroup(vfs.nextPeerGroupId()));
}

/** Makes `mount` hear events of its old peers and no more send its own. */
function makeSlave(mount: Mount): void {
  const { peers } = mount;
  if (peers === null) return;
  if (peers.members.size > 1) {
    leavePeers(mount);
    joinMaster(mount, peers);
  } else {
    leavePeers(mount);
  }
}

/** Takes `mount` and what is on it apart and out of the namespace; each goes when nobody uses it. */
function disconnectTree(mount: Mount): void {
  for (const each of mountTree(mount).reverse()) {
    each.namespace?.disown(each);
    leavePeers(each);
    leaveMaster(each);
    each.detach();
    each.decRef();
  }
}

/** Gives back a copy that was never attached. */
function releaseTree(mount: Mount): void {
  disconnectTree(mount);
}

/** Whether `path` is at or below `root`. */
function isReachable(path: VfsPath, root: VfsPath): boolean {
  let mount: Mount = path.mount;
  let dentry: Dentry = path.dentry;
  while (mount !== root.mount) {
    if (mount.parent === null || mount.mountpoint === null) return false;
    dentry = mount.mountpoint;
    mount = mount.parent;
  }
  return dentry.isBelow(root.dentry);
}
