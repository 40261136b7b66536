import { isatty } from 'node:tty';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SandboxError, hostFilesConfig, runContainer } from '@tsv/boot';
import { parseConfig, type Spec } from '@tsv/oci';
import { CommandError, type CommandRun } from '../command.js';
import { runtimeConfig } from '../runtime-config.js';

/** `tsv run`: a bundle in the foreground, or a command on the host's files when there is none. */
export const run: CommandRun = async (args, guest) => {
  const bundle = args['bundle'] as string | undefined;
  const id = args['id'] as string | undefined;
  if (bundle === undefined && id !== undefined) {
    throw new CommandError(`Cannot run container "${id}": no bundle was given; use "tsv run --bundle DIR ${id}"`);
  }
  if (bundle !== undefined && id === undefined) {
    throw new CommandError('Cannot run the bundle: the container has no name; use "tsv run --bundle DIR ID"');
  }
  if (bundle !== undefined && guest.length > 0) {
    throw new CommandError('Cannot run a command in a bundle: config.json says what to run; set process.args there');
  }
  const spec = bundle === undefined ? hostFilesSpec(guest) : loadBundle(bundle);
  return withPidFile(args['pidFile'] as string | undefined, () =>
    runContainer({ id: id ?? `run-${process.pid}`, spec, bundleDir: bundle ?? '/', config: runtimeConfig(args) }),
  );
};

/** A shell on the host's files, unless a command is given. */
function hostFilesSpec(guest: readonly string[]): Spec {
  const argv = guest.length > 0 ? guest : [process.env['SHELL'] ?? '/bin/sh'];
  return hostFilesConfig({ argv, cwd: process.cwd(), env: process.env, isTerminal: isatty(0) && isatty(1) });
}

function loadBundle(bundle: string): Spec {
  const path = join(resolve(bundle), 'config.json');
  if (!existsSync(bundle)) throw new CommandError(`Cannot open bundle "${bundle}": no such directory`);
  if (!existsSync(path))
    throw new CommandError(`Cannot open bundle "${bundle}": it has no config.json; make one with "tsv spec"`);
  return parseConfig(readFileSync(path, 'utf8'), path);
}

async function withPidFile(path: string | undefined, body: () => Promise<number>): Promise<number> {
  if (path === undefined) return body();
  try {
    writeFileSync(path, String(process.pid));
  } catch (error) {
    throw new SandboxError(`Cannot write pid file "${path}": ${(error as Error).message}`);
  }
  try {
    return await body();
  } finally {
    rmSync(path, { force: true });
  }
}
