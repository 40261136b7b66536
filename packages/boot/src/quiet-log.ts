import type { LogConfig, RuntimeConfig } from './config.js';
import type { SandboxLog } from './sandbox-log.js';

/**
 * The log when nobody asked for one: warnings and errors go to standard error as the command line's own messages do,
 * and the logging library is not loaded. More is said once the level is `debug`.
 */
const QUIET: SandboxLog = {
  fd: 2,
  level: 'warn',
  debug: (message: unknown) => {
    say(message);
  },
  info: (message: unknown) => {
    say(message);
  },
  warn: (message: unknown) => process.stderr.write(`tsv: warning: ${String(message)}\n`),
  error: (message: unknown) => process.stderr.write(`tsv: ${String(message)}\n`),
};

function say(message: unknown): void {
  if (QUIET.level === 'debug') process.stderr.write(`tsv: ${String(message)}\n`);
}

/** The log that `config` asks for. */
export async function openLog(config: LogConfig, name: string): Promise<SandboxLog> {
  if (!config.isDebug && config.path === null && config.format === 'text') return QUIET;
  const { createLog } = await import('./sandbox-log.js');
  return createLog(config, name);
}

/** Where lines go that somebody asked for by an option of its own, such as `--strace`: to the log file if there is one. */
export function lineWriter(config: Pick<RuntimeConfig, 'log'>, log: SandboxLog): (line: string) => void {
  return (line) => {
    if (config.log.path === null) process.stderr.write(`${line}\n`);
    else log.info(line);
  };
}
