import native from '../native/index.js';

/** Open files: reading, writing, allocation, flags. Each returns a value of 0 or more, or a negated errno; `preadLater`, `syncLater` and `syncfsLater` a promise. */
export const {
  openat2,
  close,
  dup3,
  fcntl,
  read,
  write,
  preadv2,
  pwritev2,
  preadLater,
  syncLater,
  syncfsLater,
  dropCached,
  lseek,
  ftruncate,
  fallocate,
  copyFileRange,
  fsync,
  fdatasync,
  syncfs,
  flock,
  memfdCreate,
} = native;
