import { readFileSync } from 'node:fs';
import { CAPABILITY_NAMES } from '@tsv/abi';
import { type ExecOptions } from '@tsv/boot/client';
import { parseConfig, type Process } from '@tsv/oci';
import { containerManager } from '../container-manager.js';
import { passedFds } from '../passed-fds.js';
import { CommandError, textOf, textsOf, wordOf, type CommandArguments, type CommandRun } from '../command.js';

/** `tsv exec`: another process in a running container. */
export const run: CommandRun = async (args, guest) => {
  const id = wordOf(args, 'id');
  const manager = containerManager(args);
  const file = textOf(args, 'process');
  const process = file === undefined ? describeProcess(manager.state(id).init, args, guest) : readProcess(file);
  const options: ExecOptions = {
    process,
    isDetached: args['detach'] === true,
    consoleSocket: textOf(args, 'consoleSocket'),
    pidFile: textOf(args, 'pidFile'),
    internalPidFile: textOf(args, 'internalPidFile'),
    passed: passedFds(args),
    cgroup: cgroupPath(textOf(args, 'cgroup') ?? ''),
    mayBePaused: args['ignorePaused'] === true,
  };
  return manager.execute(id, options);
};

/** `[<controller>:]<cgroup>`: inside a container there is one hierarchy, cgroups(7) version 2. */
function cgroupPath(text: string): string {
  if (!text.includes(':')) return text;
  throw new CommandError(
    `Cannot execute in cgroup "${text}": the container's cgroups have no hierarchies by controller`,
  );
}

function readProcess(path: string): Process {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(`Cannot read process file "${path}": ${(error as Error).message}`);
  }
  const { process } = parseConfig(`{"ociVersion":"1.0.0","process":${text}}`, path);
  return process!;
}

/** A process like the container's first one, but for what the options say, as runc does. */
function describeProcess(init: Process | undefined, args: CommandArguments, guest: readonly string[]): Process {
  if (guest.length === 0) throw new CommandError('Cannot execute nothing: say a command, such as "tsv exec ID ls"');
  const base: Process = init ?? { cwd: '/' };
  const user = parseUser(textOf(args, 'user'), base.user ?? {});
  const gids = textsOf(args, 'additionalGids').map((text) => parseId(text, '--additional-gids'));
  return {
    ...base,
    args: [...guest],
    cwd: textOf(args, 'cwd') ?? base.cwd,
    env: [...(base.env ?? []), ...textsOf(args, 'env')],
    terminal: args['tty'] === true,
    user: { ...user, additionalGids: [...(user.additionalGids ?? []), ...gids] },
    capabilities: addCapabilities(base.capabilities, textsOf(args, 'cap')),
    noNewPrivileges: args['noNewPrivs'] === true || (base.noNewPrivileges ?? false),
  };
}

function parseUser(text: string | undefined, base: NonNullable<Process['user']>): NonNullable<Process['user']> {
  if (text === undefined) return base;
  const [uid, gid] = text.split(':');
  return { ...base, uid: parseId(uid!, '--user'), ...(gid !== undefined && { gid: parseId(gid, '--user') }) };
}

function parseId(text: string, option: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value < 2 ** 32 - 1) return value;
  throw new CommandError(`Cannot use "${text}" for ${option}: it is not a number of a user or group`);
}

function addCapabilities(
  base: Process['capabilities'],
  names: readonly string[],
): NonNullable<Process['capabilities']> {
  const added = names.map((name) => {
    const whole = name.toUpperCase().startsWith('CAP_') ? name.toUpperCase() : `CAP_${name.toUpperCase()}`;
    if (CAPABILITY_NAMES.includes(whole)) return whole;
    throw new CommandError(`Cannot add capability "${name}": there is none`);
  });
  if (added.length === 0) return base ?? {};
  const union = (set: readonly string[] | undefined): string[] => [...new Set([...(set ?? []), ...added])];
  return {
    ...base,
    bounding: union(base?.bounding),
    effective: union(base?.effective),
    permitted: union(base?.permitted),
    inheritable: base?.inheritable ?? [],
  };
}
