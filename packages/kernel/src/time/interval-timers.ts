/** setitimer(2): the three interval timers of a process. */
export class IntervalTimers {
  /** Disarms all; the process has ended. */
  clear(): void {}
}
