import {
  CAP_SYS_ADMIN,
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
  ENOSPC,
  EPERM,
  type Errno,
} from '@tsv/abi';
import type { MountNamespace } from '@tsv/vfs';
import { CapSet } from '../cred/cap-set.js';
import type { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { CgroupNamespace } from './cgroup-namespace.js';
import { IpcNamespace } from './ipc-namespace.js';
import { NetNamespace } from './net-namespace.js';
import type { NsProxy } from './ns-proxy.js';
import { PidNamespace } from './pid-namespace.js';
import { UserNamespace } from './user-namespace.js';

/** Namespaces of each kind that may lie within one another, namespaces(7). */
const NESTING_MAX = 32;
const NEEDS_ADMIN = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

/** What CLONE_NEW* flags give a task. */
export interface NamespaceChange {
  readonly creds: Credentials;
  readonly ns: NsProxy;
  /** A new mount namespace with a reference, or null to stay in the old one. */
  readonly mountNs: MountNamespace | null;
}

/** The namespaces that `flags` ask for, made from those of `task`. Errors: ENOSPC, EPERM, ENOMEM. */
export function changeNamespaces(task: Task, flags: number): NamespaceChange | Errno {
  let { creds, ns } = task;
  if ((flags & (NEEDS_ADMIN | CLONE_NEWUSER)) === 0) return { creds, ns, mountNs: null };
  if ((flags & CLONE_NEWUSER) !== 0) {
    const made = enterNewUserNamespace(creds);
    if (typeof made === 'number') return made;
    creds = made;
  }
  if ((flags & NEEDS_ADMIN) !== 0 && !creds.hasCap(CAP_SYS_ADMIN)) return -EPERM;
  const { userNs } = creds;
  let { uts, ipc, net, cgroup, pidForChildren } = ns;
  if ((flags & CLONE_NEWPID) !== 0) {
    if (pidForChildren.level >= NESTING_MAX) return -ENOSPC;
    pidForChildren = new PidNamespace(pidForChildren, userNs);
  }
  if ((flags & CLONE_NEWUTS) !== 0) uts = uts.fork(userNs);
  if ((flags & CLONE_NEWIPC) !== 0) ipc = new IpcNamespace(userNs);
  if ((flags & CLONE_NEWNET) !== 0) net = new NetNamespace(userNs);
  if ((flags & CLONE_NEWCGROUP) !== 0) cgroup = new CgroupNamespace(userNs, task.threadGroup.cgroup);
  ns = { uts, ipc, net, cgroup, pidForChildren };
  if ((flags & CLONE_NEWNS) === 0) return { creds, ns, mountNs: null };
  const mountNs = task.fs.copyMountNamespace(userNs);
  return typeof mountNs === 'number' ? mountNs : { creds, ns, mountNs };
}

/** Credentials with every capability in a new user namespace, user_namespaces(7). */
function enterNewUserNamespace(creds: Credentials): Credentials | Errno {
  const parent = creds.userNs;
  if (parent.level >= NESTING_MAX) return -ENOSPC;
  if (!parent.hasUid(creds.euid) || !parent.hasGid(creds.egid)) return -EPERM;
  return creds.with({
    userNs: new UserNamespace(parent, creds.euid, creds.egid),
    securebits: 0,
    inheritable: CapSet.EMPTY,
    permitted: CapSet.FULL,
    effective: CapSet.FULL,
    bounding: CapSet.FULL,
    ambient: CapSet.EMPTY,
  });
}
