// The options of runc and runsc, as their own help has them, are ours, or docs/engines.md says why not.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from 'yargs';
import { COMMANDS } from './commands/index.js';
import { GLOBAL_OPTIONS } from './global-options.js';

const PAGE = readFileSync(join(__dirname, '../../../docs/engines.md'), 'utf8');
/** Rows of the table in it, such as "| runsc | `run`, `exec` | `--x`, `--y` | why |". */
const ABSENT = PAGE.split('\n').flatMap((line) => {
  const [, runtime, commands, options] = /^\| (runc|runsc) +\| ([^|]*)\| ([^|]*)\|/.exec(line) ?? [];
  if (runtime === undefined) return [];
  const words = (cell: string): string[] => [...cell.matchAll(/`(?:--)?([\w-]+)`/g)].map(([, word]) => word!);
  return [{ runtime, commands: words(commands!), options: words(options!) }];
});

function output(program: string, ...args: string[]): string {
  const { stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', timeout: 20_000 });
  if (error !== undefined) throw error;
  return stdout + stderr;
}

function knows(options: Readonly<Record<string, Options>>, name: string): boolean {
  return Object.entries(options).some(([key, { alias }]) => key === name || [alias].flat().includes(name));
}

/** Options that a command, or with '' every command, does not have, and that the page does not tell of. */
function missing(runtime: string, command: string, names: readonly string[]): string[] {
  const own = COMMANDS.find(({ words }) => words.split(' ')[0] === command)?.options ?? {};
  // "do --root" is the root filesystem.
  const ours = command === '' ? GLOBAL_OPTIONS : { ...own, ...(command === 'do' && { root: GLOBAL_OPTIONS.root }) };
  const told = ABSENT.filter((row) => row.runtime === runtime && row.commands.includes(command || 'all'));
  const all = new Set(told.flatMap((row) => row.options));
  const wrong = [...all].filter((name) => knows(ours, name));
  expect([command, wrong]).toEqual([command, []]);
  return names.filter((name) => !knows(ours, name) && !all.has(name));
}

const OF_YARGS = ['help', 'h', 'version', 'v'];

/** "   --bundle value, -b value  path to ..." of runc's help. */
function optionsOfRunc(help: string): string[] {
  const lines = help.slice(help.indexOf('OPTIONS:')).split('\n');
  const heads = lines.map((line) => /^ {3}(-.*?)(?: {2}|$)/.exec(line)?.[1] ?? '');
  const names = heads.flatMap((head) => [...head.matchAll(/(?:^|, )--?([\w-]+)/g)].map(([, name]) => name!));
  return names.filter((name) => !OF_YARGS.includes(name));
}

/** "  -bundle string" of runsc's. */
function optionsOfRunsc(help: string): string[] {
  return [...help.matchAll(/^ {2}-([\w-]+)/gm)].map(([, name]) => name!).filter((name) => !OF_YARGS.includes(name));
}

describe('options of runc', () => {
  const help = output('runc', '--help');
  const commands = [...help.slice(help.indexOf('COMMANDS:')).matchAll(/^ {3}([a-z]+)/gm)].map(([, name]) => name!);
  // Those of runc for itself alone, and what is not there: see the page.
  const others = ['init', 'help', 'checkpoint', 'restore'];

  it('are known to every command', () => {
    const names = optionsOfRunc(help);
    expect(names).toContain('systemd-cgroup');
    expect(missing('runc', '', names)).toEqual([]);
  });

  it.each(commands.filter((name) => !others.includes(name)))('are known to %s', (command) => {
    expect(COMMANDS.map(({ words }) => words.split(' ')[0])).toContain(command);
    expect(missing('runc', command, optionsOfRunc(output('runc', command, '--help')))).toEqual([]);
  });
});

describe('options of runsc', () => {
  it('are known to every command', () => {
    const names = optionsOfRunsc(output('runsc', 'flags'));
    expect(names).toContain('host-uds');
    expect(missing('runsc', '', names)).toEqual([]);
  });

  const commands = 'create delete do events exec kill list pause ps resume run spec start wait install uninstall';
  it.each(commands.split(' '))('are known to %s', (command) => {
    expect(missing('runsc', command, optionsOfRunsc(output('runsc', 'help', command)))).toEqual([]);
  });
});
