import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { OverlayMedium, RuntimeConfig } from '@tsv/boot/client';
import { CommandError, type CommandArguments } from './command.js';
import { parseSignal } from './parse-signal.js';

/** What the global options say, as boot takes it. */
export function runtimeConfig(args: CommandArguments): RuntimeConfig {
  return {
    platform: args.platform,
    mayPatchCode: args.systrapPatching === 'on',
    mayAnswerCalls: args.systrapInStub === 'on',
    network: args.network,
    isLoggingPackets: args.logPackets,
    pcapFile: args.pcapLog === undefined ? null : resolve(args.pcapLog),
    hasNetRaw: args.netRaw,
    ...parseOverlay(args.overlay2 ?? 'root:memory'),
    fileAccess: args.fileAccess,
    fileAccessMounts: args.fileAccessMounts,
    dentryCountMax: dentryCountMax(args.dcache),
    hostFifo: args.hostFifo,
    hostUds: args.hostUds,
    countsCpusOfQuota: args.cpuNumFromQuota,
    ignoresCgroups: args.ignoreCgroups,
    rootDir: args.root ?? defaultStateDir(),
    log: { isDebug: args.debug, path: logPath(args.debugLog), format: args.debugLogFormat },
    straceNames: args.strace === undefined ? null : args.strace.split(',').filter((name) => name !== ''),
    straceDataBytesMax: args.straceLogSize,
    isDirectfs: args.directfs,
    isOciSeccomp: args.ociSeccomp,
    isSeccompDisabled: args.disableSeccomp,
    watchdog: { action: args.watchdogAction, timeoutMs: limitMs('watchdog-timeout', args.watchdogTimeout) },
    createTimeoutMs: limitMs('create-timeout', args.createTimeout),
    panicSignal: args.panicSignal === undefined ? null : parseSignal(args.panicSignal),
    leakMode: args.refLeakMode,
    coverageFile: args.coverageReport === undefined ? null : resolve(args.coverageReport),
  };
}

/** The sandbox has another working directory. A slash at the end, which says that it is a directory, stays. */
function logPath(text: string | undefined): string | null {
  if (text === undefined) return null;
  return text.endsWith('/') ? `${resolve(text)}/` : resolve(text);
}

/** Names that a call works with are among them. */
const DENTRY_COUNT_MIN = 64;

function dentryCountMax(count: number): number | null {
  if (Number.isSafeInteger(count)) return count < 0 ? null : Math.max(DENTRY_COUNT_MIN, count);
  throw new CommandError('Cannot use --dcache: it is not a whole number');
}

/** A day: milliseconds are counted in 32 bits. */
const LIMIT_S_MAX = 86_400;

function limitMs(option: string, seconds: number): number {
  if (seconds > 0 && seconds <= LIMIT_S_MAX) return Math.ceil(seconds * 1000);
  throw new CommandError(`Cannot use --${option}: it is not above 0 and at most ${LIMIT_S_MAX} seconds`);
}

const OVERLAY_FORM = 'none, or root or all with :memory, :self or :dir=/PATH, and perhaps ",size=BYTES"';
const NO_OVERLAY = { overlay: 'none', overlayMedium: 'memory', overlayBytesMax: null } as const;

/** The value of `--overlay2`, as runsc has it: what, where and perhaps a size. Throws {@link CommandError}. */
export function parseOverlay(text: string): Pick<RuntimeConfig, 'overlay' | 'overlayMedium' | 'overlayBytesMax'> {
  if (text === 'none') return NO_OVERLAY;
  const match = /^(root|all):(memory|self|dir=(\/[^,]*))(?:,size=(\d{1,12})([kmgt]?))?$/.exec(text);
  if (match === null) throw new CommandError(`Cannot use --overlay2 "${text}": use ${OVERLAY_FORM}`);
  const [, overlay, medium, dir, size, unit = ''] = match;
  return {
    overlay: overlay as 'root' | 'all',
    overlayMedium: (dir ?? medium) as OverlayMedium,
    overlayBytesMax: size === undefined ? null : Number(size) * 1024 ** ['', 'k', 'm', 'g', 't'].indexOf(unit),
  };
}

/** As runc's rule is: /run/tsv for root, and $XDG_RUNTIME_DIR/tsv for others and for root of a user namespace. */
function defaultStateDir(): string {
  const runtimeDir = process.env['XDG_RUNTIME_DIR'] ?? '';
  if (runtimeDir !== '' && (process.geteuid?.() !== 0 || isInUserNamespace())) return join(runtimeDir, 'tsv');
  return process.geteuid?.() === 0 ? '/run/tsv' : join(homedir(), '.tsv', 'run');
}

/** Whether the user IDs are not those of the host, user_namespaces(7). What has boot's own is not loaded for this. */
function isInUserNamespace(): boolean {
  const [inside, outside, count] = readFileSync('/proc/self/uid_map', 'latin1').trim().split(/\s+/).map(Number);
  return !(inside === 0 && outside === 0 && count === 4294967295);
}
