import { containerManager } from '../container-manager.js';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv start`: runs the process of a created container. */
export const run: CommandRun = async (args) => {
  await containerManager(args).start(wordOf(args, 'id'));
  return 0;
};
