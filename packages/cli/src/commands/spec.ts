import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultConfig, type Spec } from '@tsv/oci';
import { CommandError, textOf, type CommandArguments, type CommandRun } from '../command.js';

/** Writes the default config.json; what is there is not overwritten. */
export const run: CommandRun = (args, guest) => {
  const path = join(String(args['bundle']), 'config.json');
  if (existsSync(path)) throw new CommandError(`Cannot write "${path}": it exists already; remove it first`);
  const words = guest.length > 0 ? guest : ((args['args'] as string[] | undefined) ?? []);
  const spec = change(defaultConfig(words.length > 0 ? words : undefined), args);
  writeFileSync(path, `${JSON.stringify(spec, null, 2)}\n`);
  return Promise.resolve(0);
};

/** What the options change of the default. */
function change(spec: Spec, args: CommandArguments): Spec {
  const cwd = textOf(args, 'cwd');
  const netns = textOf(args, 'netns');
  const namespaces = (spec.linux?.namespaces ?? []).map((entry) =>
    entry.type === 'network' && netns !== undefined ? { ...entry, path: netns } : entry,
  );
  return {
    ...spec,
    ...(spec.process !== undefined && cwd !== undefined && { process: { ...spec.process, cwd } }),
    linux: { ...spec.linux, ...(args['rootless'] === true ? rootless(namespaces) : { namespaces }) },
  };
}

/** What a user may ask for without root: a user namespace in which they are root, and nobody else is. */
function rootless(namespaces: NonNullable<Spec['linux']>['namespaces']): Spec['linux'] {
  const mapping = (hostID: number): { containerID: number; hostID: number; size: number }[] => [
    { containerID: 0, hostID, size: 1 },
  ];
  return {
    namespaces: [
      ...(namespaces ?? []).filter(({ type, path }) => type !== 'network' || path !== undefined),
      { type: 'user' },
    ],
    uidMappings: mapping(process.geteuid!()),
    gidMappings: mapping(process.getegid!()),
  };
}
