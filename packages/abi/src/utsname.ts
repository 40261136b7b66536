/** `struct utsname`, uname(2): six fields of 65 bytes. */

export const UTS_FIELD_BYTES = 65;
export const SIZEOF_UTSNAME = 6 * UTS_FIELD_BYTES;
/** Longest host or domain name. */
export const HOST_NAME_MAX = 64;
