import { containerManager } from '../container-manager.js';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv usage`: the memory of a sandbox by what it is used for, as JSON. */
export const run: CommandRun = async (args) => {
  const usage = await containerManager(args).ask(wordOf(args, 'id'), 'Usage.Collect', {});
  process.stdout.write(`${JSON.stringify(usage, null, 2)}\n`);
  return 0;
};
