/** The error queue of a socket, linux/errqueue.h: `struct sock_extended_err`, ip(7). */

export const SIZEOF_SOCK_EXTENDED_ERR = 16;
export const EE_ERRNO = 0;
export const EE_ORIGIN = 4;
export const EE_TYPE = 5;
export const EE_CODE = 6;
export const EE_INFO = 8;
export const EE_DATA = 12;

export const SO_EE_ORIGIN_NONE = 0;
export const SO_EE_ORIGIN_LOCAL = 1;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;
export const SO_EE_ORIGIN_ZEROCOPY = 5;
