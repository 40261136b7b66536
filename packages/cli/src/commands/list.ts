import type { ListedContainer } from '@tsv/boot/client';
import { containerManager } from '../container-manager.js';
import { textOf, type CommandRun } from '../command.js';
import { textTable } from '../text-table.js';

const HEAD = ['ID', 'PID', 'STATUS', 'BUNDLE', 'CREATED', 'OWNER'];

/** `tsv list`: the containers of `--root`. */
export const run: CommandRun = (args) => {
  const containers = containerManager(args).list();
  if (args['quiet'] === true) process.stdout.write(containers.map(({ id }) => `${id}\n`).join(''));
  else if (textOf(args, 'format') === 'json') process.stdout.write(`${JSON.stringify(containers.map(describe))}\n`);
  else process.stdout.write(textTable([HEAD, ...containers.map(row)], 12, 3));
  return Promise.resolve(0);
};

function describe({ id, status, state }: ListedContainer): Record<string, unknown> {
  const { ociVersion, bundle, rootfs, created, owner, annotations } = state ?? {};
  return { ociVersion, id, pid: pidOf({ id, status, state }), status, bundle, rootfs, created, owner, annotations };
}

function row(container: ListedContainer): string[] {
  const { id, status, state } = container;
  return [id, String(pidOf(container)), status, state?.bundle ?? '', state?.created ?? '', state?.owner ?? ''];
}

function pidOf({ status, state }: ListedContainer): number {
  return status === 'stopped' ? 0 : (state?.process?.pid ?? 0);
}
