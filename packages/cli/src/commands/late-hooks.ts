import { serveLateHooks } from '@tsv/boot/client';
import { wordOf, type CommandRun } from '../command.js';
import { containerManager } from '../container-manager.js';

/** `tsv late-hooks`: runs the hooks of a container whose sentry is confined. Not for users. */
export const run: CommandRun = async (args) => {
  await serveLateHooks(containerManager(args), wordOf(args, 'id'));
  return 0;
};
