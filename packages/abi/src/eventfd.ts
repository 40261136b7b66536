/**
 * `sys/eventfd.h`, `sys/timerfd.h` and `sys/signalfd.h`: eventfd(2), timerfd_create(2), signalfd(2).
 */

export const EFD_SEMAPHORE = 0o1;
export const EFD_NONBLOCK = 0o4000;
export const EFD_CLOEXEC = 0o2000000;

export const TFD_TIMER_ABSTIME = 1;
export const TFD_TIMER_CANCEL_ON_SET = 2;
export const TFD_NONBLOCK = 0o4000;
export const TFD_CLOEXEC = 0o2000000;

export const SFD_NONBLOCK = 0o4000;
export const SFD_CLOEXEC = 0o2000000;

/** `struct signalfd_siginfo`, signalfd(2). */
export const SIZEOF_SIGNALFD_SIGINFO = 128;
export const SSI_SIGNO = 0;
export const SSI_ERRNO = 4;
export const SSI_CODE = 8;
export const SSI_PID = 12;
export const SSI_UID = 16;
export const SSI_FD = 20;
export const SSI_TID = 24;
export const SSI_BAND = 28;
export const SSI_OVERRUN = 32;
export const SSI_TRAPNO = 36;
export const SSI_STATUS = 40;
export const SSI_INT = 44;
export const SSI_PTR = 48;
export const SSI_UTIME = 56;
export const SSI_STIME = 64;
export const SSI_ADDR = 72;
export const SSI_ADDR_LSB = 80;
export const SSI_SYSCALL = 84;
export const SSI_CALL_ADDR = 88;
export const SSI_ARCH = 96;
