import { containerManager } from '../container-manager.js';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv resume`: ends a pause. */
export const run: CommandRun = async (args) => {
  await containerManager(args).resume(wordOf(args, 'id'));
  return 0;
};
