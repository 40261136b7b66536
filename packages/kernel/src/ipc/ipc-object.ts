import {
  CAP_IPC_OWNER,
  CAP_SYS_ADMIN,
  EACCES,
  EINVAL,
  EPERM,
  IPC_PERM_CGID,
  IPC_PERM_CUID,
  IPC_PERM_GID,
  IPC_PERM_KEY,
  IPC_PERM_MODE,
  IPC_PERM_SEQ,
  IPC_PERM_UID,
  type Errno,
} from '@tsv/abi';
import { INVALID_ID } from '../namespace/user-namespace.js';
import type { Task } from '../task/task.js';

/** Access bits of all three classes, as shmget(2) and its kin take them. */
export const S_IRUGO = 0o444;
export const S_IWUGO = 0o222;
export const S_IXUGO = 0o111;
const S_IRWXUGO = 0o777;

/** What shared memory, semaphore sets and message queues have in common, sysvipc(7): who may do what with them. */
export class IpcObject {
  key: number;
  /** Identifier; set by {@link IpcIds.add}. */
  id = -1;
  uid: number;
  gid: number;
  readonly creatorUid: number;
  readonly creatorGid: number;
  mode: number;
  /** Seconds since the Epoch of the last change of owner or mode. */
  changedAt: number;
  /** It has no identifier any more. */
  isRemoved = false;

  constructor(creator: Task, key: number, mode: number) {
    this.key = key;
    this.uid = this.creatorUid = creator.creds.euid;
    this.gid = this.creatorGid = creator.creds.egid;
    this.mode = mode & S_IRWXUGO;
    this.changedAt = nowSeconds(creator);
  }

  /** Whether `task` has all of the access bits in `wanted` (of any class), svipc(7). Errors: EACCES. */
  checkAccess(task: Task, wanted: number): 0 | Errno {
    const { creds } = task;
    const requested = ((wanted >> 6) | (wanted >> 3) | wanted) & 0o7;
    let granted = this.mode;
    if (creds.euid === this.creatorUid || creds.euid === this.uid) granted >>= 6;
    else if (creds.inEffectiveGroup(this.creatorGid) || creds.inEffectiveGroup(this.gid)) granted >>= 3;
    if ((requested & ~granted) === 0) return 0;
    return creds.hasCapIn(task.ns.ipc.userNs, CAP_IPC_OWNER) ? 0 : -EACCES;
  }

  /** Whether `task` may change or remove it: owner, creator, or an administrator. Errors: EPERM. */
  checkOwner(task: Task): 0 | Errno {
    const { euid } = task.creds;
    if (euid === this.uid || euid === this.creatorUid) return 0;
    return task.creds.hasCapIn(task.ns.ipc.userNs, CAP_SYS_ADMIN) ? 0 : -EPERM;
  }

  /** Sets owner and mode from a `struct ipc64_perm` at `at`, IPC_SET. Errors: EINVAL. */
  loadPerm(task: Task, mem: DataView, at: number): 0 | Errno {
    const { userNs } = task.creds;
    const uid = userNs.uidToKernel(mem.getUint32(at + IPC_PERM_UID, true));
    const gid = userNs.gidToKernel(mem.getUint32(at + IPC_PERM_GID, true));
    if (uid === INVALID_ID || gid === INVALID_ID) return -EINVAL;
    this.uid = uid;
    this.gid = gid;
    this.mode = (this.mode & ~S_IRWXUGO) | (mem.getUint32(at + IPC_PERM_MODE, true) & S_IRWXUGO);
    this.changedAt = nowSeconds(task);
    return 0;
  }

  /** Stores a `struct ipc64_perm` as `task` sees it; the memory is zero. */
  storePerm(task: Task, mem: DataView, at: number): void {
    const { userNs } = task.creds;
    mem.setInt32(at + IPC_PERM_KEY, this.key, true);
    mem.setUint32(at + IPC_PERM_UID, userNs.uidInside(this.uid), true);
    mem.setUint32(at + IPC_PERM_GID, userNs.gidInside(this.gid), true);
    mem.setUint32(at + IPC_PERM_CUID, userNs.uidInside(this.creatorUid), true);
    mem.setUint32(at + IPC_PERM_CGID, userNs.gidInside(this.creatorGid), true);
    mem.setUint32(at + IPC_PERM_MODE, this.mode, true);
    mem.setUint16(at + IPC_PERM_SEQ, this.id >>> IPC_INDEX_BITS, true);
  }
}

/** Bits of an identifier that are an index; the others count how often the index was used. */
export const IPC_INDEX_BITS = 15;

/** The time as System V IPC keeps it. */
export function nowSeconds(task: Task): number {
  return Math.floor(task.kernel.clock.realtimeMs() / 1000);
}
