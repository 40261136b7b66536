import {
  AT_FDCWD,
  E2BIG,
  EFAULT,
  EINVAL,
  ENAMETOOLONG,
  ERANGE,
  XATTR_CREATE,
  XATTR_LIST_MAX,
  XATTR_NAME_MAX,
  XATTR_REPLACE,
  XATTR_SIZE_MAX,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { LOOKUP_FOLLOW, getPathXattr, listPathXattrs, removePathXattr, setPathXattr, type VfsPath } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { pathAt, pathOfFd } from './path-argument.js';
import type { SyscallArgs } from './syscall-args.js';

/** setxattr(2). Errors: E2BIG, EEXIST, EFAULT, EINVAL, ENODATA, ENOSPC, ENOTSUP, EPERM, ERANGE, EROFS. */
export function sysSetxattr(t: Task, a: SyscallArgs): SysResult {
  return set(t, a, pathAt(t, AT_FDCWD, a.u64(0), LOOKUP_FOLLOW));
}
/** lsetxattr(2). Errors: those of setxattr(2). */
export function sysLsetxattr(t: Task, a: SyscallArgs): SysResult {
  return set(t, a, pathAt(t, AT_FDCWD, a.u64(0), 0));
}
/** fsetxattr(2). Errors: those of setxattr(2), EBADF. */
export function sysFsetxattr(t: Task, a: SyscallArgs): SysResult {
  return set(t, a, pathOfFd(t, a.i32(0)));
}

/** getxattr(2). Errors: E2BIG, EFAULT, ENODATA, ENOTSUP, ERANGE. */
export function sysGetxattr(t: Task, a: SyscallArgs): SysResult {
  return get(t, a, pathAt(t, AT_FDCWD, a.u64(0), LOOKUP_FOLLOW));
}
/** lgetxattr(2). Errors: those of getxattr(2). */
export function sysLgetxattr(t: Task, a: SyscallArgs): SysResult {
  return get(t, a, pathAt(t, AT_FDCWD, a.u64(0), 0));
}
/** fgetxattr(2). Errors: those of getxattr(2), EBADF. */
export function sysFgetxattr(t: Task, a: SyscallArgs): SysResult {
  return get(t, a, pathOfFd(t, a.i32(0)));
}

/** listxattr(2). Errors: E2BIG, EFAULT, ENOTSUP, ERANGE. */
export function sysListxattr(t: Task, a: SyscallArgs): SysResult {
  return list(t, a, pathAt(t, AT_FDCWD, a.u64(0), LOOKUP_FOLLOW));
}
/** llistxattr(2). Errors: those of listxattr(2). */
export function sysLlistxattr(t: Task, a: SyscallArgs): SysResult {
  return list(t, a, pathAt(t, AT_FDCWD, a.u64(0), 0));
}
/** flistxattr(2). Errors: those of listxattr(2), EBADF. */
export function sysFlistxattr(t: Task, a: SyscallArgs): SysResult {
  return list(t, a, pathOfFd(t, a.i32(0)));
}

/** removexattr(2). Errors: EFAULT, ENODATA, ENOTSUP, EPERM, ERANGE, EROFS. */
export function sysRemovexattr(t: Task, a: SyscallArgs): SysResult {
  return remove(t, a, pathAt(t, AT_FDCWD, a.u64(0), LOOKUP_FOLLOW));
}
/** lremovexattr(2). Errors: those of removexattr(2). */
export function sysLremovexattr(t: Task, a: SyscallArgs): SysResult {
  return remove(t, a, pathAt(t, AT_FDCWD, a.u64(0), 0));
}
/** fremovexattr(2). Errors: those of removexattr(2), EBADF. */
export function sysFremovexattr(t: Task, a: SyscallArgs): SysResult {
  return remove(t, a, pathOfFd(t, a.i32(0)));
}

/** Consumes the reference of `path`, as the functions below do. */
function set(t: Task, a: SyscallArgs, path: VfsPath | Errno): SysResult {
  const nameAddr = a.u64(1);
  const valueAddr = a.u64(2);
  const size = a.u64(3);
  const flags = a.u32(4);

  if (typeof path === 'number') return path;
  const result = setFrom(t, path, nameAddr, valueAddr, size, flags);
  path.decRef();
  return result;
}

function setFrom(t: Task, path: VfsPath, nameAddr: number, valueAddr: number, size: number, flags: number): SysResult {
  if ((flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
  const name = nameAt(t, nameAddr);
  if (typeof name === 'number') return name;
  if (size > XATTR_SIZE_MAX) return -E2BIG;
  const value = new Uint8Array(size);
  if (t.mm.copyIn(value, 0, valueAddr, size) !== 0) return -EFAULT;
  return setPathXattr(t, path, name, value, flags);
}

function get(t: Task, a: SyscallArgs, path: VfsPath | Errno): SysResult {
  const nameAddr = a.u64(1);
  const valueAddr = a.u64(2);
  const size = a.u64(3);

  if (typeof path === 'number') return path;
  const name = nameAt(t, nameAddr);
  const value = typeof name === 'number' ? name : getPathXattr(t, path, name);
  path.decRef();
  return typeof value === 'number' ? value : putBytes(t, value, valueAddr, size);
}

function list(t: Task, a: SyscallArgs, path: VfsPath | Errno): SysResult {
  const listAddr = a.u64(1);
  const size = a.u64(2);

  if (typeof path === 'number') return path;
  const names = listPathXattrs(t, path);
  path.decRef();
  if (typeof names === 'number') return names;
  const text = names.map((name) => `${name}\0`).join('');
  if (text.length > XATTR_LIST_MAX) return -E2BIG;
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return putBytes(t, bytes, listAddr, size);
}

function remove(t: Task, a: SyscallArgs, path: VfsPath | Errno): SysResult {
  const nameAddr = a.u64(1);

  if (typeof path === 'number') return path;
  const name = nameAt(t, nameAddr);
  const result = typeof name === 'number' ? name : removePathXattr(t, path, name);
  path.decRef();
  return result;
}

/** With no room at all only the length is told. Errors: EFAULT, ERANGE. */
function putBytes(t: Task, bytes: Uint8Array, addr: number, size: number): SysResult {
  if (size === 0) return bytes.length;
  if (size < bytes.length) return -ERANGE;
  const error = t.mm.copyOut(addr, bytes, 0, bytes.length);
  return error < 0 ? error : bytes.length;
}

/** A name too long or empty is ERANGE, xattr(7). */
function nameAt(t: Task, addr: number): string | Errno {
  const name = t.mm.copyInString(addr, XATTR_NAME_MAX + 1);
  if (name === -ENAMETOOLONG) return -ERANGE;
  return name === '' ? -ERANGE : name;
}
