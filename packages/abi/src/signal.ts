/** Signals, signal(7) and sigaction(2), x86-64. */

export const SIGHUP = 1;
export const SIGINT = 2;
export const SIGQUIT = 3;
export const SIGILL = 4;
export const SIGTRAP = 5;
export const SIGABRT = 6;
export const SIGBUS = 7;
export const SIGFPE = 8;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGSEGV = 11;
export const SIGUSR2 = 12;
export const SIGPIPE = 13;
export const SIGALRM = 14;
export const SIGTERM = 15;
export const SIGSTKFLT = 16;
export const SIGCHLD = 17;
export const SIGCONT = 18;
export const SIGSTOP = 19;
export const SIGTSTP = 20;
export const SIGTTIN = 21;
export const SIGTTOU = 22;
export const SIGURG = 23;
export const SIGXCPU = 24;
export const SIGXFSZ = 25;
export const SIGVTALRM = 26;
export const SIGPROF = 27;
export const SIGWINCH = 28;
export const SIGIO = 29;
export const SIGPWR = 30;
export const SIGSYS = 31;
/** First real-time signal, as the kernel counts. */
export const SIGRTMIN = 32;
/** Number of signals; the last one is 64. */
export const NSIG = 64;

export const SA_NOCLDSTOP = 0x00000001;
export const SA_NOCLDWAIT = 0x00000002;
export const SA_SIGINFO = 0x00000004;
export const SA_UNSUPPORTED = 0x00000400;
export const SA_EXPOSE_TAGBITS = 0x00000800;
export const SA_RESTORER = 0x04000000;
export const SA_ONSTACK = 0x08000000;
export const SA_RESTART = 0x10000000;
export const SA_NODEFER = 0x40000000;
export const SA_RESETHAND = 0x80000000;

export const SIG_DFL = 0;
export const SIG_IGN = 1;

export const SIG_BLOCK = 0;
export const SIG_UNBLOCK = 1;
export const SIG_SETMASK = 2;

/** `si_code` of signals from anywhere, sigaction(2). */
export const SI_USER = 0;
export const SI_KERNEL = 0x80;
export const SI_QUEUE = -1;
export const SI_TIMER = -2;
export const SI_MESGQ = -3;
export const SI_ASYNCIO = -4;
export const SI_SIGIO = -5;
export const SI_TKILL = -6;

export const ILL_ILLOPN = 2;
export const FPE_INTDIV = 1;
export const SEGV_MAPERR = 1;
export const SEGV_ACCERR = 2;
export const BUS_ADRALN = 1;
export const BUS_ADRERR = 2;
export const TRAP_BRKPT = 1;
export const TRAP_TRACE = 2;

export const CLD_EXITED = 1;
export const CLD_KILLED = 2;
export const CLD_DUMPED = 3;
export const CLD_TRAPPED = 4;
export const CLD_STOPPED = 5;
export const CLD_CONTINUED = 6;

export const POLL_IN = 1;
export const POLL_OUT = 2;
export const POLL_MSG = 3;
export const POLL_ERR = 4;
export const POLL_PRI = 5;
export const POLL_HUP = 6;

export const SYS_SECCOMP = 1;

/** `sigev_notify`, sigevent(3type). */
export const SIGEV_SIGNAL = 0;
export const SIGEV_NONE = 1;
export const SIGEV_THREAD = 2;
export const SIGEV_THREAD_ID = 4;

/** `ss_flags`, sigaltstack(2). */
export const SS_ONSTACK = 1;
export const SS_DISABLE = 2;
export const SS_AUTODISARM = 0x80000000;
export const MINSIGSTKSZ = 2048;

/** `sigset_t` as the kernel has it: one bit a signal, signal 1 first. */
export const SIZEOF_SIGSET = 8;

/** `siginfo_t`, sigaction(2). The fields after `si_code` depend on it. */
export const SIZEOF_SIGINFO = 128;
export const SI_SIGNO = 0;
export const SI_ERRNO = 4;
export const SI_CODE = 8;
/** kill(2), sigqueue(3), child status. */
export const SI_PID = 16;
export const SI_UID = 20;
/** sigqueue(3), POSIX timers. */
export const SI_VALUE = 24;
/** POSIX timers. */
export const SI_TIMERID = 16;
export const SI_OVERRUN = 20;
/** SIGCHLD. */
export const SI_STATUS = 24;
export const SI_UTIME = 32;
export const SI_STIME = 40;
/** Faults. */
export const SI_ADDR = 16;
export const SI_ADDR_LSB = 24;
/** SIGIO. */
export const SI_BAND = 16;
export const SI_FD = 24;
/** SIGSYS. */
export const SI_CALL_ADDR = 16;
export const SI_SYSCALL = 24;
export const SI_ARCH = 28;

/** `struct kernel_sigaction`: what rt_sigaction(2) takes. */
export const SIZEOF_SIGACTION = 32;
export const SA_HANDLER_AT = 0;
export const SA_FLAGS_AT = 8;
export const SA_RESTORER_AT = 16;
export const SA_MASK_AT = 24;

/** `stack_t`, sigaltstack(2). */
export const SIZEOF_STACK = 24;
export const SS_SP = 0;
export const SS_FLAGS = 8;
export const SS_SIZE = 16;

/** `struct sigevent`, sigevent(3type). */
export const SIZEOF_SIGEVENT = 64;
export const SIGEV_VALUE_AT = 0;
export const SIGEV_SIGNO_AT = 8;
export const SIGEV_NOTIFY_AT = 12;
export const SIGEV_TID_AT = 16;
