/**
 * `sys/inotify.h`: flags and structures of inotify(7), x86-64 Linux. The events are `IN_*` of `@tsv/vfs`.
 */

export const IN_NONBLOCK = 0o4000;
export const IN_CLOEXEC = 0o2000000;

export const IN_ALL_EVENTS = 0x0fff;
export const IN_Q_OVERFLOW = 0x4000;
export const IN_IGNORED = 0x8000;
export const IN_ONLYDIR = 0x0100_0000;
export const IN_DONT_FOLLOW = 0x0200_0000;
export const IN_EXCL_UNLINK = 0x0400_0000;
export const IN_MASK_CREATE = 0x1000_0000;
export const IN_MASK_ADD = 0x2000_0000;
export const IN_ONESHOT = 0x8000_0000;

/** `struct inotify_event`, without the name behind it. */
export const SIZEOF_INOTIFY_EVENT = 16;
export const INOTIFY_EVENT_WD = 0;
export const INOTIFY_EVENT_MASK = 4;
export const INOTIFY_EVENT_COOKIE = 8;
export const INOTIFY_EVENT_LEN = 12;
