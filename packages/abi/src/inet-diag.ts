/** Tables of sockets over netlink, linux/sock_diag.h, linux/inet_diag.h and linux/unix_diag.h: sock_diag(7). */

export const SOCK_DIAG_BY_FAMILY = 20;

/** `struct inet_diag_req_v2`. */
export const SIZEOF_INET_DIAG_REQ_V2 = 56;
export const SDIAG_FAMILY = 0;
export const SDIAG_PROTOCOL = 1;
export const IDIAG_EXT = 2;
export const IDIAG_STATES = 4;
/** `struct inet_diag_sockid` in it. */
export const IDIAG_REQ_ID = 8;
export const SIZEOF_INET_DIAG_SOCKID = 48;
export const IDIAG_SPORT = 0;
export const IDIAG_DPORT = 2;
export const IDIAG_SRC = 4;
export const IDIAG_DST = 20;
export const IDIAG_IF = 36;
export const IDIAG_COOKIE = 40;

/** `struct inet_diag_msg`. */
export const SIZEOF_INET_DIAG_MSG = 72;
export const IDIAG_MSG_STATE = 1;
export const IDIAG_MSG_TIMER = 2;
export const IDIAG_MSG_RETRANS = 3;
export const IDIAG_MSG_ID = 4;
export const IDIAG_MSG_EXPIRES = 52;
export const IDIAG_MSG_RQUEUE = 56;
export const IDIAG_MSG_WQUEUE = 60;
export const IDIAG_MSG_UID = 64;
export const IDIAG_MSG_INODE = 68;

export const INET_DIAG_MEMINFO = 1;
export const INET_DIAG_INFO = 2;
export const INET_DIAG_CONG = 4;
export const INET_DIAG_SKMEMINFO = 7;

/** `struct unix_diag_req` and `struct unix_diag_msg`. */
export const SIZEOF_UNIX_DIAG_REQ = 24;
export const UDIAG_STATES = 4;
export const UDIAG_SHOW = 12;
export const SIZEOF_UNIX_DIAG_MSG = 16;
export const UDIAG_TYPE = 1;
export const UDIAG_STATE = 2;
export const UDIAG_INO = 4;
export const UNIX_DIAG_NAME = 0;
export const UNIX_DIAG_PEER = 2;
export const UNIX_DIAG_RQLEN = 4;
