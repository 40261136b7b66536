import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { CommandError, textOf, textsOf, type CommandArguments, type CommandRun } from '../command.js';

interface DaemonConfig {
  runtimes?: Record<string, unknown>;
  [field: string]: unknown;
}

/** `tsv install`: tells Docker of tsv as a runtime, in its daemon.json. */
export const run: CommandRun = (args) => {
  const { path, name } = target(args);
  const config = load(path);
  if (config.runtimes?.[name] !== undefined && args['clobber'] === false) {
    throw new CommandError(`Cannot install runtime "${name}": "${path}" has one by this name`);
  }
  const runtimeArgs = textsOf(args, 'runtimeArg');
  const runtime = { path: resolve(process.argv[1]!), ...(runtimeArgs.length > 0 && { runtimeArgs }) };
  save(path, { ...config, runtimes: { ...config.runtimes, [name]: runtime } });
  process.stdout.write(`Added runtime "${name}" to "${path}": restart Docker to use it\n`);
  return Promise.resolve(0);
};

/** `tsv uninstall`: takes it out again. */
export const uninstall: CommandRun = (args) => {
  const { path, name } = target(args);
  const { runtimes = {}, ...config } = load(path);
  if (runtimes[name] === undefined) throw new CommandError(`Cannot remove runtime "${name}": "${path}" has none`);
  const kept = Object.fromEntries(Object.entries(runtimes).filter(([other]) => other !== name));
  save(path, Object.keys(kept).length > 0 ? { ...config, runtimes: kept } : config);
  process.stdout.write(`Removed runtime "${name}" from "${path}"\n`);
  return Promise.resolve(0);
};

function target(args: CommandArguments): { path: string; name: string } {
  return { path: textOf(args, 'configFile') ?? '/etc/docker/daemon.json', name: textOf(args, 'runtime') ?? 'tsv' };
}

function load(path: string): DaemonConfig {
  if (!existsSync(path)) return {};
  const text = readFileSync(path, 'utf8');
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as DaemonConfig;
  } catch (error) {
    throw new CommandError(`Cannot read "${path}": it is not JSON: ${(error as Error).message}`);
  }
  throw new CommandError(`Cannot use "${path}": it is not an object`);
}

/** Replaces the file at once: a crash leaves the old one or the new one. */
function save(path: string, config: DaemonConfig): void {
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(config, null, 2)}\n`);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new CommandError(`Cannot write "${path}": ${(error as Error).message}`);
  }
}
