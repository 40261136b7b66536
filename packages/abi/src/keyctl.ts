/** `linux/keyctl.h`: keys and keyrings, keyrings(7) and keyctl(2). */

export const KEY_SPEC_THREAD_KEYRING = -1;
export const KEY_SPEC_PROCESS_KEYRING = -2;
export const KEY_SPEC_SESSION_KEYRING = -3;
export const KEY_SPEC_USER_KEYRING = -4;
export const KEY_SPEC_USER_SESSION_KEYRING = -5;
export const KEY_SPEC_REQKEY_AUTH_KEY = -7;
export const KEY_SPEC_REQUESTOR_KEYRING = -8;

export const KEY_REQKEY_DEFL_NO_CHANGE = -1;
export const KEY_REQKEY_DEFL_DEFAULT = 0;
export const KEY_REQKEY_DEFL_USER_SESSION_KEYRING = 5;

export const KEYCTL_GET_KEYRING_ID = 0;
export const KEYCTL_JOIN_SESSION_KEYRING = 1;
export const KEYCTL_UPDATE = 2;
export const KEYCTL_REVOKE = 3;
export const KEYCTL_CHOWN = 4;
export const KEYCTL_SETPERM = 5;
export const KEYCTL_DESCRIBE = 6;
export const KEYCTL_CLEAR = 7;
export const KEYCTL_LINK = 8;
export const KEYCTL_UNLINK = 9;
export const KEYCTL_SEARCH = 10;
export const KEYCTL_READ = 11;
export const KEYCTL_INSTANTIATE = 12;
export const KEYCTL_NEGATE = 13;
export const KEYCTL_SET_REQKEY_KEYRING = 14;
export const KEYCTL_SET_TIMEOUT = 15;
export const KEYCTL_ASSUME_AUTHORITY = 16;
export const KEYCTL_GET_SECURITY = 17;
export const KEYCTL_REJECT = 19;
export const KEYCTL_INSTANTIATE_IOV = 20;
export const KEYCTL_INVALIDATE = 21;
export const KEYCTL_MOVE = 30;
export const KEYCTL_CAPABILITIES = 31;

export const KEYCTL_MOVE_EXCL = 1;
/** First byte of KEYCTL_CAPABILITIES. */
export const KEYCTL_CAPS0_CAPABILITIES = 0x01;
export const KEYCTL_CAPS0_INVALIDATE = 0x20;
export const KEYCTL_CAPS0_MOVE = 0x80;

/** Rights of one class of users; a class is shifted by 24 (possessor), 16 (owner), 8 (group) or 0 (others). */
export const KEY_VIEW = 0x01;
export const KEY_READ = 0x02;
export const KEY_WRITE = 0x04;
export const KEY_SEARCH = 0x08;
export const KEY_LINK = 0x10;
export const KEY_SETATTR = 0x20;
export const KEY_ALL = 0x3f;
