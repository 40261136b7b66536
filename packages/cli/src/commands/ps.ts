import { containerManager } from '../container-manager.js';
import { textOf, wordOf, type CommandRun } from '../command.js';
import { textTable } from '../text-table.js';

const HEAD = ['UID', 'PID', 'PPID', 'C', 'TTY', 'STIME', 'TIME', 'CMD'];

/** `tsv ps`: the processes of a container, by their IDs in it; as JSON, the host's processes that stand for it. */
export const run: CommandRun = async (args) => {
  const id = wordOf(args, 'id');
  const manager = containerManager(args);
  const { processes } = await manager.ask(id, 'containerManager.Processes', { id });
  if (textOf(args, 'format') === 'json') {
    // Engines look these IDs up on the host, as runc's: there are those that stand for the container's first process
    // and for what was executed detached.
    const own = manager.state(id).process?.pid ?? 0;
    const pids = [own, ...processes.map(({ hostPid }) => hostPid).filter((pid) => pid !== 0 && pid !== own)];
    process.stdout.write(`${JSON.stringify(pids)}\n`);
    return 0;
  }
  const rows = processes.map(({ uid, pid, parentPid, cpuPercent, tty, startedMs, cpuMs, command }) => [
    ...[uid, pid, parentPid, cpuPercent].map(String),
    tty,
    clock(new Date(startedMs)),
    duration(cpuMs),
    command,
  ]);
  process.stdout.write(textTable([HEAD, ...rows], 10, 1));
  return 0;
};

function clock(at: Date): string {
  return [at.getHours(), at.getMinutes()].map((value) => String(value).padStart(2, '0')).join(':');
}

function duration(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)}ms` : `${(ms / 1000).toFixed(2)}s`;
}
