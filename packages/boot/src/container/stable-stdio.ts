import { close, dup3, fcntl } from '@tsv/host';
import { EBADF, F_GETFD, O_CLOEXEC, errnoText } from '@tsv/abi';
import { SandboxError } from '../sandbox-error.js';

/** Where the first container's standard descriptors lie, whatever else is open: a restored sandbox finds them there. */
export const STABLE_STDIO_FD = 256;

/**
 * Moves descriptors to {@link STABLE_STDIO_FD} and up, where nothing may be. Returns the new numbers; the old ones are
 * closed. Throws {@link SandboxError}.
 */
export function stabilizeStdio(fds: readonly number[]): number[] {
  return fds.map((fd, index) => {
    const stable = STABLE_STDIO_FD + index;
    if (fcntl(stable, F_GETFD, 0) !== -EBADF) {
      throw new SandboxError(`Cannot move standard descriptor ${index} to ${stable}: it is already in use`);
    }
    const error = dup3(fd, stable, O_CLOEXEC);
    if (error < 0) throw new SandboxError(`Cannot move standard descriptor ${index}: ${errnoText(-error)}`);
    close(fd);
    return stable;
  });
}
