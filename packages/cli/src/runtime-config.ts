import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { RuntimeConfig } from '@tsv/boot/client';
import { CommandError, type CommandArguments } from './command.js';
import { parseSignal } from './parse-signal.js';

/** What the global options say, as boot takes it. */
export function runtimeConfig(args: CommandArguments): RuntimeConfig {
  return {
    platform: args.platform,
    mayPatchCode: args.systrapPatching === 'on',
    mayAnswerCalls: args.systrapInStub === 'on',
    network: args.network,
    overlay: args.overlay2 ?? 'root:memory',
    rootDir: args.root ?? defaultStateDir(),
    log: { isDebug: args.debug, directory: args.debugLog ?? null, format: args.debugLogFormat },
    straceNames: args.strace === undefined ? null : args.strace.split(',').filter((name) => name !== ''),
    straceDataBytesMax: args.straceLogSize,
    isDirectfs: args.directfs,
    isOciSeccomp: args.ociSeccomp,
    isSeccompDisabled: args.disableSeccomp,
    watchdog: { action: args.watchdogAction, timeoutMs: watchdogMs(args.watchdogTimeout) },
    panicSignal: args.panicSignal === undefined ? null : parseSignal(args.panicSignal),
    leakMode: args.refLeakMode,
    coverageFile: args.coverageReport === undefined ? null : resolve(args.coverageReport),
  };
}

/** A day: milliseconds are counted in 32 bits. */
const WATCHDOG_S_MAX = 86_400;

function watchdogMs(seconds: number): number {
  if (seconds > 0 && seconds <= WATCHDOG_S_MAX) return Math.ceil(seconds * 1000);
  throw new CommandError(`Cannot use --watchdog-timeout: it is not above 0 and at most ${WATCHDOG_S_MAX} seconds`);
}

/** As runc's rule is: /run/tsv for root, and $XDG_RUNTIME_DIR/tsv for others and for root of a user namespace. */
function defaultStateDir(): string {
  const runtimeDir = process.env['XDG_RUNTIME_DIR'] ?? '';
  if (runtimeDir !== '' && (process.geteuid?.() !== 0 || isInUserNamespace())) return join(runtimeDir, 'tsv');
  return process.geteuid?.() === 0 ? '/run/tsv' : join(homedir(), '.tsv', 'run');
}

/** Whether the user IDs are not those of the host, user_namespaces(7). */
function isInUserNamespace(): boolean {
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'latin1').trim().split(/\s+/).map(Number);
  return !(inside === 0 && outside === 0 && count === 4294967295);
}
