import { fcntl } from '@tsv/host';
import { F_DUPFD_CLOEXEC } from '@tsv/abi';
import { hostTerminal } from '../host-terminal.js';
import type { PassedFd, ProcessIo } from './process-starter.js';

/**
 * The lowest number of a copy. The first descriptor past 63 makes Linux enlarge the table, for which it waits until all
 * CPUs have seen the old one go: 12 ms, a twentieth of the start of a program.
 */
const COPY_FD_MIN = 3;

/**
 * This process's own descriptors for a container that runs in it: its terminal, or copies of 0, 1 and 2; and copies of
 * those `passed` on.
 */
export function hostStdio(wantsTerminal: boolean, passed: readonly PassedFd[]): ProcessIo {
  const terminal = wantsTerminal ? hostTerminal() : null;
  const copy = (fd: number): number => fcntl(fd, F_DUPFD_CLOEXEC, COPY_FD_MIN);
  return {
    terminal,
    stdio: terminal === null ? [copy(0), copy(1), copy(2)] : [],
    passed: passed.map(({ hostFd, guestFd }) => ({ hostFd: copy(hostFd), guestFd })),
    standIn: null,
  };
}
