import type { Caller } from '@tsv/vfs';
import { Task } from './task.js';

/** The task that makes a file operation which only tasks make. */
export function callingTask(caller: Caller): Task {
  if (!(caller instanceof Task)) throw new Error('callingTask: the caller is not a task');
  return caller;
}
