/** timer_create(2): the POSIX timers of a process. */
export class PosixTimers {
  /** Deletes all; the process has ended or executes another program. */
  clear(): void {}
}
