import { EACCES, EINVAL, EPERM, ESRCH, SYS_getpid, SYS_getppid, SYS_gettid, type SysResult } from '@tsv/abi';
import { ProcessGroup, Session } from '../task/session.js';
import type { Task } from '../task/task.js';
import type { ThreadGroup } from '../task/thread-group.js';
import type { SyscallArgs } from './syscall-args.js';

/** getpid(2). */
export function sysGetpid(t: Task): SysResult {
  return t.answer(SYS_getpid, t.threadGroup.leader.threadPid.number);
}

/** gettid(2). */
export function sysGettid(t: Task): SysResult {
  return t.answer(SYS_gettid, t.threadPid.number);
}

/** getppid(2). */
export function sysGetppid(t: Task): SysResult {
  return t.answer(SYS_getppid, t.threadGroup.parent?.pidIn(t.pidNs) ?? 0);
}

/** getpgid(2). Errors: ESRCH. */
export function sysGetpgid(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const group = pid === 0 ? t.threadGroup : groupOf(t, pid);
  return group === null ? -ESRCH : group.processGroup.id.in(t.pidNs);
}

/** getpgrp(2). */
export function sysGetpgrp(t: Task): SysResult {
  return t.threadGroup.processGroup.id.in(t.pidNs);
}

/** getsid(2). Errors: ESRCH. */
export function sysGetsid(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const group = pid === 0 ? t.threadGroup : groupOf(t, pid);
  return group === null ? -ESRCH : group.session.id.in(t.pidNs);
}

/** setsid(2). Errors: EPERM. */
export function sysSetsid(t: Task): SysResult {
  const group = t.threadGroup;
  const id = group.leader.threadPid;
  if (id.processGroup !== null || id.session !== null) return -EPERM;
  moveToGroup(group, new ProcessGroup(id, new Session(group)));
  return id.number;
}

/** setpgid(2). Errors: EACCES, EINVAL, EPERM, ESRCH. */
export function sysSetpgid(t: Task, a: SyscallArgs): SysResult {
  const pid = a.i32(0);
  const pgid = a.i32(1);
  if (pgid < 0) return -EINVAL;

  const own = t.threadGroup;
  const group = pid === 0 ? own : groupOf(t, pid);
  if (group === null) return -ESRCH;
  if (group !== own) {
    if (group.parent !== own) return -ESRCH;
    if (group.session !== own.session) return -EPERM;
    if (group.hasExeced) return -EACCES;
  }
  if (group.isSessionLeader) return -EPERM;
  const id = group.leader.threadPid;
  if (pgid === 0 || pgid === id.in(t.pidNs)) {
    if (id.processGroup !== group.processGroup)
      moveToGroup(group, id.processGroup ?? new ProcessGroup(id, group.session));
    return 0;
  }
  const target = t.pidNs.lookup(pgid)?.processGroup ?? null;
  if (target === null || target.session !== own.session) return -EPERM;
  if (target !== group.processGroup) moveToGroup(group, target);
  return 0;
}

/** set_tid_address(2). */
export function sysSetTidAddress(t: Task, a: SyscallArgs): SysResult {
  t.clearChildTid = a.u64(0);
  return t.threadPid.number;
}

function groupOf(t: Task, pid: number): ThreadGroup | null {
  const task = t.pidNs.lookup(pid)?.task ?? null;
  return task !== null && task.isLeader ? task.threadGroup : null;
}

/** The new group is joined first: a session must not end in between. */
function moveToGroup(group: ThreadGroup, target: ProcessGroup): void {
  const old = group.processGroup;
  target.add(group);
  old.remove(group);
}
