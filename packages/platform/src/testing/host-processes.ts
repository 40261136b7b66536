import { readFileSync, readdirSync } from 'node:fs';

/** Processes whose parent is `parent` and that are stubs. A zombie is one too. */
export function stubsOf(parent: number): number[] {
  return allProcesses().filter((pid) => {
    const stat = statOf(pid);
    return stat !== null && stat.parent === parent && stat.comm === 'tsv-stub';
  });
}

/** Processes of a session that were not ended, whoever their parent is. */
export function liveInSession(session: number): number[] {
  return allProcesses().filter((pid) => {
    const stat = statOf(pid);
    return stat !== null && stat.session === session && stat.state !== 'Z';
  });
}

/** The session of a process. */
export function sessionOf(pid: number): number {
  return statOf(pid)?.session ?? -1;
}

/** Threads of a process. */
export function threadCount(pid: number): number {
  return readdirSync(`/proc/${pid}/task`).length;
}

/** A field of `/proc/PID/status`. */
export function statusField(pid: number, name: string): string | undefined {
  return new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
}

interface Stat {
  readonly comm: string;
  readonly state: string;
  readonly parent: number;
  readonly session: number;
}

function allProcesses(): number[] {
  return readdirSync('/proc').map(Number).filter(Number.isInteger);
}

/** Null for a process that has just ended. */
function statOf(pid: number): Stat | null {
  let text;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
  const comm = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'));
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { comm, state: fields[0]!, parent: Number(fields[1]), session: Number(fields[3]) };
}
