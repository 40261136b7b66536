import { mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { LogConfig } from './config.js';

/** Where a sandbox says what it does. Lines are written at once: the thread may not come back to the event loop soon. */
export type SandboxLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'level'> & {
  /** The descriptor that lines go to. */
  readonly fd: number;
};

/** The log that `config` asks for; `name` is the sandbox's, for the file name. */
export function createLog(config: LogConfig, name: string): SandboxLog {
  const level = config.isDebug ? 'debug' : 'warn';
  const fd = config.directory === null ? 2 : openSync(logFile(config.directory, name), 'a');
  const stream = pino.destination({ dest: fd, sync: true });
  const base = { level, base: null };
  if (config.format === 'json') return Object.assign(pino(base, stream), { fd });
  const text = pretty({ destination: stream, sync: true, colorize: false, ignore: 'pid,hostname' });
  return Object.assign(pino(base, text), { fd });
}

function logFile(directory: string, name: string): string {
  mkdirSync(directory, { recursive: true });
  return join(directory, `tsv.log.${name}.txt`);
}
