import { hostFilesConfig, hostTerminal, runUnlisted } from '../sentry.js';
import { CommandError, type CommandRun } from '../command.js';
import { runtimeConfig } from '../runtime-config.js';

/** `tsv do`: a command in a throw-away sandbox over the host's files, or over those of `--root`. */
export const run: CommandRun = async (args, guest) => {
  if (guest.length === 0) throw new CommandError('Cannot do nothing: say a command, such as "tsv do ls"');
  const rootDir = args['rootDir'] as string | undefined;
  const spec = hostFilesConfig({
    argv: guest,
    cwd: (args['cwd'] as string | undefined) ?? (rootDir === undefined ? process.cwd() : '/'),
    env: { ...process.env, ...parseVariables((args['env'] as string[] | undefined) ?? []) },
    isTerminal: hostTerminal() !== null,
    ...(rootDir !== undefined && { rootDir }),
    ...(args['uid'] !== undefined && { uid: checkUid(args['uid']) }),
  });
  const options = { id: `do-${process.pid}`, spec, bundleDir: '/', config: runtimeConfig(args), passed: [] };
  return runUnlisted(options, undefined);
};

function parseVariables(words: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    words.map((word) => {
      const cut = word.indexOf('=');
      if (cut <= 0) throw new CommandError(`Cannot set the variable "${word}": use NAME=VALUE`);
      return [word.slice(0, cut), word.slice(cut + 1)];
    }),
  );
}

function checkUid(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 2 ** 32 - 1) return value;
  throw new CommandError(`Cannot use --uid: it is no user id, 0 to ${2 ** 32 - 2}`);
}
