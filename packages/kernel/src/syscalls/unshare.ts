import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
  EINVAL,
  type SysResult,
} from '@tsv/abi';
import { leaveSemaphoreUndo } from '../ipc/semaphore-undo.js';
import { changeNamespaces } from '../namespace/change-namespaces.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const NAMESPACES =
  CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWCGROUP;
const KNOWN = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | NAMESPACES;

/** unshare(2). Errors: EINVAL, ENOMEM, ENOSPC, EPERM. */
export function sysUnshare(t: Task, a: SyscallArgs): SysResult {
  let flags = a.u32(0);
  if ((flags & ~KNOWN) !== 0) return -EINVAL;
  if ((flags & CLONE_NEWUSER) !== 0) flags |= CLONE_THREAD | CLONE_FS;
  if ((flags & CLONE_VM) !== 0) flags |= CLONE_SIGHAND;
  if ((flags & CLONE_SIGHAND) !== 0) flags |= CLONE_THREAD;
  if ((flags & CLONE_NEWNS) !== 0) flags |= CLONE_FS;
  const isAlone = t.threadGroup.liveCount === 1;
  if ((flags & CLONE_THREAD) !== 0 && !isAlone) return -EINVAL;
  if ((flags & CLONE_SIGHAND) !== 0 && t.threadGroup.signalActions.refCount > 1) return -EINVAL;

  const change = changeNamespaces(t, flags >>> 0);
  if (typeof change === 'number') return change;
  if ((flags & CLONE_FS) !== 0) unshareFs(t);
  if ((flags & CLONE_FILES) !== 0) unshareFiles(t);
  if ((flags & (CLONE_SYSVSEM | CLONE_NEWIPC)) !== 0) leaveSemaphoreUndo(t);
  t.creds = change.creds;
  t.ns = change.ns;
  if (change.mountNs !== null) t.fs.enterMountNamespace(change.mountNs);
  return 0;
}

function unshareFs(t: Task): void {
  const { fs } = t;
  if (fs.refCount === 1) return;
  t.fs = fs.fork();
  fs.decRef();
}

function unshareFiles(t: Task): void {
  const { fds } = t;
  if (fds.refCount === 1) return;
  t.fds = fds.fork();
  fds.decRef(t);
}
