/** wait(2) and waitid(2). */

export const WNOHANG = 0x00000001;
export const WUNTRACED = 0x00000002;
export const WSTOPPED = 0x00000002;
export const WEXITED = 0x00000004;
export const WCONTINUED = 0x00000008;
export const WNOWAIT = 0x01000000;
export const __WNOTHREAD = 0x20000000;
export const __WALL = 0x40000000;
export const __WCLONE = 0x80000000;

export const P_ALL = 0;
export const P_PID = 1;
export const P_PGID = 2;
export const P_PIDFD = 3;

/** In a wait status: the process dumped core. */
export const WCOREFLAG = 0x80;
/** The wait status of a continued process. */
export const W_CONTINUED = 0xffff;

/** Wait status of a process that ended with exit(2). */
export function exitedStatus(code: number): number {
  return (code & 0xff) << 8;
}

/** Wait status of a process stopped by `signo`. */
export function stoppedStatus(signo: number): number {
  return (signo << 8) | 0x7f;
}
