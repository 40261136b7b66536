import { close, openat2, write } from '@tsv/host';
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY, errnoText, syscallName } from '@tsv/abi';
import { resolve } from 'node:path';
import { toByteString } from './byte-string.js';
import { SandboxError } from './sandbox-error.js';

/**
 * Tells the users of a sandbox, on a descriptor of theirs, what of Linux their programs have missed: a line of JSON each,
 * as the log of runsc's `--user-log` is meant for. What cannot be written is lost: guests do not wait for it.
 */
export class UserLog {
  readonly #fd: number;

  /** Takes `fd` over. */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** A program has made a system call that does not exist here, for the first time. */
  unimplemented(nr: number, comm: string): void {
    const syscall = syscallName(nr);
    const msg = `Unsupported system call ${syscall} (${nr}), first made by "${comm}": it got ENOSYS`;
    this.#say('warning', msg, { syscall, nr, comm });
  }

  /** The sandbox ends: how often each was made. */
  close(calls: readonly { readonly nr: number; readonly count: number }[]): void {
    const counts = Object.fromEntries(calls.map(({ nr, count }) => [syscallName(nr), count]));
    if (calls.length > 0) this.#say('info', 'Unsupported system calls in all', { counts });
    close(this.#fd);
  }

  #say(level: string, msg: string, fields: Readonly<Record<string, unknown>>): void {
    const line = Buffer.from(`${JSON.stringify({ time: new Date().toISOString(), level, msg, ...fields })}\n`);
    write(this.#fd, line, 0, line.length);
  }
}

/** Opens a user log. Throws {@link SandboxError}. */
export function openUserLog(path: string): number {
  const fd = openat2(AT_FDCWD, toByteString(resolve(path)), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644, 0);
  if (fd < 0) throw new SandboxError(`Cannot write the user log "${path}": ${errnoText(-fd)}`);
  return fd;
}
