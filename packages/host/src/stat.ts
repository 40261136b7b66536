import native from '../native/index.js';

/** Indices of what {@link statx} stores. A field that was not in `stx_mask` is 0. */
export const STAT_MASK = 0;
export const STAT_MODE = 1;
/** Rounded above 2^53. */
export const STAT_INO = 2;
export const STAT_DEV_MAJOR = 3;
export const STAT_DEV_MINOR = 4;
export const STAT_NLINK = 5;
export const STAT_UID = 6;
export const STAT_GID = 7;
export const STAT_RDEV_MAJOR = 8;
export const STAT_RDEV_MINOR = 9;
export const STAT_SIZE = 10;
export const STAT_BLKSIZE = 11;
export const STAT_BLOCKS = 12;
export const STAT_ATIME_SEC = 13;
export const STAT_ATIME_NSEC = 14;
export const STAT_MTIME_SEC = 15;
export const STAT_MTIME_NSEC = 16;
export const STAT_CTIME_SEC = 17;
export const STAT_CTIME_NSEC = 18;
export const STAT_BTIME_SEC = 19;
export const STAT_BTIME_NSEC = 20;
export const STAT_MNT_ID = 21;
export const STAT_ATTRIBUTES = 22;
export const STAT_ATTRIBUTES_MASK = 23;
/** Elements that the array for {@link statx} has. */
export const STAT_COUNT = 24;

/** Indices of what {@link fstatfs} stores. */
export const STATFS_TYPE = 0;
export const STATFS_BSIZE = 1;
export const STATFS_BLOCKS = 2;
export const STATFS_BFREE = 3;
export const STATFS_BAVAIL = 4;
export const STATFS_FILES = 5;
export const STATFS_FFREE = 6;
export const STATFS_NAMELEN = 7;
export const STATFS_FLAGS = 8;
/** Elements that the array for {@link fstatfs} has. */
export const STATFS_COUNT = 9;

export const { statx, fstatfs } = native;
