import { readFileSync } from 'node:fs';

/** A process of the host that is not mistaken for a later one with the same ID. */
export interface HostProcess {
  readonly pid: number;
  /** Field 22 of /proc/PID/stat: clock ticks since the host's boot. */
  readonly startTicks: number;
}

/** Fields of /proc/PID/stat counted from the one behind the command name, proc_pid_stat(5). */
const STATE_FIELD = 0;
const START_FIELD = 19;

/** The process that has this ID now, or null when there is none. */
export function identifyProcess(pid: number): HostProcess | null {
  const fields = readStat(pid);
  return fields === null ? null : { pid, startTicks: Number(fields[START_FIELD]) };
}

/** Whether the process runs still. One that has ended and waits to be reaped does not. */
export function isAlive(process: HostProcess): boolean {
  const fields = readStat(process.pid);
  if (fields === null || Number(fields[START_FIELD]) !== process.startTicks) return false;
  return !'ZXx'.includes(fields[STATE_FIELD]!);
}

function readStat(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}
