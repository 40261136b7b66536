import type { Options } from 'yargs';
import type { GlobalArguments } from './global-options.js';

/** One command of `tsv`. What it does is loaded only when it is called. */
export interface Command {
  /** Words as yargs takes them, such as `run [id]`. */
  readonly words: string;
  readonly describe: string | false;
  readonly options: Readonly<Record<string, Options>>;
  /** How many words that are no options come before the guest's command line; absent when it begins at `--` only. */
  readonly ownWordCount?: number;
  readonly load: () => Promise<CommandRun>;
}

/** Carries a command out; the result is the exit status. */
export type CommandRun = (args: CommandArguments, guest: readonly string[]) => Promise<number>;

/** Parsed options of the command and the global ones. */
export type CommandArguments = GlobalArguments & Readonly<Record<string, unknown>>;

/** A message for the user: what was attempted, a colon, the state. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
}

/** The value of an option or word that is text; undefined when it is absent. */
export function textOf(args: CommandArguments, name: string): string | undefined {
  const value = args[name];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

/** The values of an option that may be given several times. */
export function textsOf(args: CommandArguments, name: string): string[] {
  const value = args[name];
  return Array.isArray(value) ? value.map(String) : [];
}

/** A word that the command cannot do without. */
export function wordOf(args: CommandArguments, name: string): string {
  return textOf(args, name) ?? '';
}

/** A whole number from 0 on, or `absent`. */
export function countOf(args: CommandArguments, name: string, absent: number): number {
  const text = textOf(args, name);
  if (text === undefined) return absent;
  const value = Number(text);
  if (text !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new CommandError(`Cannot use "${text}" for ${name}: it is not a whole number of 0 or more`);
}
