import type { Options } from 'yargs';
import type { GlobalArguments } from './global-options.js';

/** One command of `tsv`. What it does is loaded only when it is called. */
export interface Command {
  /** Words as yargs takes them, such as `run [id]`. */
  readonly words: string;
  readonly describe: string;
  readonly options: Readonly<Record<string, Options>>;
  /** Whether the first word that is no option begins the guest's command line. */
  readonly isGreedy?: boolean;
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
