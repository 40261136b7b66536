import { openat2, unlinkat } from '@tsv/host';
import { AT_FDCWD, ENOENT, O_CLOEXEC, O_DIRECTORY, O_PATH, errnoText } from '@tsv/abi';
import { basename, dirname } from 'node:path';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';

/** Flag of {@link Leftovers.add} for a directory, unlinkat(2). */
export const AT_REMOVEDIR = 0x200;

/**
 * Names that this process has made on the host and is to remove at its end, when it can reach no name any more: it keeps
 * their directories open, unlinkat(2).
 */
export class Leftovers {
  readonly #entries: { readonly dirFd: number; readonly name: string; readonly flags: number }[] = [];

  /** Notes a name to remove; the first that was noted goes first. Throws {@link SandboxError}. */
  add(path: string, flags: number): void {
    const dirFd = openat2(AT_FDCWD, toByteString(dirname(path)), O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);
    if (dirFd < 0) throw new SandboxError(`Cannot open "${dirname(path)}": ${errnoText(-dirFd)}`);
    this.#entries.push({ dirFd, name: toByteString(basename(path)), flags });
  }

  /** Removes what is there still. */
  remove(): void {
    for (const { dirFd, name, flags } of this.#entries) {
      const error = unlinkat(dirFd, name, flags);
      if (error < 0 && error !== -ENOENT) {
        process.stderr.write(`tsv: warning: Cannot remove "${name}": ${errnoText(-error)}\n`);
      }
    }
  }
}
