import { containerManager } from '../container-manager.js';
import type { CommandRun } from '../command.js';
import { bundleConfig, createOptions } from '../create-options.js';

/** `tsv create`: a container that can be started. */
export const run: CommandRun = async (args) => {
  await containerManager(args, bundleConfig(args)).create(createOptions(args));
  return 0;
};
