import { AT_FDCWD, SIZEOF_STATFS, storeStatfs, type SysResult } from '@tsv/abi';
import { LOOKUP_FOLLOW, statfsFlags, type VfsPath } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import { pathAt, pathOfFile } from './path-argument.js';
import { EBADF } from '@tsv/abi';
import type { SyscallArgs } from './syscall-args.js';

/** statfs(2). Errors: EACCES, EFAULT, ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR. */
export function sysStatfs(t: Task, a: SyscallArgs): SysResult {
  const pathname = a.u64(0);
  const buf = a.u64(1);

  const path = pathAt(t, AT_FDCWD, pathname, LOOKUP_FOLLOW);
  return typeof path === 'number' ? path : putStatfs(t, path, buf);
}

/** fstatfs(2). Errors: EBADF, EFAULT. */
export function sysFstatfs(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const buf = a.u64(1);

  const file = t.fds.get(fd);
  return file === undefined ? -EBADF : putStatfs(t, pathOfFile(t, file), buf);
}

/** Consumes the reference of `path`. */
function putStatfs(t: Task, path: VfsPath, addr: number): SysResult {
  const { mount } = path;
  const statistics = mount.fs.statistics();
  storeStatfs(t.kernel.scratchView, 0, statistics, mount.fs.dev, statfsFlags(mount.effectiveFlags));
  path.decRef();
  return t.mm.copyOut(addr, t.kernel.scratch, 0, SIZEOF_STATFS);
}
