import {
  CAP_SYS_ADMIN,
  CAP_SYS_CHROOT,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  EBADF,
  EINVAL,
  EPERM,
  ESRCH,
  type SysResult,
} from '@tsv/abi';
import { MountNamespace } from '@tsv/vfs';
import { CapSet } from '../cred/cap-set.js';
import { mayInspect } from '../cred/inspect-permission.js';
import { CgroupNamespace } from '../namespace/cgroup-namespace.js';
import { IpcNamespace } from '../namespace/ipc-namespace.js';
import { NamespaceFile, namespaceFlag, type Namespace } from '../namespace/namespace-files.js';
import { NetNamespace } from '../namespace/net-namespace.js';
import { PidNamespace } from '../namespace/pid-namespace.js';
import { UserNamespace } from '../namespace/user-namespace.js';
import { UtsNamespace } from '../namespace/uts-namespace.js';
import { PidFile } from '../task/pid-file.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const KNOWN = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWUSER;

/** setns(2). Errors: EBADF, EINVAL, EPERM, ESRCH. */
export function sysSetns(t: Task, a: SyscallArgs): SysResult {
  const fd = a.i32(0);
  const type = a.u32(1);
  const file = t.fds.get(fd);
  if (file === undefined) return -EBADF;
  if (file instanceof NamespaceFile) {
    if (type !== 0 && type !== namespaceFlag(file.namespace)) return -EINVAL;
    return enterAll(t, [file.namespace]);
  }
  if (!(file instanceof PidFile) || type === 0 || (type & ~KNOWN) !== 0) return -EINVAL;
  const target = file.threadGroup?.leader ?? null;
  if (target === null || target.hasExited) return -ESRCH;
  return mayInspect(t, target) ? enterAll(t, namespacesOf(target, type)) : -EPERM;
}

/** The namespaces of `target` that `type` names; the user namespace comes first, for its capabilities. */
function namespacesOf(target: Task, type: number): Namespace[] {
  const { uts, ipc, net } = target.ns;
  const all: Namespace[] = [target.creds.userNs, uts, ipc, net, target.pidNs, target.fs.mountNamespace];
  return all.filter((namespace) => (type & namespaceFlag(namespace)) !== 0);
}

/** Enters the namespaces after all of them were checked. */
function enterAll(t: Task, namespaces: readonly Namespace[]): SysResult {
  const into = namespaces.find((namespace) => namespace instanceof UserNamespace) ?? t.creds.userNs;
  for (const namespace of namespaces) {
    const error = check(t, namespace, into);
    if (error < 0) return error;
  }
  for (const namespace of namespaces) enter(t, namespace);
  return 0;
}

function check(t: Task, namespace: Namespace, into: UserNamespace): SysResult {
  const { creds } = t;
  if (namespace instanceof UserNamespace) {
    if (namespace === creds.userNs || t.threadGroup.liveCount > 1 || t.fs.refCount > 1) return -EINVAL;
    return creds.hasCapIn(namespace, CAP_SYS_ADMIN) ? 0 : -EPERM;
  }
  const hasOwnAdmin = into !== creds.userNs || creds.hasCap(CAP_SYS_ADMIN);
  if (namespace instanceof MountNamespace) {
    if (t.fs.refCount > 1) return -EINVAL;
    return hasOwnAdmin && (into !== creds.userNs || creds.hasCap(CAP_SYS_CHROOT)) ? 0 : -EPERM;
  }
  const isOwnerAdmin = into.contains(namespace.userNs) && into !== creds.userNs;
  if (!hasOwnAdmin || !(isOwnerAdmin || creds.hasCapIn(namespace.userNs, CAP_SYS_ADMIN))) return -EPERM;
  return namespace instanceof PidNamespace && !t.pidNs.contains(namespace) ? -EINVAL : 0;
}

function enter(t: Task, namespace: Namespace): void {
  if (namespace instanceof UserNamespace) {
    const { FULL, EMPTY } = CapSet;
    const caps = { permitted: FULL, effective: FULL, bounding: FULL, inheritable: EMPTY, ambient: EMPTY };
    t.creds = t.creds.with({ userNs: namespace, securebits: 0, ...caps });
  } else if (namespace instanceof MountNamespace) {
    namespace.incRef();
    t.fs.enterMountNamespace(namespace);
  } else if (namespace instanceof UtsNamespace) t.ns = { ...t.ns, uts: namespace };
  else if (namespace instanceof IpcNamespace) t.ns = { ...t.ns, ipc: namespace };
  else if (namespace instanceof NetNamespace) t.ns = { ...t.ns, net: namespace };
  else if (namespace instanceof CgroupNamespace) t.ns = { ...t.ns, cgroup: namespace };
  else t.ns = { ...t.ns, pidForChildren: namespace };
}
