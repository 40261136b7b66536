import {
  AT_FDCWD,
  CAP_SYS_ADMIN,
  EAGAIN,
  EFAULT,
  EINVAL,
  ENODEV,
  EPERM,
  MNT_DETACH,
  MNT_EXPIRE,
  MNT_FORCE,
  MS_BIND,
  MS_MGC_MSK,
  MS_MGC_VAL,
  MS_MOVE,
  MS_NOATIME,
  MS_PRIVATE,
  MS_REC,
  MS_RELATIME,
  MS_REMOUNT,
  MS_SHARED,
  MS_SILENT,
  MS_SLAVE,
  MS_STRICTATIME,
  MS_UNBINDABLE,
  UMOUNT_NOFOLLOW,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import {
  LOOKUP_DIRECTORY,
  LOOKUP_FOLLOW,
  bindMount,
  mountFileSystem,
  moveMount,
  pivotRoot,
  remount,
  remountBind,
  setPropagation,
  unmount,
  type VfsPath,
} from '@tsv/vfs';
import { UserNamespace } from '../namespace/user-namespace.js';
import type { Task } from '../task/task.js';
import { pathAt } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

const PROPAGATION_FLAGS = MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE;
const UMOUNT_FLAGS = MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW;
const STRING_BYTES_MAX = 4096;

/** mount(2). Errors: EACCES, EBUSY, EFAULT, EINVAL, ELOOP, ENODEV, ENOENT, ENOSPC, ENOTDIR, EPERM. */
export function sysMount(t: Task, a: SyscallArgs): SysResult {
  const source = a.u64(0);
  const target = a.u64(1);
  const filesystemtype = a.u64(2);
  const mountflags = a.u32(3);
  const data = a.u64(4);

  const typeName = stringAt(t, filesystemtype);
  if (typeof typeName === 'number') return typeName;
  const sourceName = stringAt(t, source);
  if (typeof sourceName === 'number') return sourceName;
  const options = stringAt(t, data);
  if (typeof options === 'number') return options;
  const at = pathAt(t, AT_FDCWD, target, LOOKUP_FOLLOW);
  if (typeof at === 'number') return at;
  const result = mountAt(t, sourceName, at, typeName, cleanFlags(mountflags), options);
  at.decRef();
  return result;
}

/** umount2(2). Errors: EAGAIN, EBUSY, EFAULT, EINVAL, ENOENT, EPERM. */
export function sysUmount2(t: Task, a: SyscallArgs): SysResult {
  const target = a.u64(0);
  const flags = a.u32(1);

  if ((flags & ~UMOUNT_FLAGS) !== 0) return -EINVAL;
  if ((flags & MNT_EXPIRE) !== 0 && (flags & (MNT_FORCE | MNT_DETACH)) !== 0) return -EINVAL;
  const at = pathAt(t, AT_FDCWD, target, (flags & UMOUNT_NOFOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW);
  if (typeof at === 'number') return at;
  let result: SysResult = -EPERM;
  if (isMountAdmin(t)) {
    result = at.mount.namespace === t.fs.mountNamespace ? unmount(at, flags) : -EINVAL;
  }
  const { mount } = at;
  at.decRef();
  // Giving the path back counts as a use of the mount, and ends its expiry.
  if (result === -EAGAIN) mount.isExpiring = true;
  return result;
}

/** pivot_root(2). Errors: EBUSY, EINVAL, ENOTDIR, EPERM. */
export function sysPivotRoot(t: Task, a: SyscallArgs): SysResult {
  const newRoot = a.u64(0);
  const putOld = a.u64(1);

  if (!isMountAdmin(t)) return -EPERM;
  const to = pathAt(t, AT_FDCWD, newRoot, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  if (typeof to === 'number') return to;
  const old = pathAt(t, AT_FDCWD, putOld, LOOKUP_FOLLOW | LOOKUP_DIRECTORY);
  let result: SysResult;
  if (typeof old === 'number') {
    result = old;
  } else {
    const root = t.root;
    root.incRef();
    result = pivotRoot(t.fs.mountNamespace, root, to, old);
    if (result === 0) moveRoots(t, root, to);
    root.decRef();
    old.decRef();
  }
  to.decRef();
  return result;
}

/** Processes whose root or working directory was the old root go to the new one, pivot_root(2). */
function moveRoots(t: Task, from: VfsPath, to: VfsPath): void {
  for (const group of t.kernel.tasks.threadGroups()) {
    for (const { fs, hasExited } of group.tasks) {
      if (hasExited) continue;
      if (fs.root.equals(from)) fs.setRoot(to);
      if (fs.cwd.equals(from)) fs.setCwd(to);
    }
  }
}

function mountAt(t: Task, source: string, at: VfsPath, typeName: string, flags: number, options: string): SysResult {
  if (!isMountAdmin(t)) return -EPERM;
  if (at.mount.namespace !== t.fs.mountNamespace) return -EINVAL;
  const { vfs } = t.kernel;
  if ((flags & (MS_REMOUNT | MS_BIND)) === (MS_REMOUNT | MS_BIND)) return remountBind(at, flags);
  if ((flags & MS_REMOUNT) !== 0) {
    // A filesystem that another namespace mounted is not this one's to change.
    return at.mount.copiedFromId !== 0 && t.creds.userNs.level > 0 ? -EPERM : remount(at, flags);
  }
  if ((flags & MS_BIND) !== 0) {
    return withSource(t, source, (from) => bindMount(vfs, from, at, (flags & MS_REC) !== 0));
  }
  if ((flags & PROPAGATION_FLAGS) !== 0) return changePropagation(t, at, flags);
  if ((flags & MS_MOVE) !== 0) return withSource(t, source, (from) => moveMount(vfs, from, at));
  const type = vfs.typeNamed(typeName);
  if (type === undefined) return typeName === '' ? -EINVAL : -ENODEV;
  const fs = type.create({ source, data: options, caller: t });
  if (typeof fs === 'number') return fs;
  return mountFileSystem(vfs, fs, source === '' ? 'none' : source, at, flags);
}

function withSource(t: Task, source: string, use: (from: VfsPath) => SysResult): SysResult {
  const from = t.kernel.vfs.resolve(t, t.cwd, source, LOOKUP_FOLLOW);
  if (typeof from === 'number') return from;
  const result = use(from);
  from.decRef();
  return result;
}

function changePropagation(t: Task, at: VfsPath, flags: number): SysResult {
  if ((flags & ~(PROPAGATION_FLAGS | MS_REC | MS_SILENT | MS_RELATIME)) !== 0) return -EINVAL;
  const type = flags & PROPAGATION_FLAGS;
  if ((type & (type - 1)) !== 0) return -EINVAL;
  return setPropagation(t.kernel.vfs, at, type, (flags & MS_REC) !== 0);
}

/** Whether `t` may change the mounts that it sees, mount_namespaces(7). */
export function isMountAdmin(t: Task): boolean {
  const { owner } = t.fs.mountNamespace;
  return t.creds.hasCapIn(owner instanceof UserNamespace ? owner : t.kernel.userNs, CAP_SYS_ADMIN);
}

/** Without the old magic number, and with relatime where no other choice was made. */
function cleanFlags(mountflags: number): number {
  let flags = mountflags | 0;
  if ((flags & MS_MGC_MSK) >>> 0 === MS_MGC_VAL) flags &= ~MS_MGC_MSK;
  if ((flags & MS_NOATIME) === 0) flags |= MS_RELATIME;
  if ((flags & MS_STRICTATIME) !== 0) flags &= ~(MS_RELATIME | MS_NOATIME);
  return flags;
}

/** A string argument; a null pointer is an empty one. Errors: EFAULT, EINVAL when it is too long. */
function stringAt(t: Task, addr: number): string | Errno {
  if (addr === 0) return '';
  const text = t.mm.copyInString(addr, STRING_BYTES_MAX);
  return typeof text === 'string' ? text : text === -EFAULT ? text : -EINVAL;
}
