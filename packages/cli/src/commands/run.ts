import { CommandError, textOf, type CommandArguments, type CommandRun } from '../command.js';
import { bundleConfig, createOptions } from '../create-options.js';

/** `tsv run`: a bundle, or a command on the host's files when there is none. */
export const run: CommandRun = async (args, guest) => {
  const bundle = textOf(args, 'bundle');
  const id = textOf(args, 'id');
  if (bundle === undefined && id !== undefined) {
    throw new CommandError(`Cannot run container "${id}": no bundle was given; use "tsv run --bundle DIR ${id}"`);
  }
  if (bundle !== undefined && id === undefined) {
    throw new CommandError('Cannot run the bundle: the container has no name; use "tsv run --bundle DIR ID"');
  }
  if (bundle !== undefined && guest.length > 0) {
    throw new CommandError('Cannot run a command in a bundle: config.json says what to run; set process.args there');
  }
  if (bundle === undefined && args['keep'] === true) {
    throw new CommandError('Cannot keep the container: it has no name; use "tsv run --keep --bundle DIR ID"');
  }
  if (bundle !== undefined && args['detach'] === true) return runDetached(args);
  const { runBundle, runOnHostFiles } = await import('../run-here.js');
  return bundle === undefined ? runOnHostFiles(args, guest) : runBundle(args);
};

async function runDetached(args: CommandArguments): Promise<number> {
  // What runs a sandbox in this process need not load it.
  const { containerManager } = await import('../container-manager.js');
  await containerManager(args, bundleConfig(args)).run(createOptions(args));
  return 0;
}
