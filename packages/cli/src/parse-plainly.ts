import { parseArgs, type ParseArgsConfig } from 'node:util';
import type { Options } from 'yargs';
import type { Command, CommandArguments } from './command.js';

type OptionConfig = NonNullable<ParseArgsConfig['options']>[string];
type OptionTable = Readonly<Record<string, Options>>;
type Value = string | number | boolean | string[];

/** Where a word of a command stands, as `Command.words` has it: `<id>` or `[signal]`. */
const PLACE = /^(?:<(\w+)>|\[(\w+)\])$/;
const NUMBER = /^\d{1,15}(?:\.\d{1,15})?$/;

/**
 * What yargs makes of a command line, by Node.js's own parser where the line is plain: options that are known, each once or
 * a list, with values that mean nothing else. Null for any other line, also one that is wrong: that is left to yargs, which
 * takes longer to load than most commands run. `own` begins with the global options, then the command's name.
 */
export function parsePlainly(
  own: readonly string[],
  command: Command,
  globalOptions: OptionTable,
): CommandArguments | null {
  const options: OptionTable = { ...globalOptions, ...command.options };
  const line = takeApart(own, options);
  if (line === null) return null;
  const given = new Map<string, Value>();
  for (const [key, text] of Object.entries(line.values)) {
    const value = valueOf(options[key]!, text!);
    if (value === null) return null;
    given.set(key, value);
  }
  const places = line.positionals.every(isPlain) ? placeWords(line.positionals, command.words) : null;
  if (places === null) return null;
  return { ...defaultsOf(options), ...inCamelCase(given), ...places } as CommandArguments;
}

/** The line taken apart, or null when something of it is not ours, is given twice, or may be a flag's value. */
function takeApart(own: readonly string[], options: OptionTable) {
  const config = Object.entries(options).map(([key, { type, alias }]): [string, OptionConfig] => [
    key,
    {
      type: type === 'boolean' ? 'boolean' : 'string',
      multiple: type === 'array',
      ...(typeof alias === 'string' && alias.length === 1 && { short: alias }),
    },
  ]);
  try {
    const line = parseArgs({
      args: [...own],
      options: Object.fromEntries(config),
      allowPositionals: true,
      strict: true,
      tokens: true,
    });
    const keys = line.tokens.flatMap((token) => (token.kind === 'option' ? [token] : []));
    const isTwice = keys.some(
      ({ name }, i) => options[name]!.type !== 'array' && keys.findIndex((other) => other.name === name) !== i,
    );
    const mayBeValue = keys.some(
      ({ name, index }) => options[name]!.type === 'boolean' && /^(?:true|false)$/.test(own[index + 1] ?? ''),
    );
    return isTwice || mayBeValue ? null : line;
  } catch (error) {
    if (String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS_')) return null;
    throw error;
  }
}

/** An option's value, or null when yargs has to say what it means. */
function valueOf(option: Options, value: string | boolean | (string | boolean)[]): Value | null {
  if (typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.every((each) => isPlain(String(each))) ? value.map(String) : null;
  if (!isPlain(value) || option.choices?.includes(value) === false) return null;
  if (option.type !== 'number') return value;
  return NUMBER.test(value) ? Number(value) : null;
}

/** Whether a word has no meaning of its own to yargs, as empty ones, quotes and dashes have. */
function isPlain(text: string): boolean {
  return text !== '' && !/^[-"']/.test(text);
}

/** The words of a command line by their names in `pattern`, such as `kill <id> [signal]`. */
function placeWords(words: readonly string[], pattern: string): Record<string, string> | null {
  const places = pattern.split(' ').slice(1);
  if (words.length - 1 > places.length) return null;
  const placed: Record<string, string> = {};
  for (const [index, place] of places.entries()) {
    const [, needed, optional] = PLACE.exec(place) ?? [];
    const name = needed ?? optional;
    const word = words[index + 1];
    if (name === undefined || (word === undefined && needed !== undefined)) return null;
    if (word !== undefined) placed[name] = word;
  }
  return placed;
}

function defaultsOf(options: OptionTable): Record<string, unknown> {
  const given = Object.entries(options).filter(([, option]) => option.default !== undefined);
  return inCamelCase(new Map(given.map(([key, option]) => [key, option.default as Value])));
}

function inCamelCase(values: ReadonlyMap<string, Value>): Record<string, Value> {
  const names = [...values].map(([key, value]): [string, Value] => [
    key.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(names);
}
