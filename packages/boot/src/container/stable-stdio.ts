import { close, dup3, fcntl } from '@tsv/host';
import { EBADF, F_GETFD, O_CLOEXEC, errnoText } from '@tsv/abi';
import { SandboxError } from '../sandbox-error.js';

/**
 * Where the first container's standard descriptors lie, whatever else is open. The first numbers are the last of the 64
 * that a process has room for from the beginning: Linux waits for all CPUs when it makes more, 12 ms. A sandbox that is
 * given so many descriptors that one has such a number takes the others.
 */
const STABLE_STDIO_FDS = [61, 256];

/**
 * Moves descriptors to `first` and up, where nothing may be. Returns the new numbers; the old ones are
 * closed. Throws {@link SandboxError}.
 */
export function stabilizeStdio(fds: readonly number[], first = stableStdioFd(fds.length)): number[] {
  return fds.map((fd, index) => {
    const stable = first + index;
    if (isOpen(stable)) {
      throw new SandboxError(`Cannot move standard descriptor ${index} to ${stable}: it is already in use`);
    }
    const error = dup3(fd, stable, O_CLOEXEC);
    if (error < 0) throw new SandboxError(`Cannot move standard descriptor ${index}: ${errnoText(-error)}`);
    close(fd);
    return stable;
  });
}

/** Where `count` descriptors are to lie: the first place that is free, or the last one. */
export function stableStdioFd(count: number): number {
  const isFree = (first: number): boolean => !Array.from({ length: count }, (_, i) => first + i).some(isOpen);
  return STABLE_STDIO_FDS.find(isFree) ?? STABLE_STDIO_FDS.at(-1)!;
}

function isOpen(fd: number): boolean {
  return fcntl(fd, F_GETFD, 0) !== -EBADF;
}
