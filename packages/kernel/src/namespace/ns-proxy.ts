import type { CgroupNamespace } from './cgroup-namespace.js';
import type { IpcNamespace } from './ipc-namespace.js';
import type { NetNamespace } from './net-namespace.js';
import type { PidNamespace } from './pid-namespace.js';
import type { UtsNamespace } from './uts-namespace.js';

/** The namespaces of a task but for its user, PID and mount ones. Immutable: a change makes a new one. */
export interface NsProxy {
  readonly uts: UtsNamespace;
  readonly ipc: IpcNamespace;
  readonly net: NetNamespace;
  readonly cgroup: CgroupNamespace;
  /** Where children get their IDs. */
  readonly pidForChildren: PidNamespace;
}
