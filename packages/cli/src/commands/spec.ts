import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultConfig } from '@tsv/oci';
import { CommandError, type CommandRun } from '../command.js';

/** Writes the default config.json; what is there is not overwritten. */
export const run: CommandRun = (args, guest) => {
  const path = join(String(args['bundle']), 'config.json');
  if (existsSync(path)) throw new CommandError(`Cannot write "${path}": it exists already; remove it first`);
  const words = guest.length > 0 ? guest : ((args['args'] as string[] | undefined) ?? []);
  writeFileSync(path, `${JSON.stringify(defaultConfig(words.length > 0 ? words : undefined), null, 2)}\n`);
  return Promise.resolve(0);
};
