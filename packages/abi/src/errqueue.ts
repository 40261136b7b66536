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
export const SO_EE_ORIGIN_TIMESTAMPING = 4;
export const SO_EE_ORIGIN_ZEROCOPY = 5;

/** Bits of SO_TIMESTAMPING, linux/net_tstamp.h: what is stamped, and how it is told. */
export const SOF_TIMESTAMPING_TX_SOFTWARE = 1 << 1;
export const SOF_TIMESTAMPING_RX_SOFTWARE = 1 << 3;
export const SOF_TIMESTAMPING_SOFTWARE = 1 << 4;
export const SOF_TIMESTAMPING_OPT_ID = 1 << 7;
export const SOF_TIMESTAMPING_TX_SCHED = 1 << 8;
export const SOF_TIMESTAMPING_OPT_TSONLY = 1 << 11;
export const SOF_TIMESTAMPING_OPT_STATS = 1 << 12;
export const SOF_TIMESTAMPING_OPT_ID_TCP = 1 << 16;
export const SOF_TIMESTAMPING_MASK = (1 << 18) - 1;
/** `struct scm_timestamping`: three times, of which the first is the software's. */
export const SIZEOF_SCM_TIMESTAMPING = 48;
