import { mkdirSync, openSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import pino, { type Logger } from 'pino';
import pretty from 'pino-pretty';
import type { LogConfig } from './config.js';
import { SandboxError } from './sandbox-error.js';

/** Where a sandbox says what it does. Lines are written at once: the thread may not come back to the event loop soon. */
export type SandboxLog = Pick<Logger, 'debug' | 'info' | 'warn' | 'error' | 'level'> & {
  /** The descriptor that lines go to. */
  readonly fd: number;
};

/** The log that `config` asks for; `name` is the sandbox's, for the file name. */
export function createLog(config: LogConfig, name: string): SandboxLog {
  const level = config.isDebug ? 'debug' : 'warn';
  const fd = config.path === null ? 2 : openLogFile(logFile(config.path, name));
  const stream = pino.destination({ dest: fd, sync: true });
  const base = { level, base: null };
  if (config.format === 'json') return Object.assign(pino(base, stream), { fd });
  const text = pretty({ destination: stream, sync: true, colorize: false, ignore: 'pid,hostname' });
  return Object.assign(pino(base, text), { fd });
}

function openLogFile(path: string): number {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return openSync(path, 'a');
  } catch (error) {
    throw new SandboxError(`Cannot open the log "${path}": ${(error as Error).message}`);
  }
}

/** The file that `path` means for the sandbox called `name`, as `--debug-log` of runsc has it. */
export function logFile(path: string, name: string, now = new Date()): string {
  if (path.endsWith('/') || statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) {
    return join(path, `tsv.log.${name}.txt`);
  }
  const timestamp = now.toISOString().replace(/^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.(\d+)Z$/, '$1$2$3-$4$5$6.$7');
  const values: Readonly<Record<string, string>> = { ID: name, TIMESTAMP: timestamp, COMMAND: 'boot' };
  return path.replace(/%(ID|TIMESTAMP|COMMAND)%/g, (_, word: string) => values[word]!);
}
