import { appendFileSync } from 'node:fs';
import type { Options } from 'yargs';
import type { Command, CommandArguments } from './command.js';
import { COMMANDS } from './commands/index.js';
import { GLOBAL_OPTIONS } from './global-options.js';
import { parsePlainly } from './parse-plainly.js';
import type { ParsedCommand } from './parse-with-yargs.js';
import { splitGuestArgs, type CommandSpec, type OptionSpec } from './split-guest-args.js';

const GLOBAL_SPECS: Readonly<Record<string, OptionSpec>> = {
  ...optionSpecs(GLOBAL_OPTIONS),
  help: { type: 'boolean' },
  version: { type: 'boolean' },
};

/** Errors that say all in their message. They may come from another bundle, with a class of its own: they go by name. */
const EXPECTED = new Set(['CommandError', 'ConfigError', 'SandboxError', 'YError']);

/** Exit status when tsv itself fails, as runsc's. */
const EXIT_FAILURE = 128;

/** Runs `tsv` with `argv` (without the program's name); returns the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const { own, guest, name } = splitGuestArgs(argv, GLOBAL_SPECS, new Map(COMMANDS.map(commandSpec)));
  let args: CommandArguments | undefined;
  try {
    const parsed = await parse(renameDoRoot(own), name);
    if (parsed === null) return 0;
    ({ args } = parsed);
    const run = await parsed.command.load();
    return await run(args, guest);
  } catch (error) {
    const message = describe(error);
    process.stderr.write(`tsv: ${message}\n`);
    if (args?.log !== undefined) logFailure(args, message);
    return statusOf(error);
  }
}

/** What `own` asks for; null when it has been answered. yargs is loaded for what is not plain only. */
async function parse(own: readonly string[], name: string | null): Promise<ParsedCommand | null> {
  const called = COMMANDS.filter((command) => command.words.split(' ')[0] === name);
  const args = called[0] === undefined ? null : parsePlainly(own, called[0], GLOBAL_OPTIONS);
  if (args !== null) return { command: called[0]!, args };
  const { parseWithYargs } = await import('./parse-with-yargs.js');
  return parseWithYargs(own, called.length === 0 || own.includes('--help') ? COMMANDS : called);
}

/** The exit status that an error asks for. That of a sandbox may come from another bundle: it goes by its name. */
function statusOf(error: unknown): number {
  const isOfSandbox = error instanceof Error && error.name === 'SandboxError' && 'exitStatus' in error;
  return isOfSandbox && typeof error.exitStatus === 'number' ? error.exitStatus : EXIT_FAILURE;
}

/** `do --root DIR` means the root filesystem, as in runsc; the global `--root` is the state directory. */
function renameDoRoot(own: readonly string[]): string[] {
  const at = own.indexOf('do');
  if (at < 0) return [...own];
  return own.map((word, i) => (i > at ? word.replace(/^--root(?==|$)/, '--root-dir') : word));
}

function commandSpec({ words, options, ownWordCount }: Command): [string, CommandSpec] {
  return [words.split(' ')[0]!, { options: optionSpecs(options), ownWordCount }];
}

function optionSpecs(options: Readonly<Record<string, Options>>): Record<string, OptionSpec> {
  return Object.fromEntries(
    Object.entries(options).map(([name, { type, alias }]) => [
      name,
      { type: type === 'boolean' ? 'boolean' : 'string', ...(alias !== undefined && { alias }) },
    ]),
  );
}

/** Appends to the file of `--log`, from which engines read why a command failed. */
function logFailure({ log, logFormat }: CommandArguments, message: string): void {
  const time = new Date().toISOString();
  const line =
    logFormat === 'json'
      ? JSON.stringify({ level: 'error', msg: message, time })
      : `time="${time}" level=error msg=${JSON.stringify(message)}`;
  try {
    appendFileSync(log!, `${line}\n`);
  } catch (error) {
    process.stderr.write(`tsv: warning: Cannot write "${log!}": ${(error as Error).message}\n`);
  }
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return EXPECTED.has(error.name) ? error.message : (error.stack ?? error.message);
}
