import {
  O_CREAT,
  O_LARGEFILE,
  O_NOFOLLOW,
  O_RDWR,
  O_TRUNC,
  RLIMIT_CORE,
  SIGABRT,
  SIGBUS,
  SIGFPE,
  SIGILL,
  SIGQUIT,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
  SIGXCPU,
  SIGXFSZ,
  WCOREFLAG,
} from '@tsv/abi';
import type { SigInfo } from '../signal/sig-info.js';
import type { Task } from '../task/task.js';
import { writeCoreFile } from './core-file.js';

/** Signals whose default action is to dump, signal(7). */
const DUMPING: ReadonlySet<number> = new Set([
  SIGQUIT,
  SIGILL,
  SIGTRAP,
  SIGABRT,
  SIGBUS,
  SIGFPE,
  SIGSEGV,
  SIGXCPU,
  SIGXFSZ,
  SIGSYS,
]);
const CORE_FLAGS = O_CREAT | O_RDWR | O_NOFOLLOW | O_LARGEFILE | O_TRUNC;

/** What /proc/sys/kernel/core_pattern and core_uses_pid say, core(5). */
export interface CoreSettings {
  pattern: string;
  usesPid: boolean;
}

/**
 * Writes a core file for the process that `info` ends in `task`, core(5). Returns WCOREFLAG, or 0 where there is none:
 * RLIMIT_CORE or PR_SET_DUMPABLE forbid it, or the file cannot be made. Differs: no program takes it (`|` in the pattern).
 */
export function dumpCore(task: Task, info: SigInfo): number {
  const { threadGroup, kernel } = task;
  if (!DUMPING.has(info.signo) || threadGroup.dumpable !== 1 || threadGroup.isExiting) return 0;
  const limitBytes = threadGroup.limits.soft(RLIMIT_CORE);
  const { pattern, usesPid } = kernel.coreSettings;
  if (limitBytes < 1 || pattern === '' || pattern.startsWith('|')) return 0;
  let name = expandPattern(pattern, task, info);
  if (usesPid && !pattern.includes('%p')) name += `.${threadGroup.pidIn(task.pidNs)}`;
  const file = kernel.vfs.open(task, name, CORE_FLAGS, 0o600);
  if (typeof file === 'number') return 0;
  const isUsable = file.inode.isRegular && file.inode.nlink === 1 && file.inode.uid === task.creds.fsuid;
  const error = isUsable ? writeCoreFile(task, info, file, limitBytes) : -1;
  file.decRef();
  return error === 0 ? WCOREFLAG : 0;
}

/** The name of the file, core(5) "Naming of core dump files". */
export function expandPattern(pattern: string, task: Task, { signo }: SigInfo): string {
  const { threadGroup, creds, kernel } = task;
  const withoutSlashes = (text: string): string => text.replaceAll('/', '!');
  const exe = task.mm.exeFile?.path;
  const values: Readonly<Record<string, () => string | number>> = {
    '%': () => '%',
    p: () => threadGroup.pidIn(task.pidNs),
    P: () => threadGroup.pid,
    i: () => task.threadPid.in(task.pidNs),
    I: () => task.tid,
    u: () => creds.uid,
    g: () => creds.gid,
    d: () => threadGroup.dumpable,
    s: () => signo,
    t: () => Math.floor(kernel.clock.realtimeMs() / 1000),
    h: () => withoutSlashes(task.ns.uts.hostname),
    e: () => withoutSlashes(task.comm),
    f: () => withoutSlashes(exe == null ? task.comm : exe.dentry.name),
    E: () => (exe == null ? withoutSlashes(task.comm) : withoutSlashes(kernel.vfs.pathText(exe, task.root))),
    c: () => threadGroup.limits.soft(RLIMIT_CORE),
  };
  return pattern.replaceAll(/%(.?)/g, (_, letter: string) => String(values[letter]?.() ?? ''));
}
