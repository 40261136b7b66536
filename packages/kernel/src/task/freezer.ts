import type { ThreadGroup } from './thread-group.js';

/**
 * Keeps the threads of a process, and of children it may get, from running guest code, as the cgroup freezer does:
 * the process cannot tell, and its parent is not told. System calls that wait go on waiting; signals take effect at
 * {@link thaw}.
 */
export function freeze(group: ThreadGroup): void {
  group.isFrozen = true;
  for (const task of group.tasks) if (task.isInGuest) task.context.interrupt();
}

/** Lets the threads of a frozen process run on. */
export function thaw(group: ThreadGroup): void {
  if (!group.isFrozen) return;
  group.isFrozen = false;
  for (const task of [...group.tasks]) if (task.isHeld && !task.hasExited) group.kernel.dispatcher.release(task);
}
