import {
  AT_EMPTY_PATH,
  AT_NO_AUTOMOUNT,
  AT_RECURSIVE,
  AT_SYMLINK_NOFOLLOW,
  E2BIG,
  EBADF,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  EOPNOTSUPP,
  EPERM,
  FSCONFIG_CMD_CREATE,
  FSCONFIG_CMD_RECONFIGURE,
  FSCONFIG_SET_BINARY,
  FSCONFIG_SET_FD,
  FSCONFIG_SET_FLAG,
  FSCONFIG_SET_PATH,
  FSCONFIG_SET_PATH_EMPTY,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  FSPICK_CLOEXEC,
  FSPICK_EMPTY_PATH,
  FSPICK_NO_AUTOMOUNT,
  FSPICK_SYMLINK_NOFOLLOW,
  MOUNT_ATTR_CLR,
  MOUNT_ATTR_PROPAGATION,
  MOUNT_ATTR_SET,
  MOUNT_ATTR_SIZE_VER0,
  MOVE_MOUNT_F_AUTOMOUNTS,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_F_SYMLINKS,
  MOVE_MOUNT_T_AUTOMOUNTS,
  MOVE_MOUNT_T_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
  MS_PRIVATE,
  MS_SHARED,
  MS_SLAVE,
  MS_UNBINDABLE,
  OPEN_TREE_CLONE,
  O_CLOEXEC,
  O_PATH,
  loadU64,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import {
  LOOKUP_EMPTY,
  LOOKUP_FOLLOW,
  attachDetached,
  detachedCopy,
  detachedMount,
  mountTree,
  moveMount,
  setPropagation,
  type VfsPath,
} from '@tsv/vfs';
import { DetachedMountFile, FsContextFile, FsContextPhase } from '../fd/mount-files.js';
import type { Task } from '../task/task.js';
import { flagChangeOf, mountFlagsOf } from './mount-attributes.js';
import { isMountAdmin } from './mount.js';
import { lookupOf, pathAt } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

const TYPE_BYTES_MAX = 4096;
/** Bytes of a key or a value of fsconfig(2), with the NUL. */
const PARAMETER_BYTES_MAX = 256;
const PAGE_BYTES = 4096;
const OPEN_TREE_FLAGS =
  OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_NO_AUTOMOUNT | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW;
const MOVE_MOUNT_FLAGS =
  MOVE_MOUNT_F_SYMLINKS |
  MOVE_MOUNT_F_AUTOMOUNTS |
  MOVE_MOUNT_F_EMPTY_PATH |
  MOVE_MOUNT_T_SYMLINKS |
  MOVE_MOUNT_T_AUTOMOUNTS |
  MOVE_MOUNT_T_EMPTY_PATH;
const FSPICK_FLAGS = FSPICK_CLOEXEC | FSPICK_SYMLINK_NOFOLLOW | FSPICK_NO_AUTOMOUNT | FSPICK_EMPTY_PATH;
const SETATTR_FLAGS = AT_EMPTY_PATH | AT_RECURSIVE | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
const PROPAGATIONS: readonly number[] = [0, MS_SHARED, MS_PRIVATE, MS_SLAVE, MS_UNBINDABLE];

/** open_tree(2). Errors: EBADF, EFAULT, EINVAL, EMFILE, EPERM, and those of paths. */
export function sysOpenTree(t: Task, a: SyscallArgs): SysResult {
  const dfd = a.i32(0);
  const pathname = a.u64(1);
  const flags = a.u32(2);

  if ((flags & ~OPEN_TREE_FLAGS) !== 0) return -EINVAL;
  if ((flags & AT_RECURSIVE) !== 0 && (flags & OPEN_TREE_CLONE) === 0) return -EINVAL;
  const isClone = (flags & OPEN_TREE_CLONE) !== 0;
  if (isClone && !isMountAdmin(t)) return -EPERM;
  const path = pathAt(t, dfd, pathname, lookupOf(flags));
  if (typeof path === 'number') return path;
  const { vfs } = t.kernel;
  const made = isClone ? detachedCopy(vfs, path, (flags & AT_RECURSIVE) !== 0) : vfs.openPath(t, path, O_PATH);
  path.decRef();
  if (typeof made === 'number') return made;
  const file = 'mounts' in made ? new DetachedMountFile(made) : made;
  return t.fds.install(file, 0, (flags & O_CLOEXEC) !== 0);
}

/** move_mount(2). Errors: EBADF, EFAULT, EINVAL, ELOOP, EPERM, and those of paths. */
export function sysMoveMount(t: Task, a: SyscallArgs): SysResult {
  const fromDfd = a.i32(0);
  const fromPathname = a.u64(1);
  const toDfd = a.i32(2);
  const toPathname = a.u64(3);
  const flags = a.u32(4);

  if (!isMountAdmin(t)) return -EPERM;
  if ((flags & ~MOVE_MOUNT_FLAGS) !== 0) return -EINVAL;
  const has = (bit: number, lookup: number): number => ((flags & bit) !== 0 ? lookup : 0);
  const fromLookup = has(MOVE_MOUNT_F_SYMLINKS, LOOKUP_FOLLOW) | has(MOVE_MOUNT_F_EMPTY_PATH, LOOKUP_EMPTY);
  const from = pathAt(t, fromDfd, fromPathname, fromLookup);
  if (typeof from === 'number') return from;
  const toLookup = has(MOVE_MOUNT_T_SYMLINKS, LOOKUP_FOLLOW) | has(MOVE_MOUNT_T_EMPTY_PATH, LOOKUP_EMPTY);
  const to = pathAt(t, toDfd, toPathname, toLookup);
  const result = typeof to === 'number' ? to : moveTo(t, fromDfd, from, to);
  if (typeof to !== 'number') to.decRef();
  from.decRef();
  return result;
}

function moveTo(t: Task, fromDfd: number, from: VfsPath, to: VfsPath): SysResult {
  const { vfs } = t.kernel;
  if (to.mount.namespace !== t.fs.mountNamespace) return -EINVAL;
  if (from.mount.root.inode!.isDirectory !== to.inode.isDirectory) return -EINVAL;
  if (from.mount.namespace === t.fs.mountNamespace) return moveMount(vfs, from, to);
  // What is detached is reached by the descriptor that holds it, and moves as a whole.
  const file = t.fds.get(fromDfd);
  const isDetached = file instanceof DetachedMountFile && from.mount === file.namespace.root;
  return isDetached && from.dentry === from.mount.root ? attachDetached(vfs, file.namespace, to) : -EINVAL;
}

/** fsopen(2). Errors: EFAULT, EINVAL, EMFILE, ENODEV, EPERM. */
export function sysFsopen(t: Task, a: SyscallArgs): SysResult {
  const fsname = a.u64(0);
  const flags = a.u32(1);

  if (!isMountAdmin(t)) return -EPERM;
  if ((flags & ~FSOPEN_CLOEXEC) !== 0) return -EINVAL;
  const name = t.mm.copyInString(fsname, TYPE_BYTES_MAX);
  if (typeof name === 'number') return name === -EFAULT ? -EFAULT : -EINVAL;
  const type = t.kernel.vfs.typeNamed(name);
  if (type === undefined) return -ENODEV;
  const file = new FsContextFile(t.kernel.anonymousFiles.createInode('[fscontext]'), type, null);
  return t.fds.install(file, 0, (flags & FSOPEN_CLOEXEC) !== 0);
}

/** fspick(2). Errors: EBADF, EFAULT, EINVAL, EMFILE, EPERM, and those of paths. */
export function sysFspick(t: Task, a: SyscallArgs): SysResult {
  const dfd = a.i32(0);
  const pathname = a.u64(1);
  const flags = a.u32(2);

  if (!isMountAdmin(t)) return -EPERM;
  if ((flags & ~FSPICK_FLAGS) !== 0) return -EINVAL;
  const follow = (flags & FSPICK_SYMLINK_NOFOLLOW) === 0 ? LOOKUP_FOLLOW : 0;
  const path = pathAt(t, dfd, pathname, follow | ((flags & FSPICK_EMPTY_PATH) !== 0 ? LOOKUP_EMPTY : 0));
  if (typeof path === 'number') return path;
  if (path.dentry !== path.mount.root) {
    path.decRef();
    return -EINVAL;
  }
  const file = new FsContextFile(t.kernel.anonymousFiles.createInode('[fscontext]'), null, path);
  file.isReadOnly = path.mount.superBlock.isReadOnly;
  return t.fds.install(file, 0, (flags & FSPICK_CLOEXEC) !== 0);
}

/** fsconfig(2). Errors: EBADF, EBUSY, EFAULT, EINVAL, EOPNOTSUPP, EPERM, and what the filesystem says. */
export function sysFsconfig(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const cmd = a.u32(1);
  const keyAddr = a.u64(2);
  const valueAddr = a.u64(3);
  const aux = a.i32(4);

  if (fd < 0) return -EINVAL;
  const invalid = checkParameter(cmd, keyAddr !== 0, valueAddr !== 0, aux);
  if (invalid < 0) return invalid;
  const context = t.fds.get(fd);
  if (context === undefined || context.isPathOnly) return -EBADF;
  if (!(context instanceof FsContextFile)) return -EINVAL;
  const key = keyAddr === 0 ? '' : parameterAt(t, keyAddr);
  if (typeof key === 'number') return key;
  const value = valueAddr === 0 ? '' : parameterAt(t, valueAddr);
  if (typeof value === 'number') return value;
  if (cmd === FSCONFIG_CMD_CREATE) return createFileSystem(t, context);
  if (cmd === FSCONFIG_CMD_RECONFIGURE) return reconfigure(t, context);
  if (context.phase === FsContextPhase.MADE) return -EBUSY;
  return setParameter(context, cmd === FSCONFIG_SET_FLAG, key, value);
}

function checkParameter(cmd: number, hasKey: boolean, hasValue: boolean, aux: number): 0 | Errno {
  switch (cmd) {
    case FSCONFIG_SET_FLAG:
      return hasKey && !hasValue && aux === 0 ? 0 : -EINVAL;
    case FSCONFIG_SET_STRING:
      return hasKey && hasValue && aux === 0 ? 0 : -EINVAL;
    case FSCONFIG_CMD_CREATE:
    case FSCONFIG_CMD_RECONFIGURE:
      return hasKey || hasValue || aux !== 0 ? -EINVAL : 0;
    case FSCONFIG_SET_BINARY:
    case FSCONFIG_SET_PATH:
    case FSCONFIG_SET_PATH_EMPTY:
    case FSCONFIG_SET_FD:
      // No filesystem has parameters of these kinds.
      return -EINVAL;
    default:
      return -EOPNOTSUPP;
  }
}

/** Notes a parameter. Those that only the filesystem knows are checked when it is made. */
function setParameter(context: FsContextFile, isFlag: boolean, key: string, value: string): 0 | Errno {
  if (isFlag && (key === 'ro' || key === 'rw')) {
    context.isReadOnly = key === 'ro';
  } else if (!isFlag && key === 'source') {
    if (context.source !== null) return -EINVAL;
    context.source = value;
  } else {
    const option = isFlag ? key : `${key}=${value}`;
    context.optionBytes += option.length + 1;
    if (context.optionBytes > PAGE_BYTES) return -EINVAL;
    context.options.push(option);
  }
  return 0;
}

function createFileSystem(t: Task, context: FsContextFile): SysResult {
  if (context.phase !== FsContextPhase.PARAMETERS || context.type === null) return -EBUSY;
  if (!isMountAdmin(t)) return -EPERM;
  const request = { source: context.source ?? '', data: context.options.join(','), caller: t };
  const fs = context.type.create(request);
  if (typeof fs === 'number') return fs;
  context.fs = fs;
  context.phase = FsContextPhase.MADE;
  return 0;
}

function reconfigure(t: Task, context: FsContextFile): SysResult {
  if (context.phase !== FsContextPhase.RECONFIGURE || context.picked === null) return -EBUSY;
  if (!isMountAdmin(t)) return -EPERM;
  if (context.options.length > 0) return -EINVAL;
  context.picked.mount.superBlock.isReadOnly = context.isReadOnly;
  return 0;
}

/** fsmount(2). Errors: EBADF, EINVAL, EMFILE, EPERM. */
export function sysFsmount(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const flags = a.u32(1);
  const attributes = a.u32(2);

  if (!isMountAdmin(t)) return -EPERM;
  if ((flags & ~FSMOUNT_CLOEXEC) !== 0) return -EINVAL;
  const mountFlags = mountFlagsOf(attributes);
  if (mountFlags < 0) return mountFlags;
  const context = t.fds.get(fd);
  if (context === undefined || context.isPathOnly) return -EBADF;
  if (!(context instanceof FsContextFile) || context.phase !== FsContextPhase.MADE || context.fs === null) {
    return -EINVAL;
  }
  const namespace = detachedMount(t.kernel.vfs, context.fs, context.source ?? 'none', mountFlags);
  if (context.isReadOnly) namespace.root.superBlock.isReadOnly = true;
  context.phase = FsContextPhase.RECONFIGURE;
  return t.fds.install(new DetachedMountFile(namespace), 0, (flags & FSMOUNT_CLOEXEC) !== 0);
}

/** mount_setattr(2). Errors: E2BIG, EBADF, EFAULT, EINVAL, EPERM, and those of paths. Differs: no ID mappings (EINVAL). */
export function sysMountSetattr(t: Task, a: SyscallArgs): SysResult {
  const dfd = a.i32(0);
  const pathname = a.u64(1);
  const flags = a.u32(2);
  const uattr = a.u64(3);
  const usize = a.u64(4);

  if ((flags & ~SETATTR_FLAGS) !== 0) return -EINVAL;
  if (usize > PAGE_BYTES) return -E2BIG;
  if (usize < MOUNT_ATTR_SIZE_VER0) return -EINVAL;
  if (!isMountAdmin(t)) return -EPERM;
  const { scratch, scratchView: mem } = t.kernel;
  if (t.mm.copyIn(scratch, 0, uattr, usize) < 0) return -EFAULT;
  for (let at = MOUNT_ATTR_SIZE_VER0; at < usize; at++) if (scratch[at] !== 0) return -E2BIG;
  const [attrSet, attrClr] = [loadU64(mem, MOUNT_ATTR_SET), loadU64(mem, MOUNT_ATTR_CLR)];
  const propagation = loadU64(mem, MOUNT_ATTR_PROPAGATION);
  if (attrSet === 0 && attrClr === 0 && propagation === 0) return 0;
  if (attrSet > 0x7fff_ffff || attrClr > 0x7fff_ffff || !PROPAGATIONS.includes(propagation)) return -EINVAL;
  const change = flagChangeOf(attrSet, attrClr);
  if (typeof change === 'number') return change;
  const path = pathAt(t, dfd, pathname, lookupOf(flags));
  if (typeof path === 'number') return path;
  const result = setAttributes(t, path, change.set, change.clear, propagation, (flags & AT_RECURSIVE) !== 0);
  path.decRef();
  return result;
}

/** Changes one mount, or a tree of them: all or none. */
function setAttributes(
  t: Task,
  path: VfsPath,
  set: number,
  clear: number,
  propagation: number,
  isRecursive: boolean,
): SysResult {
  const { mount } = path;
  if (path.dentry !== mount.root || mount.namespace === null) return -EINVAL;
  const isDetached = mount.namespace.root === mount && mount.parent === null;
  if (mount.namespace !== t.fs.mountNamespace && !isDetached) return -EINVAL;
  const mounts = isRecursive ? mountTree(mount) : [mount];
  if (mounts.some(({ flags, lockedFlags }) => (lockedFlags & ~((flags & ~clear) | set)) !== 0)) return -EPERM;
  for (const each of mounts) each.flags = (each.flags & ~clear) | set;
  return propagation === 0 ? 0 : setPropagation(t.kernel.vfs, path, propagation, isRecursive);
}

/** A key or value. Errors: EFAULT, EINVAL when it is too long. */
function parameterAt(t: Task, addr: number): string | Errno {
  const text = t.mm.copyInString(addr, PARAMETER_BYTES_MAX);
  return typeof text === 'string' || text === -EFAULT ? text : -EINVAL;
}
