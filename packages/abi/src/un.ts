/**
 * `sys/un.h`, unix(7), x86-64 Linux.
 */

/** `struct sockaddr_un`: the family, then the path. */
export const SIZEOF_SOCKADDR_UN = 110;
export const SUN_PATH = 2;
export const UNIX_PATH_MAX = 108;
/** `struct sockaddr_storage`: no address is longer. */
export const SIZEOF_SOCKADDR_STORAGE = 128;
