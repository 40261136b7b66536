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
    overlay: args.overlay2,
    rootDir: args.root ?? defaultStateDir(),
    log: { isDebug: args.debug, directory: args.debugLog ?? null, format: args.logFormat },
    straceNames: args.strace === undefined ? null : args.strace.split(',').filter((name) => name !== ''),
    straceDataBytesMax: args.straceLogSize,
    isSeccompDisabled: args.disableSeccomp,
  };
}

/** $XDG_RUNTIME_DIR/tsv, or /var/run/tsv for root, as runsc. */
function defaultStateDir(): string {
  const runtimeDir = process.env['XDG_RUNTIME_DIR'];
  if (runtimeDir !== undefined && runtimeDir !== '') return join(runtimeDir, 'tsv');
  return process.getuid?.() === 0 ? '/var/run/tsv' : join(homedir(), '.tsv', 'run');
}
