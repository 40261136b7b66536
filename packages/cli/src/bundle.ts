import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseConfig, type Spec } from '@tsv/oci';
import { CommandError } from './command.js';

/** A bundle's config.json: what it says, and its text. */
export interface Bundle {
  /** Absolute. */
  readonly dir: string;
  readonly spec: Spec;
  readonly text: string;
}

/** Reads a bundle's config.json. Throws {@link CommandError} or `ConfigError`. */
export function loadBundle(bundle: string): Bundle {
  const dir = resolve(bundle);
  const path = join(dir, 'config.json');
  if (!existsSync(dir)) throw new CommandError(`Cannot open bundle "${bundle}": no such directory`);
  if (!existsSync(path)) {
    throw new CommandError(`Cannot open bundle "${bundle}": it has no config.json; make one with "tsv spec"`);
  }
  const text = readFileSync(path, 'utf8');
  return { dir, text, spec: parseConfig(text, path) };
}
