import { rmSync } from 'node:fs';
import { MetricServer, parseListenAddress, writePidFile } from '@tsv/boot/client';
import { containerManager } from '../container-manager.js';
import { textOf, wordOf, type CommandRun } from '../command.js';
import { metricOptions } from '../metric-options.js';

const ENDING: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];

/** `tsv metric-server`: serves until it is interrupted or terminated. */
export const run: CommandRun = async (args) => {
  const address = parseListenAddress(wordOf(args, 'address'));
  const server = new MetricServer({ manager: containerManager(args), ...metricOptions(args) });
  const where = await server.listen(address);
  const pidFile = textOf(args, 'pidFile');
  if (pidFile !== undefined) writePidFile(pidFile, process.pid);
  process.stdout.write(`Serving metrics at ${where}\n`);
  await new Promise((resolve) => {
    for (const signal of ENDING) process.once(signal, resolve);
  });
  await server.close();
  if (pidFile !== undefined) rmSync(pidFile, { force: true });
  return 0;
};
