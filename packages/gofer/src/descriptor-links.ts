import { cloneMount, openat2 } from '@tsv/host';
import { O_CLOEXEC, O_DIRECTORY, O_PATH } from '@tsv/abi';

const AT_FDCWD = -100;
const LINKS = '/proc/self/fd';

/** Descriptor of /proc/self/fd; it works when the process has another root, too. */
let linksFd = -1;

/** Opens /proc/self/fd, before names are out of reach. Returns 0 or an error of open(2). */
export function openDescriptorLinks(): number {
  if (linksFd >= 0) return 0;
  // A copy of the mount begins there, so that nobody gets from it to the rest of /proc.
  const copy = cloneMount(LINKS, 0, false);
  const fd = copy >= 0 ? copy : openat2(AT_FDCWD, LINKS, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);
  if (fd < 0) return fd;
  linksFd = fd;
  return 0;
}

/**
 * Opens the file of an O_PATH descriptor once more, by its link, which the kernel resolves to this very file, proc(5).
 * Preconditions: {@link openDescriptorLinks} was called. Errors: those of open(2).
 */
export function reopenLink(fd: number, flags: number): number {
  return openat2(linksFd, String(fd), flags | O_CLOEXEC, 0, 0);
}
