/**
 * `poll.h` and `sys/select.h`: poll(2) and select(2), x86-64 Linux.
 */

export const POLLIN = 0x001;
export const POLLPRI = 0x002;
export const POLLOUT = 0x004;
export const POLLERR = 0x008;
export const POLLHUP = 0x010;
export const POLLNVAL = 0x020;
export const POLLRDNORM = 0x040;
export const POLLRDBAND = 0x080;
export const POLLWRNORM = 0x100;
export const POLLWRBAND = 0x200;
export const POLLMSG = 0x400;
export const POLLREMOVE = 0x1000;
export const POLLRDHUP = 0x2000;

/** `struct pollfd`, poll(2). */
export const SIZEOF_POLLFD = 8;
export const POLLFD_FD = 0;
export const POLLFD_EVENTS = 4;
export const POLLFD_REVENTS = 6;

/** Bits of an `fd_set` of the C library; the system call takes any number, select(2). */
export const FD_SETSIZE = 1024;
