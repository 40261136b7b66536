import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_RELATIME,
  ST_NOATIME,
  ST_NODEV,
  ST_NODIRATIME,
  ST_NOEXEC,
  ST_NOSUID,
  ST_NOSYMFOLLOW,
  ST_RDONLY,
  ST_RELATIME,
} from '@tsv/abi';

/** The flags of mount(2) that a mount keeps, as `MS_*` bits. */
export const MOUNT_FLAGS =
  MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | MS_NOSYMFOLLOW;

const SHOWN: readonly (readonly [flag: number, option: string, statfsFlag: number])[] = [
  [MS_NOSUID, 'nosuid', ST_NOSUID],
  [MS_NODEV, 'nodev', ST_NODEV],
  [MS_NOEXEC, 'noexec', ST_NOEXEC],
  [MS_NOATIME, 'noatime', ST_NOATIME],
  [MS_NODIRATIME, 'nodiratime', ST_NODIRATIME],
  [MS_RELATIME, 'relatime', ST_RELATIME],
  [MS_NOSYMFOLLOW, 'nosymfollow', ST_NOSYMFOLLOW],
];

/** The options of a mount as /proc/PID/mountinfo shows them: `rw,nosuid`. */
export function mountOptionsText(flags: number): string {
  let text = (flags & MS_RDONLY) !== 0 ? 'ro' : 'rw';
  for (const [flag, option] of SHOWN) if ((flags & flag) !== 0) text += ',' + option;
  return text;
}

/** The `f_flags` of statfs(2) for the flags of a mount. */
export function statfsFlags(flags: number): number {
  let result = (flags & MS_RDONLY) !== 0 ? ST_RDONLY : 0;
  for (const [flag, , statfsFlag] of SHOWN) if ((flags & flag) !== 0) result |= statfsFlag;
  return result;
}
