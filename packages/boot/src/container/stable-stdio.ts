import { close, dup3, fcntl } from '@tsv/host';
import { EBADF, F_GETFD, O_CLOEXEC, errnoText } from '@tsv/abi';
import { SandboxError } from '../sandbox-error.js';

/**
 * Where the first container's standard descriptors lie, whatever else is open: a restored sandbox finds them there. They
 * are the last of the 64 that a process has room for from the beginning: Linux waits for all CPUs when it makes more, 12 ms.
 */
export const STABLE_STDIO_FD = 61;

/**
 * Moves descriptors to `first` and up, where nothing may be. Returns the new numbers; the old ones are
 * closed. Throws {@link SandboxError}.
 */
export function stabilizeStdio(fds: readonly number[], first = STABLE_STDIO_FD): number[] {
  return fds.map((fd, index) => {
    const stable = first + index;
    if (fcntl(stable, F_GETFD, 0) !== -EBADF) {
      throw new SandboxError(`Cannot move standard descriptor ${index} to ${stable}: it is already in use`);
    }
    const error = dup3(fd, stable, O_CLOEXEC);
    if (error < 0) throw new SandboxError(`Cannot move standard descriptor ${index}: ${errnoText(-error)}`);
    close(fd);
    return stable;
  });
}
