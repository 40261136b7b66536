import { closeSync, openSync } from 'node:fs';
import { CommandError } from './command.js';

/** Calls `body` with a descriptor of the file at `path`, made empty. Throws {@link CommandError}. */
export async function withOutputFile(path: string, body: (fd: number) => Promise<unknown>): Promise<void> {
  let fd: number;
  try {
    fd = openSync(path, 'w');
  } catch (error) {
    throw new CommandError(`Cannot write "${path}": ${(error as Error).message}`);
  }
  try {
    await body(fd);
  } finally {
    closeSync(fd);
  }
}
