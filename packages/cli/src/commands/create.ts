import { containerManager } from '../container-manager.js';
import { loadBundle } from '../bundle.js';
import { countOf, textOf, wordOf, type CommandArguments, type CommandRun } from '../command.js';
import type { CreateOptions } from '@tsv/boot';

/** `tsv create`: a container that can be started. */
export const run: CommandRun = async (args) => {
  await containerManager(args, engineConfig(args)).create(createOptions(args));
  return 0;
};

/** What `create` and `run --detach` are asked for. */
export function createOptions(args: CommandArguments): CreateOptions {
  const { dir, text, spec } = loadBundle(textOf(args, 'bundle') ?? '.');
  return {
    id: wordOf(args, 'id'),
    spec,
    configText: text,
    bundleDir: dir,
    pidFile: textOf(args, 'pidFile'),
    consoleSocket: textOf(args, 'consoleSocket'),
    preservedCount: countOf(args, 'preserveFds', 0),
  };
}

/** The root filesystem of a bundle that an engine made is the container's own: the engine wants to see what it writes. */
export function engineConfig(args: CommandArguments): { overlay?: 'none' } {
  return args.overlay2 === undefined ? { overlay: 'none' } : {};
}
