import {
  EBADF,
  EINVAL,
  IN_ALL_EVENTS,
  IN_CLOEXEC,
  IN_DONT_FOLLOW,
  IN_MASK_ADD,
  IN_MASK_CREATE,
  IN_NONBLOCK,
  IN_ONLYDIR,
  type SysResult,
} from '@tsv/abi';
import { LOOKUP_DIRECTORY, LOOKUP_FOLLOW, MAY_READ, checkPathAccess } from '@tsv/vfs';
import { InotifyFile } from '../fd/inotify-file.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** inotify_init(2). Errors: EMFILE. */
export function sysInotifyInit(t: Task): SysResult {
  return createInotify(t, 0);
}

/** inotify_init1(2). Errors: EINVAL, EMFILE. */
export function sysInotifyInit1(t: Task, a: SyscallArgs): SysResult {
  const flags = a.u32(0);

  return (flags & ~(IN_CLOEXEC | IN_NONBLOCK)) !== 0 ? -EINVAL : createInotify(t, flags);
}

/** inotify_add_watch(2). Errors: EACCES, EBADF, EEXIST, EFAULT, EINVAL, ENOSPC, ENOTDIR, and those of the path. */
export function sysInotifyAddWatch(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const pathname = a.u64(1);
  const mask = a.u32(2);

  if ((mask & IN_ALL_EVENTS) === 0) return -EINVAL;
  if ((mask & IN_MASK_ADD) !== 0 && (mask & IN_MASK_CREATE) !== 0) return -EINVAL;
  const file = t.fds.get(fd);
  if (file === undefined) return -EBADF;
  if (!(file instanceof InotifyFile)) return -EINVAL;
  const text = t.mm.copyInPath(pathname);
  if (typeof text === 'number') return text;
  const lookup =
    ((mask & IN_DONT_FOLLOW) !== 0 ? 0 : LOOKUP_FOLLOW) | ((mask & IN_ONLYDIR) !== 0 ? LOOKUP_DIRECTORY : 0);
  const path = t.kernel.vfs.resolve(t, t.cwd, text, lookup);
  if (typeof path === 'number') return path;
  const access = checkPathAccess(path, MAY_READ, t.creds);
  const result = access < 0 ? access : file.addWatch(path.dentry.inode!, mask);
  path.decRef();
  return result;
}

/** inotify_rm_watch(2). Errors: EBADF, EINVAL. */
export function sysInotifyRmWatch(t: Task, a: SyscallArgs): SysResult {
  const file = t.fds.get(a.i32(0));
  const wd = a.i32(1);

  if (file === undefined) return -EBADF;
  return file instanceof InotifyFile ? file.removeWatch(wd) : -EINVAL;
}

function createInotify(t: Task, flags: number): number {
  const file = InotifyFile.create(t.kernel.anonymousFiles, t.creds.euid, flags);
  return typeof file === 'number' ? file : t.fds.install(file, 0, (flags & IN_CLOEXEC) !== 0);
}
