import { textOf, type CommandArguments } from './command.js';
import { bundleConfig, createOptions } from './create-options.js';
import { passedFds } from './passed-fds.js';
import { runtimeConfig } from './runtime-config.js';
import { hostFilesConfig, hostTerminal, runForeground, runUnlisted } from './sentry.js';

/** Runs a bundle in this process. Resolves with its exit status. */
export function runBundle(args: CommandArguments): Promise<number> {
  const config = { ...runtimeConfig(args), ...bundleConfig(args) };
  return runForeground({ config, entry: process.argv[1]! }, { ...createOptions(args), isKept: args['keep'] === true });
}

/** Runs a command on the host's files, or a shell, in this process. Resolves with its exit status. */
export function runOnHostFiles(args: CommandArguments, guest: readonly string[]): Promise<number> {
  const argv = guest.length > 0 ? guest : [process.env['SHELL'] ?? '/bin/sh'];
  const spec = hostFilesConfig({ argv, cwd: process.cwd(), env: process.env, isTerminal: hostTerminal() !== null });
  const config = runtimeConfig(args);
  const options = {
    ...{ id: `run-${process.pid}`, spec, bundleDir: '/', config },
    ...{ userLog: textOf(args, 'userLog'), passed: passedFds(args) },
  };
  return runUnlisted(options, textOf(args, 'pidFile'));
}
