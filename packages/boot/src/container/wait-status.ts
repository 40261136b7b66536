const SIGNAL_MASK = 0x7f;

/** Exit status that a shell gives for a wait status, wait(2): 128 + n for a death by signal n. */
export function exitStatusOf(waitStatus: number): number {
  const signo = waitStatus & SIGNAL_MASK;
  return signo === 0 ? (waitStatus >> 8) & 0xff : 128 + signo;
}
