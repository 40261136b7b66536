import type { LogConfig } from './config.js';
import type { SandboxLog } from './sandbox-log.js';

const ignore = (): void => undefined;

/**
 * The log when nobody asked for one: warnings and errors go to standard error as the command line's own messages do,
 * and the logging library is not loaded.
 */
const QUIET: SandboxLog = {
  debug: ignore,
  info: ignore,
  warn: (message: unknown) => process.stderr.write(`tsv: warning: ${String(message)}\n`),
  error: (message: unknown) => process.stderr.write(`tsv: ${String(message)}\n`),
};

/** The log that `config` asks for. */
export async function openLog(config: LogConfig, name: string): Promise<SandboxLog> {
  if (!config.isDebug && config.directory === null && config.format === 'text') return QUIET;
  const { createLog } = await import('./sandbox-log.js');
  return createLog(config, name);
}
