/** `linux/mqueue.h`: POSIX message queues, mq_overview(7). Layouts of x86-64. */

/** Priorities are below this. */
export const MQ_PRIO_MAX = 32768;
/** `struct mq_attr`: four longs and four reserved ones. */
export const MQ_FLAGS = 0;
export const MQ_MAXMSG = 8;
export const MQ_MSGSIZE = 16;
export const MQ_CURMSGS = 24;
export const SIZEOF_MQ_ATTR = 64;
/** The cookie of mq_notify(2) SIGEV_THREAD; its last byte says why it came. */
export const NOTIFY_COOKIE_LEN = 32;
export const NOTIFY_WOKENUP = 1;
export const NOTIFY_REMOVED = 2;
