import { SandboxError } from '../sandbox-error.js';

/** What a directory name may have, and what a socket's path keeps room for. */
const ID_LENGTH_MAX = 128;

/** Throws {@link SandboxError} unless `id` can name a container: letters, digits and `_ + - .`, as runc's rule is. */
export function checkContainerId(id: string): void {
  const isName = /^[\w+.-]+$/.test(id) && id !== '.' && id !== '..';
  if (!isName) throw new SandboxError(`Cannot use container ID "${id}": use letters, digits, "_", "+", "-" and "."`);
  if (id.length > ID_LENGTH_MAX) {
    throw new SandboxError(`Cannot use container ID "${id.slice(0, 16)}...": it is longer than ${ID_LENGTH_MAX}`);
  }
}
