import type { ThreadGroup } from './thread-group.js';

/** Why a process is frozen, `ThreadGroup.frozenBy`: bits, for it can be for both. */
export const FrozenBy = {
  /** The container is paused. */
  PAUSE: 1,
  /** cgroup.freeze, cgroups(7). SIGKILL ends the process all the same. */
  CGROUP: 2,
} as const;
export type FrozenBy = (typeof FrozenBy)[keyof typeof FrozenBy];

/**
 * Keeps the threads of a process, and of children it may get, from running guest code, as the cgroup freezer does:
 * the process cannot tell, and its parent is not told. System calls that wait go on waiting; signals take effect at
 * {@link thaw}.
 */
export function freeze(group: ThreadGroup, reason: FrozenBy): void {
  group.frozenBy |= reason;
  for (const task of group.tasks) if (task.isInGuest) task.context.interrupt();
}

/** Lets the threads of a frozen process run on, when there is no other reason to hold them. */
export function thaw(group: ThreadGroup, reason: FrozenBy): void {
  if ((group.frozenBy & reason) === 0) return;
  group.frozenBy &= ~reason;
  if (group.frozenBy !== 0) return;
  for (const task of [...group.tasks]) if (task.isHeld && !task.hasExited) group.kernel.dispatcher.release(task);
}
