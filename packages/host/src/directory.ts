import native from '../native/index.js';

/**
 * Names in directories and what is behind them. Names are byte strings: each character is a byte. Each returns a value
 * of 0 or more, or a negated errno.
 */
export const {
  faccessat,
  getdents64,
  readlinkat,
  mkdirat,
  mknodat,
  unlinkat,
  renameat2,
  symlinkat,
  linkat,
  fchmod,
  fchmodat,
  fchownat,
  utimensat,
} = native;
