import { containerManager } from '../container-manager.js';
import { CommandError, textOf, wordOf, type CommandRun } from '../command.js';
import { withOutputFile } from '../output-file.js';

/** `tsv tar rootfs-upper`: what a container has written, as an archive. */
export const run: CommandRun = async (args) => {
  const what = wordOf(args, 'what');
  if (what !== 'rootfs-upper') throw new CommandError(`Cannot write "${what}": choose rootfs-upper`);
  const file = textOf(args, 'file');
  if (file === undefined) throw new CommandError('Cannot write an archive: say where to, with --file');
  const id = wordOf(args, 'id');
  await withOutputFile(file, (fd) => containerManager(args).ask(id, 'Fs.TarRootfsUpperLayer', { id }, [fd]));
  return 0;
};
