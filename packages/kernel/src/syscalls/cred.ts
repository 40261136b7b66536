import {
  CAP_SETGID,
  CAP_SETUID,
  EFAULT,
  EINVAL,
  EPERM,
  SYS_getegid,
  SYS_geteuid,
  SYS_getgid,
  SYS_getuid,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { withFsuid, withUids } from '../cred/change-ids.js';
import type { Credentials } from '../cred/credentials.js';
import { INVALID_ID } from '../namespace/user-namespace.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** Most supplementary groups, setgroups(2). */
const NGROUPS_MAX = 65536;
/** (uid_t)-1: leave this ID as it is. */
const UNCHANGED = 0xffffffff;

/** getuid(2). */
export function sysGetuid(t: Task): SysResult {
  return answerId(t, SYS_getuid, t.creds.userNs.uidInside(t.creds.uid));
}
/** geteuid(2). */
export function sysGeteuid(t: Task): SysResult {
  return answerId(t, SYS_geteuid, t.creds.userNs.uidInside(t.creds.euid));
}
/** getgid(2). */
export function sysGetgid(t: Task): SysResult {
  return answerId(t, SYS_getgid, t.creds.userNs.gidInside(t.creds.gid));
}
/** getegid(2). */
export function sysGetegid(t: Task): SysResult {
  return answerId(t, SYS_getegid, t.creds.userNs.gidInside(t.creds.egid));
}

/** An ID that is the same until the credentials change; in other user namespaces their mapping may yet be written. */
function answerId(t: Task, nr: number, id: number): SysResult {
  return t.creds.userNs.parent === null ? t.answer(nr, id) : id;
}

/** setuid(2). Errors: EINVAL, EPERM. */
export function sysSetuid(t: Task, a: SyscallArgs): SysResult {
  const old = t.creds;
  const uid = old.userNs.uidToKernel(a.u32(0));
  if (uid === INVALID_ID) return -EINVAL;
  if (old.hasCap(CAP_SETUID)) return commit(t, withUids(old, uid, uid, uid, uid));
  if (uid !== old.uid && uid !== old.suid) return -EPERM;
  return commit(t, withUids(old, old.uid, uid, old.suid, uid));
}

/** setgid(2). Errors: EINVAL, EPERM. */
export function sysSetgid(t: Task, a: SyscallArgs): SysResult {
  const old = t.creds;
  const gid = old.userNs.gidToKernel(a.u32(0));
  if (gid === INVALID_ID) return -EINVAL;
  if (old.hasCap(CAP_SETGID)) return commit(t, old.with({ gid, egid: gid, sgid: gid, fsgid: gid }));
  if (gid !== old.gid && gid !== old.sgid) return -EPERM;
  return commit(t, old.with({ egid: gid, fsgid: gid }));
}

/** setreuid(2). Errors: EINVAL, EPERM. */
export function sysSetreuid(t: Task, a: SyscallArgs): SysResult {
  const old = t.creds;
  const ruid = a.u32(0);
  const euid = a.u32(1);
  const uid = ruid === UNCHANGED ? old.uid : old.userNs.uidToKernel(ruid);
  const newEuid = euid === UNCHANGED ? old.euid : old.userNs.uidToKernel(euid);
  if (uid === INVALID_ID || newEuid === INVALID_ID) return -EINVAL;
  if (!old.hasCap(CAP_SETUID)) {
    if (uid !== old.uid && uid !== old.euid) return -EPERM;
    if (newEuid !== old.uid && newEuid !== old.euid && newEuid !== old.suid) return -EPERM;
  }
  const savesEuid = ruid !== UNCHANGED || (euid !== UNCHANGED && newEuid !== old.uid);
  return commit(t, withUids(old, uid, newEuid, savesEuid ? newEuid : old.suid, newEuid));
}

/** setregid(2). Errors: EINVAL, EPERM. */
export function sysSetregid(t: Task, a: SyscallArgs): SysResult {
  const old = t.creds;
  const rgid = a.u32(0);
  const egid = a.u32(1);
  const gid = rgid === UNCHANGED ? old.gid : old.userNs.gidToKernel(rgid);
  const newEgid = egid === UNCHANGED ? old.egid : old.userNs.gidToKernel(egid);
  if (gid === INVALID_ID || newEgid === INVALID_ID) return -EINVAL;
  if (!old.hasCap(CAP_SETGID)) {
    if (gid !== old.gid && gid !== old.egid) return -EPERM;
    if (newEgid !== old.gid && newEgid !== old.egid && newEgid !== old.sgid) return -EPERM;
  }
  const savesEgid = rgid !== UNCHANGED || (egid !== UNCHANGED && newEgid !== old.gid);
  return commit(t, old.with({ gid, egid: newEgid, sgid: savesEgid ? newEgid : old.sgid, fsgid: newEgid }));
}

/** setresuid(2). Errors: EINVAL, EPERM. */
export function sysSetresuid(t: Task, a: SyscallArgs): SysResult {
  const old = t.creds;
  const choose = (id: number, now: number): number => (id === UNCHANGED ? now : old.userNs.uidToKernel(id));
  const uid = choose(a.u32(0), old.uid);
  const euid = choose(a.u32(1), old.euid);
  const suid = choose(a.u32(2), old.suid);
  if (uid === INVALID_ID || euid === INVALID_ID || suid === INVALID_ID) return -EINVAL;
  const isOwn = (id: number): boolean => id === old.uid || id === old.euid || id === old.suid;
  if (!old.hasCap(CAP_SETUID) && !(isOwn(uid) && isOwn(euid) && isOwn(suid))) return -EPERM;
  return commit(t, withUids(old, uid, euid, suid, euid));
}

/** setresgid(2). Errors: EINVAL, EPERM. */
export function sysSetresgid(t: Task, a: SyscallArgs): SysResult {
  const old = t.creds;
  const choose = (id: number, now: number): number => (id === UNCHANGED ? now : old.userNs.gidToKernel(id));
  const gid = choose(a.u32(0), old.gid);
  const egid = choose(a.u32(1), old.egid);
  const sgid = choose(a.u32(2), old.sgid);
  if (gid === INVALID_ID || egid === INVALID_ID || sgid === INVALID_ID) return -EINVAL;
  const isOwn = (id: number): boolean => id === old.gid || id === old.egid || id === old.sgid;
  if (!old.hasCap(CAP_SETGID) && !(isOwn(gid) && isOwn(egid) && isOwn(sgid))) return -EPERM;
  return commit(t, old.with({ gid, egid, sgid, fsgid: egid }));
}

/** getresuid(2). Errors: EFAULT. */
export function sysGetresuid(t: Task, a: SyscallArgs): SysResult {
  const { userNs, uid, euid, suid } = t.creds;
  return storeThree(t, a, userNs.uidInside(uid), userNs.uidInside(euid), userNs.uidInside(suid));
}

/** getresgid(2). Errors: EFAULT. */
export function sysGetresgid(t: Task, a: SyscallArgs): SysResult {
  const { userNs, gid, egid, sgid } = t.creds;
  return storeThree(t, a, userNs.gidInside(gid), userNs.gidInside(egid), userNs.gidInside(sgid));
}

/** setfsuid(2): returns the former ID, whether it was changed or not. */
export function sysSetfsuid(t: Task, a: SyscallArgs): SysResult {
  const old = t.creds;
  const fsuid = old.userNs.uidToKernel(a.u32(0));
  const isOwn = fsuid === old.uid || fsuid === old.euid || fsuid === old.suid || fsuid === old.fsuid;
  if (fsuid !== INVALID_ID && (isOwn || old.hasCap(CAP_SETUID))) commit(t, withFsuid(old, fsuid));
  return old.userNs.uidInside(old.fsuid);
}

/** setfsgid(2): returns the former ID, whether it was changed or not. */
export function sysSetfsgid(t: Task, a: SyscallArgs): SysResult {
  const old = t.creds;
  const fsgid = old.userNs.gidToKernel(a.u32(0));
  const isOwn = fsgid === old.gid || fsgid === old.egid || fsgid === old.sgid || fsgid === old.fsgid;
  if (fsgid !== INVALID_ID && (isOwn || old.hasCap(CAP_SETGID))) commit(t, old.with({ fsgid }));
  return old.userNs.gidInside(old.fsgid);
}

/** getgroups(2). Errors: EFAULT, EINVAL. */
export function sysGetgroups(t: Task, a: SyscallArgs): SysResult {
  const countMax = a.i32(0);
  const listAddr = a.u64(1);
  const { groups, userNs } = t.creds;
  if (countMax < 0) return -EINVAL;
  if (countMax === 0) return groups.length;
  if (groups.length > countMax) return -EINVAL;
  for (let i = 0; i < groups.length; i++) {
    if (t.mm.store32(listAddr + 4 * i, userNs.gidInside(groups[i]!)) < 0) return -EFAULT;
  }
  return groups.length;
}

/** setgroups(2). Errors: EFAULT, EINVAL, EPERM. */
export function sysSetgroups(t: Task, a: SyscallArgs): SysResult {
  const count = a.u32(0);
  const listAddr = a.u64(1);
  const { userNs } = t.creds;
  if (!t.creds.hasCap(CAP_SETGID) || userNs.gidMap === null || !userNs.isSetgroupsAllowed) return -EPERM;
  if (count > NGROUPS_MAX) return -EINVAL;
  const groups = loadGroups(t, listAddr, count);
  return typeof groups === 'number' ? groups : commit(t, t.creds.with({ groups }));
}

function loadGroups(t: Task, listAddr: number, count: number): number[] | Errno {
  const bytes = new Uint8Array(4 * count);
  if (t.mm.copyIn(bytes, 0, listAddr, bytes.length) < 0) return -EFAULT;
  const mem = new DataView(bytes.buffer);
  const groups: number[] = [];
  for (let i = 0; i < count; i++) {
    const gid = t.creds.userNs.gidToKernel(mem.getUint32(4 * i, true));
    if (gid === INVALID_ID) return -EINVAL;
    groups.push(gid);
  }
  return groups.sort((x, y) => x - y);
}

/** Takes the new credentials. A change of effective IDs makes the process undumpable, prctl(2) PR_SET_DUMPABLE. */
function commit(t: Task, creds: Credentials): 0 {
  const old = t.creds;
  t.creds = creds;
  const isSameIds =
    creds.euid === old.euid && creds.egid === old.egid && creds.fsuid === old.fsuid && creds.fsgid === old.fsgid;
  if (!isSameIds || !creds.permitted.isSubsetOf(old.permitted)) {
    t.threadGroup.dumpable = 0;
    t.parentDeathSignal = 0;
  }
  return 0;
}

function storeThree(t: Task, a: SyscallArgs, first: number, second: number, third: number): SysResult {
  if (t.mm.store32(a.u64(0), first) < 0) return -EFAULT;
  if (t.mm.store32(a.u64(1), second) < 0) return -EFAULT;
  return t.mm.store32(a.u64(2), third);
}
