import { containerStatus, ociState } from '@tsv/boot/client';
import { containerManager } from '../container-manager.js';
import { wordOf, type CommandRun } from '../command.js';

/** `tsv state`: the state of a container as JSON, runtime.md "Query State", with what runc adds. */
export const run: CommandRun = (args) => {
  const state = containerManager(args).state(wordOf(args, 'id'));
  const { rootfs, created, owner } = state;
  const shown = { ...ociState(state, containerStatus(state)), rootfs, created, owner };
  process.stdout.write(`${JSON.stringify({ pid: 0, ...shown }, null, 2)}\n`);
  return Promise.resolve(0);
};
