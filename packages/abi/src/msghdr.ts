/**
 * Messages and their ancillary data, `sys/socket.h`: recvmsg(2), cmsg(3), unix(7), x86-64 Linux.
 */

/** `struct msghdr`. */
export const SIZEOF_MSGHDR = 56;
export const MSG_NAME = 0;
export const MSG_NAMELEN = 8;
export const MSG_IOV = 16;
export const MSG_IOVLEN = 24;
export const MSG_CONTROL = 32;
export const MSG_CONTROLLEN = 40;
export const MSG_FLAGS = 48;

/** `struct mmsghdr`: a msghdr and the bytes that were moved. */
export const SIZEOF_MMSGHDR = 64;
export const MSG_LEN = 56;

/** `struct cmsghdr`: its length counts the header; the next one is at a multiple of 8. */
export const SIZEOF_CMSGHDR = 16;
export const CMSG_LEN = 0;
export const CMSG_LEVEL = 8;
export const CMSG_TYPE = 12;
export const CMSG_ALIGN_BYTES = 8;

export const SCM_RIGHTS = 1;
export const SCM_CREDENTIALS = 2;
export const SCM_PIDFD = 4;
/** Descriptors that one message can carry. */
export const SCM_MAX_FD = 253;

/** `struct ucred`: pid, uid, gid. */
export const SIZEOF_UCRED = 12;
export const UCRED_PID = 0;
export const UCRED_UID = 4;
export const UCRED_GID = 8;

/** `struct linger`. */
export const SIZEOF_LINGER = 8;
export const L_ONOFF = 0;
export const L_LINGER = 4;

/** Socket options newer than `socket.ts` lists. */
export const SO_PEERGROUPS = 59;
export const SO_PASSPIDFD = 76;
export const SO_PEERPIDFD = 77;
/** The `long`-timed options under their second numbers, for 32-bit time. */
export const SO_RCVTIMEO_NEW = 66;
export const SO_SNDTIMEO_NEW = 67;
