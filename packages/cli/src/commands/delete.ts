import { containerManager } from '../container-manager.js';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv delete`: removes a container that has stopped, or any with `--force`. */
export const run: CommandRun = async (args) => {
  await containerManager(args).delete(wordOf(args, 'id'), args['force'] === true);
  return 0;
};
