import { isatty } from 'node:tty';
import { hostFilesConfig, runForeground, runUnlisted } from '@tsv/boot';
import { containerManager } from '../container-manager.js';
import { CommandError, textOf, type CommandArguments, type CommandRun } from '../command.js';
import { runtimeConfig } from '../runtime-config.js';
import { bundleConfig, createOptions } from './create.js';

/** `tsv run`: a bundle, or a command on the host's files when there is none. */
export const run: CommandRun = async (args, guest) => {
  const bundle = textOf(args, 'bundle');
  const id = textOf(args, 'id');
  if (bundle === undefined && id !== undefined) {
    throw new CommandError(`Cannot run container "${id}": no bundle was given; use "tsv run --bundle DIR ${id}"`);
  }
  if (bundle === undefined) return runOnHostFiles(args, guest);
  if (id === undefined) {
    throw new CommandError('Cannot run the bundle: the container has no name; use "tsv run --bundle DIR ID"');
  }
  if (guest.length > 0) {
    throw new CommandError('Cannot run a command in a bundle: config.json says what to run; set process.args there');
  }
  if (args['detach'] === true) return runDetached(args);
  const config = { ...runtimeConfig(args), ...bundleConfig(args) };
  return runForeground({ config, entry: process.argv[1]! }, createOptions(args));
};

/** A shell on the host's files, unless a command is given. */
function runOnHostFiles(args: CommandArguments, guest: readonly string[]): Promise<number> {
  const argv = guest.length > 0 ? guest : [process.env['SHELL'] ?? '/bin/sh'];
  const spec = hostFilesConfig({ argv, cwd: process.cwd(), env: process.env, isTerminal: isatty(0) && isatty(1) });
  const config = runtimeConfig(args);
  return runUnlisted(
    { id: `run-${process.pid}`, spec, bundleDir: '/', config, userLog: textOf(args, 'userLog') },
    textOf(args, 'pidFile'),
  );
}

async function runDetached(args: CommandArguments): Promise<number> {
  const manager = containerManager(args, bundleConfig(args));
  const options = createOptions(args);
  await manager.create(options);
  try {
    await manager.start(options.id);
  } catch (error) {
    await manager.delete(options.id, true);
    throw error;
  }
  return 0;
}
