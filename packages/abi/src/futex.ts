/** futex(2) and get_robust_list(2). */

export const FUTEX_WAIT = 0;
export const FUTEX_WAKE = 1;
export const FUTEX_FD = 2;
export const FUTEX_REQUEUE = 3;
export const FUTEX_CMP_REQUEUE = 4;
export const FUTEX_WAKE_OP = 5;
export const FUTEX_LOCK_PI = 6;
export const FUTEX_UNLOCK_PI = 7;
export const FUTEX_TRYLOCK_PI = 8;
export const FUTEX_WAIT_BITSET = 9;
export const FUTEX_WAKE_BITSET = 10;
export const FUTEX_WAIT_REQUEUE_PI = 11;
export const FUTEX_CMP_REQUEUE_PI = 12;
export const FUTEX_LOCK_PI2 = 13;
export const FUTEX_PRIVATE_FLAG = 128;
export const FUTEX_CLOCK_REALTIME = 256;
export const FUTEX_BITSET_MATCH_ANY = 0xffffffff;

export const FUTEX_OP_SET = 0;
export const FUTEX_OP_ADD = 1;
export const FUTEX_OP_OR = 2;
export const FUTEX_OP_ANDN = 3;
export const FUTEX_OP_XOR = 4;
export const FUTEX_OP_OPARG_SHIFT = 8;
export const FUTEX_OP_CMP_EQ = 0;
export const FUTEX_OP_CMP_NE = 1;
export const FUTEX_OP_CMP_LT = 2;
export const FUTEX_OP_CMP_LE = 3;
export const FUTEX_OP_CMP_GT = 4;
export const FUTEX_OP_CMP_GE = 5;

/** What the word of a robust or PI futex holds beside its owner's ID. */
export const FUTEX_WAITERS = 0x80000000;
export const FUTEX_OWNER_DIED = 0x40000000;
export const FUTEX_TID_MASK = 0x3fffffff;

/** `struct robust_list_head`. */
export const SIZEOF_ROBUST_LIST_HEAD = 24;
export const ROBUST_LIST_NEXT = 0;
export const ROBUST_FUTEX_OFFSET = 8;
export const ROBUST_LIST_OP_PENDING = 16;
export const ROBUST_LIST_LIMIT = 2048;

/** `struct futex_waitv`, futex_waitv(2). */
export const SIZEOF_FUTEX_WAITV = 24;
export const FUTEX_WAITV_VAL = 0;
export const FUTEX_WAITV_UADDR = 8;
export const FUTEX_WAITV_FLAGS = 16;
export const FUTEX_WAITV_RESERVED = 20;
export const FUTEX_WAITV_MAX = 128;
export const FUTEX2_SIZE_U32 = 0x02;
