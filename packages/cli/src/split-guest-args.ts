/** What an option takes, as far as splitting needs to know. */
export interface OptionSpec {
  readonly type: 'boolean' | 'string' | 'number' | 'array';
  readonly alias?: string | readonly string[];
}

/** A command line cut in two. */
export interface SplitArgs {
  /** What belongs to tsv itself. */
  readonly own: string[];
  /** The guest's command and arguments, untouched. */
  readonly guest: string[];
  /** The command's own name, or null when there is none. */
  readonly name: string | null;
}

/** A command, as far as splitting needs to know. */
export interface CommandSpec {
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** See `Command.ownWordCount`. */
  readonly ownWordCount?: number | undefined;
}

/**
 * Cuts the guest's command line off, so that no option of a guest program is ever read as one of ours: at the first
 * `--`, and for a command that says so behind its own words that are no options.
 */
export function splitGuestArgs(
  argv: readonly string[],
  globalOptions: Readonly<Record<string, OptionSpec>>,
  commands: ReadonlyMap<string, CommandSpec>,
): SplitArgs {
  let options = globalOptions;
  let wordsLeft = Infinity;
  let name: string | null = null;
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i]!;
    if (word === '--') return { own: argv.slice(0, i), guest: argv.slice(i + 1), name };
    if (word.startsWith('-') && word !== '-') {
      if (takesNextWord(word, options)) i++;
    } else if (name === null) {
      name = word;
      const command = commands.get(word);
      wordsLeft = command?.ownWordCount ?? Infinity;
      options = { ...globalOptions, ...command?.options };
    } else if (wordsLeft-- === 0) {
      return { own: argv.slice(0, i), guest: argv.slice(i), name };
    }
  }
  return { own: [...argv], guest: [], name };
}

function takesNextWord(word: string, options: Readonly<Record<string, OptionSpec>>): boolean {
  if (word.includes('=')) return false;
  const name = word.replace(/^--?/, '');
  for (const [key, spec] of Object.entries(options)) {
    const aliases = typeof spec.alias === 'string' ? [spec.alias] : (spec.alias ?? []);
    if (key === name || aliases.includes(name)) return spec.type !== 'boolean';
  }
  return false;
}
