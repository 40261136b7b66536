import { setTimeout as sleep } from 'node:timers/promises';
import { containerStatus } from '@tsv/boot/client';
import { containerManager } from '../container-manager.js';
import { CommandError, textOf, wordOf, type CommandRun } from '../command.js';

const UNIT_MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Milliseconds of timers are counted in 32 bits. */
const INTERVAL_MS_MAX = 2 ** 31 - 1;

/** `tsv events`: what a container uses, as runc tells it: once with `--stats`, else again and again until it stops. */
export const run: CommandRun = async (args) => {
  const id = wordOf(args, 'id');
  const manager = containerManager(args);
  const intervalMs = parseInterval(textOf(args, 'interval') ?? '5s');
  for (;;) {
    process.stdout.write(`${JSON.stringify({ type: 'stats', id, data: await manager.statistics(id) })}\n`);
    if (args['stats'] === true) return 0;
    await sleep(intervalMs);
    if (containerStatus(manager.state(id)) === 'stopped') return 0;
  }
};

/** A duration as runc has it, such as "5s" or "1m30s", or seconds, as runsc's. */
function parseInterval(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/gy)];
  const isWhole = parts.map(([part]) => part).join('') === text;
  const ms = isWhole
    ? parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNIT_MS[unit!]!, 0)
    : 1000 * Number(text);
  if (ms >= 1 && ms <= INTERVAL_MS_MAX) return ms;
  throw new CommandError(`Cannot tell events every "${text}": use seconds, or a duration such as "500ms" or "1m30s"`);
}
