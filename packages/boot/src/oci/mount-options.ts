import * as abi from '@tsv/abi';
import { SandboxError } from '../sandbox-error.js';

/** `options` of a mount, config.md "Mounts" and its table "Linux mount options". */
export interface MountOptions {
  /** MS_* of the mount itself. */
  readonly flags: number;
  readonly isBind: boolean;
  /** Nothing is mounted: what is at the destination gets the flags. */
  readonly isRemount: boolean;
  /** Mounts below the source come along. */
  readonly isRecursive: boolean;
  /** MS_SHARED and the like for the finished mount; 0 to leave it. */
  readonly propagation: number;
  /** Whether the propagation is of the mounts below, too. */
  readonly isPropagationRecursive: boolean;
  /** What is left, for the filesystem. */
  readonly data: string;
}

/** Options that are flags, mount(8), and what each sets and clears. */
const FLAGS: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  ro: [abi.MS_RDONLY, 0],
  rw: [0, abi.MS_RDONLY],
  nosuid: [abi.MS_NOSUID, 0],
  suid: [0, abi.MS_NOSUID],
  nodev: [abi.MS_NODEV, 0],
  dev: [0, abi.MS_NODEV],
  noexec: [abi.MS_NOEXEC, 0],
  exec: [0, abi.MS_NOEXEC],
  noatime: [abi.MS_NOATIME, 0],
  atime: [0, abi.MS_NOATIME],
  nodiratime: [abi.MS_NODIRATIME, 0],
  diratime: [0, abi.MS_NODIRATIME],
  relatime: [abi.MS_RELATIME, 0],
  norelatime: [0, abi.MS_RELATIME],
  strictatime: [abi.MS_STRICTATIME, 0],
  nostrictatime: [0, abi.MS_STRICTATIME],
  sync: [abi.MS_SYNCHRONOUS, 0],
  async: [0, abi.MS_SYNCHRONOUS],
};
/** Options of a whole tree. A mount is one filesystem here, so that they are those of the mount. */
const RECURSIVE_FLAG =
  /^r(ro|rw|nosuid|suid|nodev|dev|noexec|exec|noatime|atime|nodiratime|diratime|relatime|strictatime)$/;

/** MS_* of a word such as `rslave`, and whether it is for the mounts below, too; null for another word. */
export function parsePropagation(word: string): { propagation: number; isRecursive: boolean } | null {
  const own = PROPAGATIONS[word];
  if (own !== undefined) return { propagation: own, isRecursive: false };
  const spread = word.startsWith('r') ? PROPAGATIONS[word.slice(1)] : undefined;
  return spread === undefined ? null : { propagation: spread, isRecursive: true };
}

const PROPAGATIONS: Readonly<Record<string, number>> = {
  private: abi.MS_PRIVATE,
  shared: abi.MS_SHARED,
  slave: abi.MS_SLAVE,
  unbindable: abi.MS_UNBINDABLE,
};
/** Without effect on what guests can see: there is no other default, no mandatory locking, no console. */
const WITHOUT_EFFECT = new Set(
  [
    'defaults',
    'silent',
    'loud',
    'mand',
    'nomand',
    'iversion',
    'noiversion',
    'lazytime',
    'nolazytime',
    'dirsync',
  ].concat('tmpcopyup'),
);
const NOT_SUPPORTED = new Set(['idmap', 'ridmap', 'rnorelatime', 'nosymfollow', 'rnosymfollow']);

/** All words that are understood beside those of a filesystem, for features.md "mountOptions". */
export function mountOptionNames(): string[] {
  const spread = Object.keys(PROPAGATIONS);
  const flags = Object.keys(FLAGS);
  const recursive = flags.map((name) => `r${name}`).filter((name) => RECURSIVE_FLAG.test(name));
  const others = ['bind', 'rbind', 'remount', ...WITHOUT_EFFECT];
  return [...flags, ...recursive, ...spread, ...spread.map((name) => `r${name}`), ...others].sort();
}

/** Throws {@link SandboxError} naming an option that cannot be honoured. `where` is the path of the mount. */
export function parseMountOptions(options: readonly string[], type: string | undefined, where: string): MountOptions {
  let flags = 0;
  let propagation = 0;
  let isPropagationRecursive = false;
  let isBind = type === 'bind';
  let isRecursive = false;
  let isRemount = false;
  const data: string[] = [];
  for (const [index, option] of options.entries()) {
    const flag = FLAGS[option.replace(RECURSIVE_FLAG, '$1')];
    const spreads = parsePropagation(option);
    if (flag !== undefined) {
      flags = (flags | flag[0]) & ~flag[1];
    } else if (spreads !== null) {
      propagation = spreads.propagation;
      isPropagationRecursive = spreads.isRecursive;
    } else if (option === 'remount') {
      isRemount = true;
    } else if (option === 'bind' || option === 'rbind') {
      isBind = true;
      isRecursive = option === 'rbind';
    } else if (NOT_SUPPORTED.has(option)) {
      throw new SandboxError(`Cannot use ${where}.options.${index}: "${option}" is not supported`);
    } else if (!WITHOUT_EFFECT.has(option)) {
      data.push(option);
    }
  }
  if (isBind && data.length > 0) {
    throw new SandboxError(`Cannot use ${where}.options: a bind mount has no "${data[0]!}"`);
  }
  return { flags, isBind, isRemount, isRecursive, propagation, isPropagationRecursive, data: data.join(',') };
}
