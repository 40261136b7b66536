import { hostFilesConfig, hostTerminal, runUnlisted } from '../sentry.js';
import { resolve } from 'node:path';
import type { Volume } from '@tsv/boot/client';
import { CommandError, textsOf, type CommandRun } from '../command.js';
import { parseOverlay, runtimeConfig } from '../runtime-config.js';

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
    volumes: textsOf(args, 'volume').map(parseVolume),
  });
  const isOverlaid = args['forceOverlay'] !== false;
  const config = { ...runtimeConfig(args), ...(!isOverlaid && parseOverlay('none')) };
  const options = { id: `do-${process.pid}`, spec, bundleDir: '/', config, passed: [] };
  return runUnlisted(options, undefined);
};

function parseVolume(text: string): Volume {
  const [, source, destination, readOnly] = /^([^:]+)(?::(\/[^:]*))?(:ro)?$/.exec(text) ?? [];
  if (source === undefined) {
    throw new CommandError(`Cannot mount volume "${text}": use SOURCE[:/DESTINATION][:ro]`);
  }
  const path = resolve(source);
  return { source: path, destination: destination ?? path, isReadOnly: readOnly !== undefined };
}

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
