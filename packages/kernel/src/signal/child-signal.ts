import type { ThreadGroup } from '../task/thread-group.js';
import { SigInfo } from './sig-info.js';

/** Milliseconds of a clock tick, sysconf(3) _SC_CLK_TCK 100. */
const TICK_MS = 10;

/** What `signo` (normally SIGCHLD) tells `parent` of `child`; `code` is CLD_*, `status` an exit code or a signal. */
export function childSignal(
  child: ThreadGroup,
  parent: ThreadGroup,
  signo: number,
  code: number,
  status: number,
): SigInfo {
  const info = new SigInfo(signo, code);
  info.pid = child.pidIn(parent.pidNs);
  info.uid = parent.leader.creds.userNs.uidInside(child.leader.creds.uid);
  info.status = status;
  info.utimeTicks = Math.floor((child.exitedTimes.userMs + child.childTimes.userMs) / TICK_MS);
  info.stimeTicks = Math.floor((child.exitedTimes.systemMs + child.childTimes.systemMs) / TICK_MS);
  return info;
}
