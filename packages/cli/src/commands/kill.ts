import type { DeliveryMode } from '@tsv/boot/client';
import { containerManager } from '../container-manager.js';
import { parseSignal } from '../parse-signal.js';
import { CommandError, countOf, textOf, wordOf, type CommandArguments, type CommandRun } from '../command.js';

/** `tsv kill`: a signal to the first process of a container, to another one, or to all. */
export const run: CommandRun = async (args) => {
  const { mode, pid } = target(args);
  const signo = parseSignal(textOf(args, 'signal') ?? 'SIGTERM');
  await containerManager(args).kill(wordOf(args, 'id'), signo, mode, pid);
  return 0;
};

function target(args: CommandArguments): { mode: DeliveryMode; pid: number } {
  const pid = countOf(args, 'pid', 0);
  const group = countOf(args, 'pgid', 0);
  if ([args['all'] === true, pid > 0, group > 0].filter(Boolean).length > 1) {
    throw new CommandError('Cannot signal: --all, --pid and --pgid exclude each other');
  }
  if (args['all'] === true) return { mode: 'all', pid: 0 };
  return group > 0 ? { mode: 'process-group', pid: group } : { mode: 'process', pid };
}
