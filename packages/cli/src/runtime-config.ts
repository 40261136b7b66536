import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { RuntimeConfig } from '@tsv/boot';
import type { CommandArguments } from './command.js';

/** What the global options say, as boot takes it. */
export function runtimeConfig(args: CommandArguments): RuntimeConfig {
  return {
    platform: args.platform,
    mayPatchCode: args.systrapPatching === 'on',
    network: args.network,
    overlay: args.overlay2 ?? 'root:memory',
    rootDir: args.root ?? defaultStateDir(),
    log: { isDebug: args.debug, directory: args.debugLog ?? null, format: args.debugLogFormat },
    straceNames: args.strace === undefined ? null : args.strace.split(',').filter((name) => name !== ''),
    straceDataBytesMax: args.straceLogSize,
    isDirectfs: args.directfs,
    isOciSeccomp: args.ociSeccomp,
    isSeccompDisabled: args.disableSeccomp,
  };
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
