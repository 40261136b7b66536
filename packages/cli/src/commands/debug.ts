import type { ContainerManager } from '@tsv/boot/client';
import { containerManager } from '../container-manager.js';
import { CommandError, countOf, textOf, wordOf, type CommandArguments, type CommandRun } from '../command.js';
import { withOutputFile } from '../output-file.js';
import { parseSignal } from '../parse-signal.js';
import { run as listProcesses } from './ps.js';

const DURATION_S = 5;

/** `tsv debug`: looks into a running sandbox, and changes what it tells. */
export const run: CommandRun = async (args, guest) => {
  const id = wordOf(args, 'id');
  const manager = containerManager(args);
  if (args['stacks'] === true) process.stdout.write((await manager.ask(id, 'debug.Stacks', {})).text);
  if (args['ps'] === true) await listProcesses(args, guest);
  const signal = textOf(args, 'signal');
  if (signal !== undefined) await manager.kill(id, parseSignal(signal), 'process', countOf(args, 'pid', 0));
  await changeLog(manager, id, args);
  await profile(manager, id, args);
  return 0;
};

async function changeLog(manager: ContainerManager, id: string, args: CommandArguments): Promise<void> {
  const level = textOf(args, 'logLevel');
  // The global option of this name says what to trace: it is changed here.
  const strace = textOf(args, 'strace');
  if (level === undefined && strace === undefined) return;
  if (level !== undefined && level !== 'debug' && level !== 'warning') {
    throw new CommandError(`Cannot use log level "${level}": choose debug or warning`);
  }
  await manager.ask(id, 'Logging.Change', {
    ...(level !== undefined && { isDebug: level === 'debug' }),
    ...(strace !== undefined && { strace: parseNames(strace) }),
  });
}

/** `off`, `all`, or names separated by commas. */
function parseNames(text: string): string[] | null {
  if (text === 'off') return null;
  return text === 'all' ? [] : text.split(',').filter((name) => name !== '');
}

async function profile(manager: ContainerManager, id: string, args: CommandArguments): Promise<void> {
  const durationMs = 1000 * countOf(args, 'duration', DURATION_S);
  const cpu = textOf(args, 'profileCpu');
  if (cpu !== undefined) await withOutputFile(cpu, (fd) => manager.ask(id, 'Profile.CPU', { durationMs }, [fd]));
  const heap = textOf(args, 'profileHeap');
  if (heap !== undefined) await withOutputFile(heap, (fd) => manager.ask(id, 'Profile.Heap', {}, [fd]));
}
