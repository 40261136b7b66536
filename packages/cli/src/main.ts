import yargs, { type Options } from 'yargs';
import { CommandError, type Command, type CommandArguments } from './command.js';
import { COMMANDS } from './commands/index.js';
import { GLOBAL_OPTIONS } from './global-options.js';
import { splitGuestArgs, type OptionSpec } from './split-guest-args.js';
import { VERSION_TEXT } from './version.js';

/** Exit status when tsv itself fails, as runsc's. */
const EXIT_FAILURE = 128;

/** Runs `tsv` with `argv` (without the program's name); returns the exit status. */
export async function main(argv: readonly string[]): Promise<number> {
  const { own, guest } = splitGuestArgs(argv, optionSpecs(), new Set(COMMANDS.filter(isGreedy).map(firstWord)));
  const chosen: { command?: Command; args?: CommandArguments } = {};
  let parser = yargs(renameDoRoot(own))
    .scriptName('tsv')
    .usage('$0 <command> [options]\n\nRuns Linux programs in a kernel of their own.')
    .options(GLOBAL_OPTIONS)
    .version(VERSION_TEXT)
    .strict()
    .demandCommand(1, 'Say a command, such as "tsv run"')
    .exitProcess(false)
    .fail((message: string | null, error: Error | undefined) => {
      throw error instanceof Error ? error : new CommandError(`${message ?? 'Bad usage'}\nSee "tsv --help"`);
    });
  for (const command of COMMANDS) {
    parser = parser.command(
      command.words,
      command.describe,
      (y) => y.options(command.options),
      (args) => {
        chosen.command = command;
        chosen.args = args as unknown as CommandArguments;
      },
    );
  }
  try {
    await parser.parseAsync();
    const { command, args } = chosen;
    if (command === undefined || args === undefined) return 0; // --help and --version have been answered.
    const run = await command.load();
    return await run(args, guest);
  } catch (error) {
    process.stderr.write(`tsv: ${describe(error)}\n`);
    return EXIT_FAILURE;
  }
}

/** `do --root DIR` means the root filesystem, as in runsc; the global `--root` is the state directory. */
function renameDoRoot(own: readonly string[]): string[] {
  const at = own.indexOf('do');
  if (at < 0) return [...own];
  return own.map((word, i) => (i > at ? word.replace(/^--root(?==|$)/, '--root-dir') : word));
}

function optionSpecs(): Record<string, OptionSpec> {
  const specs: Record<string, OptionSpec> = {};
  for (const options of [GLOBAL_OPTIONS, ...COMMANDS.map((command) => command.options)]) {
    for (const [name, option] of Object.entries<Options>(options)) {
      specs[name] = {
        type: option.type === 'boolean' ? 'boolean' : 'string',
        ...(option.alias && { alias: option.alias }),
      };
    }
  }
  specs['help'] = specs['version'] = { type: 'boolean' };
  return specs;
}

const isGreedy = (command: Command): boolean => command.isGreedy === true;
const firstWord = (command: Command): string => command.words.split(' ')[0]!;

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isExpected = error instanceof CommandError || error.name === 'ConfigError' || error.name === 'SandboxError';
  return isExpected || error.name === 'YError' ? error.message : (error.stack ?? error.message);
}
