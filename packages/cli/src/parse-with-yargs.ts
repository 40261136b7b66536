import yargs, { type Options } from 'yargs';
import { CommandError, type Command, type CommandArguments } from './command.js';
import { GLOBAL_OPTIONS } from './global-options.js';
import { VERSION_TEXT } from './version.js';

/** The command that a command line calls, and what it is to be called with. */
export interface ParsedCommand {
  readonly command: Command;
  readonly args: CommandArguments;
}

/**
 * Parses `own`, which may ask for any of `commands`. Resolves with null when it was answered: --help and --version are.
 * Throws {@link CommandError} or yargs' own error when it is wrong.
 */
export async function parseWithYargs(
  own: readonly string[],
  commands: readonly Command[],
): Promise<ParsedCommand | null> {
  let parser = yargs(own)
    .scriptName('tsv')
    .usage('$0 <command> [options]\n\nRuns Linux programs in a kernel of their own.')
    .options(globalOptions(commands))
    .version(VERSION_TEXT)
    .strict()
    // "--no-pivot" is an option of its own, not the opposite of "--pivot"; IDs that look like numbers are text.
    .parserConfiguration({ 'boolean-negation': false, 'parse-positional-numbers': false })
    .demandCommand(1, 'Say a command, such as "tsv run"')
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      throw error instanceof Error ? error : new CommandError(`${message ?? 'Bad usage'}\nSee "tsv --help"`);
    });
  for (const command of commands) {
    parser = parser.command(
      command.words,
      command.describe as string, // false hides it, which the types do not know.
      (y) => y.options(command.options),
      (args) => {
        throw new Parsed(command, args as unknown as CommandArguments);
      },
    );
  }
  try {
    await parser.parseAsync();
    return null;
  } catch (error) {
    if (error instanceof Parsed) return error;
    throw error;
  }
}

/** Without those that the one command has in place of them: two of one name confuse yargs. */
function globalOptions(commands: readonly Command[]): Readonly<Record<string, Options>> {
  const own = commands.length === 1 ? commands[0]!.options : {};
  return Object.fromEntries(Object.entries(GLOBAL_OPTIONS).filter(([name]) => !(name in own)));
}

/** Ends the parser's work when it has found a command: otherwise it would go on and make all texts of help. */
class Parsed extends Error implements ParsedCommand {
  override readonly name = 'Parsed';
  readonly command: Command;
  readonly args: CommandArguments;

  constructor(command: Command, args: CommandArguments) {
    super();
    this.command = command;
    this.args = args;
  }
}
