import type { CreateOptions } from '@tsv/boot/client';
import { loadBundle } from './bundle.js';
import { textOf, wordOf, type CommandArguments } from './command.js';
import { passedFds } from './passed-fds.js';

/** What `create` and `run` of a bundle are asked for. */
export function createOptions(args: CommandArguments): CreateOptions {
  const { dir, text, spec } = loadBundle(textOf(args, 'bundle') ?? '.');
  return {
    id: wordOf(args, 'id'),
    spec,
    configText: text,
    bundleDir: dir,
    pidFile: textOf(args, 'pidFile'),
    consoleSocket: textOf(args, 'consoleSocket'),
    userLog: textOf(args, 'userLog'),
    passed: passedFds(args),
  };
}

/** The root filesystem of a bundle is the container's own, which it writes to; that of the host is not. */
export function bundleConfig(args: CommandArguments): { overlay?: 'none' } {
  return args.overlay2 === undefined ? { overlay: 'none' } : {};
}
