import { readFileSync } from 'node:fs';
import type { Resources } from '@tsv/boot/client';
import { parseConfig } from '@tsv/oci';
import { containerManager } from '../container-manager.js';
import { CommandError, textOf, wordOf, type CommandArguments, type CommandRun } from '../command.js';

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** `tsv update`: other limits for a container's cgroup, from options or from a file of `linux.resources` (`-` for stdin). */
export const run: CommandRun = async (args) => {
  const file = textOf(args, 'resources');
  const resources = file === undefined ? fromOptions(args) : fromFile(file);
  await containerManager(args).update(wordOf(args, 'id'), resources);
  return 0;
};

function fromFile(file: string): Resources {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new CommandError(`Cannot read resources "${file}": ${(error as Error).message}`);
  }
  return parseConfig(`{"ociVersion":"1.0.0","linux":{"resources":${text}}}`, file).linux?.resources ?? {};
}

function fromOptions(args: CommandArguments): Resources {
  if (args['l3CacheSchema'] !== undefined || args['memBwSchema'] !== undefined) {
    throw new CommandError('Cannot set a schema of Intel RDT: that is not supported');
  }
  const number = (name: string): number | undefined => numberOf(args, name);
  const cpu = {
    shares: number('cpuShare'),
    quota: number('cpuQuota'),
    period: number('cpuPeriod'),
    burst: number('cpuBurst'),
    realtimePeriod: number('cpuRtPeriod'),
    realtimeRuntime: number('cpuRtRuntime'),
    idle: number('cpuIdle'),
    cpus: textOf(args, 'cpusetCpus'),
    mems: textOf(args, 'cpusetMems'),
  };
  const memory = { limit: number('memory'), swap: number('memorySwap'), reservation: number('memoryReservation') };
  const resources = defined({
    cpu: defined(cpu),
    memory: defined(memory),
    pids: defined({ limit: number('pidsLimit') }),
    blockIO: defined({ weight: number('blkioWeight') }),
  }) as Resources | undefined;
  if (resources === undefined)
    throw new CommandError('Cannot update the container: say what to change, such as "--memory 64m"');
  return resources;
}

/** A number, perhaps with a unit as docker has it. */
function numberOf(args: CommandArguments, name: string): number | undefined {
  const text = textOf(args, name);
  if (text === undefined) return undefined;
  const [, digits, unit] = /^(-?\d+)([bkmgt]?)b?$/.exec(text.toLowerCase()) ?? [];
  if (digits === undefined) throw new CommandError(`Cannot use "${text}" for ${name}: it is not a number`);
  return Number(digits) * UNITS[unit!]!;
}

/** What of it has a value; undefined when nothing has. */
function defined(values: Readonly<Record<string, unknown>>): Record<string, unknown> | undefined {
  const entries = Object.entries(values).filter(([, value]) => value !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}
