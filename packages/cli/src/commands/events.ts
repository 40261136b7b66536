import { setTimeout as sleep } from 'node:timers/promises';
import { containerStatus } from '@tsv/boot/client';
import { containerManager } from '../container-manager.js';
import { CommandError, countOf, wordOf, type CommandRun } from '../command.js';

const INTERVAL_S = 5;

/** `tsv events`: what a container uses, as runc tells it: once with `--stats`, else again and again until it stops. */
export const run: CommandRun = async (args) => {
  const id = wordOf(args, 'id');
  const manager = containerManager(args);
  const intervalMs = 1000 * countOf(args, 'interval', INTERVAL_S);
  if (intervalMs === 0) throw new CommandError('Cannot tell events: the interval must not be 0');
  for (;;) {
    process.stdout.write(`${JSON.stringify({ type: 'stats', id, data: await manager.statistics(id) })}\n`);
    if (args['stats'] === true) return 0;
    await sleep(intervalMs);
    if (containerStatus(manager.state(id)) === 'stopped') return 0;
  }
};
