import type { ThreadGroup } from '@tsv/kernel';
import type { Loader } from '../loader.js';
import type { Container } from './container.js';

/** A row of `ps`. IDs are those that the container sees. */
export interface ProcessRow {
  readonly uid: number;
  readonly pid: number;
  readonly parentPid: number;
  readonly threadCount: number;
  /** CPU use in percent since its start. */
  readonly cpuPercent: number;
  readonly tty: string;
  /** Milliseconds since 1970 at its start. */
  readonly startedMs: number;
  readonly cpuMs: number;
  readonly command: string;
  /** The host's process that stands for it, 0 if none does. */
  readonly hostPid: number;
}

/** The processes of a container that have not ended, the oldest first. */
export function listProcesses(loader: Loader, container: Container): ProcessRow[] {
  return container.threadGroups.filter((group) => !group.isZombie).map((group) => describe(loader, container, group));
}

/** CPU time of a process in milliseconds. */
export function cpuTimes(group: ThreadGroup): { userMs: number; systemMs: number } {
  let { userMs, systemMs } = group.exitedTimes;
  for (const { hasExited, times } of group.tasks) {
    if (hasExited) continue;
    userMs += times.userMs;
    systemMs += times.systemMs;
  }
  return { userMs, systemMs };
}

function describe(loader: Loader, container: Container, group: ThreadGroup): ProcessRow {
  const { kernel } = loader;
  const ns = container.ns.pidForChildren;
  const { userMs, systemMs } = cpuTimes(group);
  const nowMs = kernel.clock.monotonicMs();
  const ageMs = Math.max(1, nowMs - group.startMs);
  const rdev = group.session.tty?.rdev ?? 0;
  return {
    uid: group.leader.creds.uid,
    pid: group.pidIn(ns),
    parentPid: group.parent?.pidIn(ns) ?? 0,
    threadCount: group.liveCount,
    cpuPercent: Math.min(99, Math.floor((100 * (userMs + systemMs)) / ageMs)),
    tty: rdev === 0 ? '?' : `pts/${rdev & 0xff}`,
    startedMs: kernel.clock.realtimeMs() - ageMs,
    cpuMs: userMs + systemMs,
    command: group.leader.comm,
    hostPid: loader.hostPidOf(group),
  };
}
