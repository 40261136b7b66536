/** `sys/timex.h`: adjtimex(2), x86-64. */

/** `struct timex`. */
export const TIMEX_MODES = 0;
export const TIMEX_OFFSET = 8;
export const TIMEX_FREQ = 16;
export const TIMEX_MAXERROR = 24;
export const TIMEX_ESTERROR = 32;
export const TIMEX_STATUS = 40;
export const TIMEX_CONSTANT = 48;
export const TIMEX_PRECISION = 56;
export const TIMEX_TOLERANCE = 64;
/** A `struct timeval`. */
export const TIMEX_TIME = 72;
export const TIMEX_TICK = 88;
export const SIZEOF_TIMEX = 208;
/** The clock is not synchronized. */
export const STA_UNSYNC = 0x40;
export const TIME_ERROR = 5;
