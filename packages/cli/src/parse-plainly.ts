import type { Options } from 'yargs';
import type { Command, CommandArguments } from './command.js';

type OptionTable = Readonly<Record<string, Options>>;
type Value = string | number | boolean | string[];

/** Where a word of a command stands, as `Command.words` has it: `<id>` or `[signal]`. */
const PLACE = /^(?:<(\w+)>|\[(\w+)\])$/;
const NUMBER = /^\d{1,15}(?:\.\d{1,15})?$/;

/**
 * What yargs makes of a command line, where that is plain: options that are known, each once or a list, with values that
 * mean nothing else. Null for any other line, also one that is wrong: that is left to yargs, which takes longer to load
 * than most commands run. `own` begins with the global options, then the command's name.
 */
export function parsePlainly(
  own: readonly string[],
  command: Command,
  globalOptions: OptionTable,
): CommandArguments | null {
  const options: OptionTable = { ...globalOptions, ...command.options };
  const given = new Map<string, Value>();
  const words: string[] = [];
  for (let i = 0; i < own.length; i++) {
    const word = own[i]!;
    if (!word.startsWith('-')) {
      if (!isPlain(word)) return null;
      words.push(word);
      continue;
    }
    const cut = word.startsWith('--') ? word.indexOf('=') : -1;
    const key = keyOf(cut < 0 ? word : word.slice(0, cut), options);
    if (key === null) return null;
    const option = options[key]!;
    let text: string | undefined = cut < 0 ? undefined : word.slice(cut + 1);
    if (option.type !== 'boolean') text ??= own[++i];
    else if (/^(?:true|false)$/.test(own[i + 1] ?? '')) return null;
    if (!take(given, key, option, text)) return null;
  }
  const places = placeWords(words, command.words);
  if (places === null) return null;
  return { ...defaultsOf(options), ...inCamelCase(given), ...places } as CommandArguments;
}

/** The option that is called by `--NAME` or by `-N`. */
function keyOf(word: string, options: OptionTable): string | null {
  if (word.startsWith('--')) {
    const name = word.slice(2);
    return Object.hasOwn(options, name) ? name : null;
  }
  if (word.length !== 2) return null;
  return Object.keys(options).find((key) => options[key]!.alias === word[1]) ?? null;
}

/** Notes a value; false when yargs has to say what it means. */
function take(given: Map<string, Value>, key: string, option: Options, text: string | undefined): boolean {
  if (option.type === 'boolean') {
    if (given.has(key) || !(text === undefined || text === 'true' || text === 'false')) return false;
    given.set(key, text !== 'false');
    return true;
  }
  if (text === undefined || !isPlain(text)) return false;
  if (option.type === 'array') {
    given.set(key, [...((given.get(key) as string[] | undefined) ?? []), text]);
    return true;
  }
  if (given.has(key)) return false;
  if (option.type === 'number' && !NUMBER.test(text)) return false;
  if (option.choices?.includes(text) === false) return false;
  given.set(key, option.type === 'number' ? Number(text) : text);
  return true;
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
