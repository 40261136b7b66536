import { CAP_SYS_BOOT, EINVAL, EPERM, SIGHUP, SIGINT, type SysResult } from '@tsv/abi';
import { killGroup } from '../signal/send-signal.js';
import { exitGroup, exitTask } from '../task/exit.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';
import { TASK_GONE } from './syscall.js';

const MAGIC1 = 0xfee1_dead;
/** LINUX_REBOOT_MAGIC2 and those of its birthdays. */
const MAGIC2: readonly number[] = [672274793, 85072278, 369367448, 537993216];
/** LINUX_REBOOT_CMD_*, and the signal by which process 1 seems to have ended. */
const SIGNALS = new Map([
  [0x0123_4567, SIGHUP], // RESTART
  [0xa1b2_c3d4, SIGHUP], // RESTART2
  [0xcdef_0123, SIGINT], // HALT
  [0x4321_fedc, SIGINT], // POWER_OFF
]);

/**
 * reboot(2), "Behavior inside PID namespaces": process 1 of the caller's is ended, and with it all others. Whoever waits for
 * it sees a signal: SIGHUP for a restart, SIGINT for an end. In the first namespace there is no machine to do it with.
 * Errors: EINVAL, EPERM.
 */
export function sysReboot(t: Task, a: SyscallArgs): SysResult {
  const { pidNs } = t;
  if (!t.creds.hasCapIn(pidNs.userNs, CAP_SYS_BOOT)) return -EPERM;
  if (a.u32(0) !== MAGIC1 || !MAGIC2.includes(a.u32(1))) return -EINVAL;
  const signo = SIGNALS.get(a.u32(2));
  const { init } = pidNs;
  if (signo === undefined || pidNs.parent === null || init === null) return -EINVAL;
  if (t.threadGroup === init) exitGroup(t, signo);
  else {
    killGroup(init, signo);
    if (!t.hasExited) exitTask(t, 0);
  }
  return TASK_GONE;
}
