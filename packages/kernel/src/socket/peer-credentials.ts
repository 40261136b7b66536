import type { Pid } from '../namespace/pid.js';
import type { Task } from '../task/task.js';

/** Who is at the other end, `struct ucred` of unix(7): as it was when the socket was connected or the message sent. */
export interface PeerCredentials {
  readonly pid: Pid | null;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups, SO_PEERGROUPS. */
  readonly groups: readonly number[];
}

/** Nobody: what is told where no credentials were kept. */
export const NO_CREDENTIALS: PeerCredentials = { pid: null, uid: 65534, gid: 65534, groups: [] };

/** Those of `t` with its effective IDs, as SO_PEERCRED tells them. */
export function effectiveCredentials(t: Task): PeerCredentials {
  return { pid: t.threadGroup.leader.threadPid, uid: t.creds.euid, gid: t.creds.egid, groups: t.creds.groups };
}

/** Those of `t` with its real IDs, as messages carry them. */
export function realCredentials(t: Task): PeerCredentials {
  return { pid: t.threadGroup.leader.threadPid, uid: t.creds.uid, gid: t.creds.gid, groups: t.creds.groups };
}
