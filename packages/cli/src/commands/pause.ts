import { containerManager } from '../container-manager.js';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv pause`: no guest code of a container runs until `tsv resume`. */
export const run: CommandRun = async (args) => {
  await containerManager(args).pause(wordOf(args, 'id'));
  return 0;
};
