import { ContainerManager, type RuntimeConfig } from '@tsv/boot/client';
import type { CommandArguments } from './command.js';
import { runtimeConfig } from './runtime-config.js';

/** The containers of `--root`; `change` overrides what the global options say. */
export function containerManager(args: CommandArguments, change: Partial<RuntimeConfig> = {}): ContainerManager {
  return new ContainerManager({ config: { ...runtimeConfig(args), ...change }, entry: process.argv[1]! });
}
