import { appendFileSync } from 'node:fs';
import yargs, { type Options } from 'yargs';
import { CommandError, type Command, type CommandArguments } from './command.js';
import { COMMANDS } from './commands/index.js';
import { GLOBAL_OPTIONS } from './global-options.js';
import { splitGuestArgs, type CommandSpec, type OptionSpec } from './split-guest-args.js';
import { VERSION_TEXT } from './version.js';

const GLOBAL_SPECS: Readonly<Record<string, OptionSpec>> = {
  ...optionSpecs(GLOBAL_OPTIONS),
  help: { type: 'boolean' },
  version: { type: 'boolean' },
};

/** Exit status when tsv itself fails, as runsc's. */
const EXIT_FAILURE = 128;

/** Runs `tsv` with `argv` (without the program's name); returns the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const { own, guest, name } = splitGuestArgs(argv, GLOBAL_SPECS, new Map(COMMANDS.map(commandSpec)));
  const chosen: { command?: Command; args?: CommandArguments } = {};
  let parser = yargs(renameDoRoot(own))
    .scriptName('tsv')
    .usage('$0 <command> [options]\n\nRuns Linux programs in a kernel of their own.')
    .options(GLOBAL_OPTIONS)
    .version(VERSION_TEXT)
    .strict()
    // "--no-pivot" is an option of its own, not the opposite of "--pivot"; IDs that look like numbers are text.
    .parserConfiguration({ 'boolean-negation': false, 'parse-positional-numbers': false })
    .demandCommand(1, 'Say a command, such as "tsv run"')
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      throw error instanceof Error ? error : new CommandError(`${message ?? 'Bad usage'}\nSee "tsv --help"`);
    });
  for (const command of commandsToTell(name, own)) {
    parser = parser.command(
      command.words,
      command.describe as string, // false hides it, which the types do not know.
      (y) => y.options(command.options),
      (args) => {
        chosen.command = command;
        chosen.args = args as unknown as CommandArguments;
        throw new Parsed();
      },
    );
  }
  try {
    await parse(parser);
    const { command, args } = chosen;
    if (command === undefined || args === undefined) return 0; // --help and --version have been answered.
    const run = await command.load();
    return await run(args, guest);
  } catch (error) {
    const message = describe(error);
    process.stderr.write(`tsv: ${message}\n`);
    if (chosen.args?.log !== undefined) logFailure(chosen.args, message);
    return statusOf(error);
  }
}

/** Ends the parser's work when it has found a command: otherwise it would go on and make all texts of help. */
class Parsed extends Error {
  override readonly name = 'Parsed';
}

async function parse(parser: { parseAsync(): Promise<unknown> }): Promise<void> {
  try {
    await parser.parseAsync();
  } catch (error) {
    if (!(error instanceof Parsed)) throw error;
  }
}

/** The commands that the parser has to know: the one that is called, unless help is asked for. */
function commandsToTell(name: string | null, own: readonly string[]): readonly Command[] {
  const called = COMMANDS.filter((command) => command.words.split(' ')[0] === name);
  return called.length === 0 || own.includes('--help') ? COMMANDS : called;
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
  const isExpected = error instanceof CommandError || error.name === 'ConfigError' || error.name === 'SandboxError';
  return isExpected || error.name === 'YError' ? error.message : (error.stack ?? error.message);
}
