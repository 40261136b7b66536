import {
  EINVAL,
  MOUNT_ATTR_NOATIME,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NODIRATIME,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_NOSYMFOLLOW,
  MOUNT_ATTR_RDONLY,
  MOUNT_ATTR_STRICTATIME,
  MOUNT_ATTR__ATIME,
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_RELATIME,
  type Errno,
} from '@tsv/abi';

/** The flags of mount(2) for those of mount_setattr(2). */
const FLAGS: readonly (readonly [attribute: number, flag: number])[] = [
  [MOUNT_ATTR_RDONLY, MS_RDONLY],
  [MOUNT_ATTR_NOSUID, MS_NOSUID],
  [MOUNT_ATTR_NODEV, MS_NODEV],
  [MOUNT_ATTR_NOEXEC, MS_NOEXEC],
  [MOUNT_ATTR_NODIRATIME, MS_NODIRATIME],
  [MOUNT_ATTR_NOSYMFOLLOW, MS_NOSYMFOLLOW],
];
const KNOWN = FLAGS.reduce((known, [attribute]) => known | attribute, MOUNT_ATTR__ATIME);

/** `MS_*` flags to set and to clear, mount_setattr(2). */
export interface FlagChange {
  readonly set: number;
  readonly clear: number;
}

/** The flags of a new mount, fsmount(2). Errors: EINVAL. */
export function mountFlagsOf(attributes: number): number {
  if ((attributes & ~KNOWN) !== 0) return -EINVAL;
  const atime = atimeFlag(attributes & MOUNT_ATTR__ATIME);
  return atime < 0 ? atime : atime | flagsOf(attributes);
}

/**
 * What to change for `attr_set` and `attr_clr`: access times are set to another way only when the old one is cleared.
 * Errors: EINVAL.
 */
export function flagChangeOf(attrSet: number, attrClr: number): FlagChange | Errno {
  if (((attrSet | attrClr) & ~KNOWN) !== 0) return -EINVAL;
  let [set, clear] = [flagsOf(attrSet), flagsOf(attrClr)];
  const clearsAtime = (attrClr & MOUNT_ATTR__ATIME) !== 0;
  if (clearsAtime) {
    if ((attrClr & MOUNT_ATTR__ATIME) !== MOUNT_ATTR__ATIME) return -EINVAL;
    const atime = atimeFlag(attrSet & MOUNT_ATTR__ATIME);
    if (atime < 0) return atime;
    clear |= MS_NOATIME | MS_RELATIME;
    set |= atime;
  } else if ((attrSet & MOUNT_ATTR__ATIME) !== 0) {
    return -EINVAL;
  }
  return { set, clear };
}

function flagsOf(attributes: number): number {
  let flags = 0;
  for (const [attribute, flag] of FLAGS) if ((attributes & attribute) !== 0) flags |= flag;
  return flags;
}

function atimeFlag(atime: number): number {
  if (atime === MOUNT_ATTR_NOATIME) return MS_NOATIME;
  if (atime === MOUNT_ATTR_STRICTATIME) return 0;
  return atime === 0 ? MS_RELATIME : -EINVAL;
}
