import { GoferClient, GoferOperation } from '@tsv/gofer';
import { close, getThreadCapabilities, openat2, unlinkat } from '@tsv/host';
import { AT_FDCWD, EACCES, EBUSY, ENOENT, O_CLOEXEC, O_DIRECTORY, O_PATH, errnoText } from '@tsv/abi';
import { constants, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';

/** Flag of {@link Leftovers.add} for a directory, unlinkat(2). */
export const AT_REMOVEDIR = 0x200;

/** CAP_DAC_OVERRIDE and CAP_SYS_ADMIN, capabilities(7). */
const NEEDED_CAPABILITIES = [2 ** 1, 2 ** 21];
/** A cgroup is busy until the kernel is done with processes that have ended. */
const BUSY_TRIES = 400;
const BUSY_PAUSE_MS = 5;

interface Leftover {
  readonly dirFd: number;
  readonly name: string;
  readonly flags: number;
}

/**
 * Names that this process has made on the host and is to remove at its end, when it can reach no name any more: it keeps
 * their directories open, unlinkat(2). What it has no permission for then, a gofer of its own does: the directories of
 * cgroups let only those write who may write everywhere.
 */
export class Leftovers {
  #gofer: GoferClient | null;
  readonly #entries: Leftover[] = [];

  /** With `hasCgroup` the gofer is started at once, before this process is in the cgroup. Throws {@link SandboxError}. */
  constructor(hasCgroup: boolean) {
    this.#gofer = hasCgroup ? startGofer() : null;
  }

  /** Notes a name to remove; the first that was noted goes first. Throws {@link SandboxError}. */
  add(path: string, flags: number): void {
    const dirFd = openat2(AT_FDCWD, toByteString(dirname(path)), O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);
    if (dirFd < 0) throw new SandboxError(`Cannot open "${dirname(path)}": ${errnoText(-dirFd)}`);
    this.#entries.push({ dirFd, name: toByteString(basename(path)), flags });
    if (!isOurs(dirname(path))) this.#gofer ??= startGofer();
  }

  /** Removes what is there still. */
  async remove(): Promise<void> {
    for (const entry of this.#entries) {
      let error = this.#unlink(entry);
      for (let tries = 0; error === -EBUSY && tries < BUSY_TRIES; tries++) {
        await sleep(BUSY_PAUSE_MS);
        error = this.#unlink(entry);
      }
      const { name } = entry;
      if (error < 0 && error !== -ENOENT) {
        process.stderr.write(`tsv: warning: Cannot remove "${name}": ${errnoText(-error)}\n`);
      }
    }
    this.forget();
  }

  /** Removes nothing: whatever was made is removed otherwise. */
  forget(): void {
    for (const { dirFd } of this.#entries.splice(0)) close(dirFd);
    this.#gofer?.close();
  }

  #unlink({ dirFd, name, flags }: Leftover): number {
    const error = unlinkat(dirFd, name, flags);
    if (error !== -EACCES || this.#gofer === null) return error;
    return this.#gofer.call(GoferOperation.UNLINK, { flags }, dirFd, name);
  }
}

/** Whether this process may write to a directory without capabilities, because it is its owner's. */
function isOurs(directory: string): boolean {
  const { uid, mode } = statSync(directory);
  return uid === process.geteuid?.() && (mode & constants.S_IWUSR) !== 0;
}

/** A gofer that may do what this process may; null where that is nothing special. Throws {@link SandboxError}. */
function startGofer(): GoferClient | null {
  const capabilities = getThreadCapabilities();
  const isAble = NEEDED_CAPABILITIES.every((bit) => Math.floor(capabilities / bit) % 2 === 1);
  try {
    return isAble ? GoferClient.start({ isRoot: true }) : null;
  } catch (error) {
    throw new SandboxError((error as Error).message);
  }
}
