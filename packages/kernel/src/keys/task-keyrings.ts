import type { Kernel } from '../kernel.js';
import type { Task } from '../task/task.js';
import type { Key } from './key.js';

/** The keyrings that a task has beside its user's, keyrings(7). Each is held. */
export class TaskKeyrings {
  thread: Key | null = null;
  /** Shared by the threads of a process. */
  process: Key | null = null;
  session: Key | null = null;
  /** KEYCTL_SET_REQKEY_KEYRING. */
  requestKeyDestination = 0;
}

/** The child of clone(2) has its parent's session keyring, and as a thread the keyring of the process. */
export function inheritKeyrings(parent: Task, child: Task): void {
  const from = parent.keyrings;
  if (from === null) return;
  const { keys } = parent.kernel;
  const to = (child.keyrings = new TaskKeyrings());
  to.session = held(keys, from.session);
  if (child.threadGroup === parent.threadGroup) to.process = held(keys, from.process);
  to.requestKeyDestination = from.requestKeyDestination;
}

/** execve(2): only the session keyring stays. */
export function dropKeyringsOfProgram(task: Task): void {
  const { keyrings, kernel } = task;
  if (keyrings === null) return;
  replaceKeyring(kernel, keyrings, 'thread', null);
  replaceKeyring(kernel, keyrings, 'process', null);
}

/** The task exits. */
export function dropKeyrings(task: Task): void {
  const { keyrings, kernel } = task;
  if (keyrings === null) return;
  for (const which of ['thread', 'process', 'session'] as const) replaceKeyring(kernel, keyrings, which, null);
  task.keyrings = null;
}

/** Puts `key`, which is held from now on, in the place of another keyring. */
export function replaceKeyring(
  { keys }: Kernel,
  keyrings: TaskKeyrings,
  which: 'thread' | 'process' | 'session',
  key: Key | null,
): void {
  const old = keyrings[which];
  keyrings[which] = held(keys, key);
  if (old !== null) keys.drop(old);
}

function held(keys: Kernel['keys'], key: Key | null): Key | null {
  if (key !== null) keys.hold(key);
  return key;
}
