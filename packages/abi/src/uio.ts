/**
 * `sys/uio.h` and `fcntl.h`: readv(2), preadv2(2), splice(2), vmsplice(2).
 */

export const UIO_MAXIOV = 1024;

/** `struct iovec`. */
export const SIZEOF_IOVEC = 16;
export const IOV_BASE = 0;
export const IOV_LEN = 8;

/** Bytes that one call moves at most, read(2). */
export const MAX_RW_COUNT = 0x7ffff000;

/** Flags of preadv2(2) and pwritev2(2). */
export const RWF_HIPRI = 0x01;
export const RWF_DSYNC = 0x02;
export const RWF_SYNC = 0x04;
export const RWF_NOWAIT = 0x08;
export const RWF_APPEND = 0x10;
export const RWF_NOAPPEND = 0x20;

/** Flags of splice(2), tee(2) and vmsplice(2). */
export const SPLICE_F_MOVE = 1;
export const SPLICE_F_NONBLOCK = 2;
export const SPLICE_F_MORE = 4;
export const SPLICE_F_GIFT = 8;

/** Bytes that a write to a pipe moves at once or not at all, pipe(7). */
export const PIPE_BUF = 4096;

/** close_range(2), linux/close_range.h. */
export const CLOSE_RANGE_UNSHARE = 2;
export const CLOSE_RANGE_CLOEXEC = 4;
