import { containerManager } from '../container-manager.js';
import { countOf, wordOf, type CommandRun } from '../command.js';

/** `tsv wait`: prints the exit status of a container, or of a process in it, when it has ended. */
export const run: CommandRun = async (args) => {
  const id = wordOf(args, 'id');
  const status = await containerManager(args).wait(id, countOf(args, 'pid', 0));
  process.stdout.write(`${JSON.stringify({ id, exitStatus: status })}\n`);
  return 0;
};
