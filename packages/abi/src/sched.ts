/** clone(2) and sched(7). */

export const CSIGNAL = 0x000000ff;
export const CLONE_NEWTIME = 0x00000080;
export const CLONE_VM = 0x00000100;
export const CLONE_FS = 0x00000200;
export const CLONE_FILES = 0x00000400;
export const CLONE_SIGHAND = 0x00000800;
export const CLONE_PIDFD = 0x00001000;
export const CLONE_PTRACE = 0x00002000;
export const CLONE_VFORK = 0x00004000;
export const CLONE_PARENT = 0x00008000;
export const CLONE_THREAD = 0x00010000;
export const CLONE_NEWNS = 0x00020000;
export const CLONE_SYSVSEM = 0x00040000;
export const CLONE_SETTLS = 0x00080000;
export const CLONE_PARENT_SETTID = 0x00100000;
export const CLONE_CHILD_CLEARTID = 0x00200000;
export const CLONE_DETACHED = 0x00400000;
export const CLONE_UNTRACED = 0x00800000;
export const CLONE_CHILD_SETTID = 0x01000000;
export const CLONE_NEWCGROUP = 0x02000000;
export const CLONE_NEWUTS = 0x04000000;
export const CLONE_NEWIPC = 0x08000000;
export const CLONE_NEWUSER = 0x10000000;
export const CLONE_NEWPID = 0x20000000;
export const CLONE_NEWNET = 0x40000000;
export const CLONE_IO = 0x80000000;
/** Bits of the upper half of clone3(2)'s flags. */
export const CLONE_CLEAR_SIGHAND_HIGH = 0x1;
export const CLONE_INTO_CGROUP_HIGH = 0x2;

/** `struct clone_args`, clone3(2). */
export const CLONE_ARGS_SIZE_VER0 = 64;
export const CLONE_ARGS_SIZE_VER1 = 80;
export const CLONE_ARGS_SIZE_VER2 = 88;
export const CLONE_ARGS_FLAGS = 0;
export const CLONE_ARGS_PIDFD = 8;
export const CLONE_ARGS_CHILD_TID = 16;
export const CLONE_ARGS_PARENT_TID = 24;
export const CLONE_ARGS_EXIT_SIGNAL = 32;
export const CLONE_ARGS_STACK = 40;
export const CLONE_ARGS_STACK_SIZE = 48;
export const CLONE_ARGS_TLS = 56;
export const CLONE_ARGS_SET_TID = 64;
export const CLONE_ARGS_SET_TID_SIZE = 72;
export const CLONE_ARGS_CGROUP = 80;

export const SCHED_OTHER = 0;
export const SCHED_FIFO = 1;
export const SCHED_RR = 2;
export const SCHED_BATCH = 3;
export const SCHED_IDLE = 5;
export const SCHED_DEADLINE = 6;
export const SCHED_RESET_ON_FORK = 0x40000000;

/** `struct sched_attr`, sched_setattr(2). */
export const SCHED_ATTR_SIZE_VER0 = 48;
export const SCHED_ATTR_SIZE_VER1 = 56;

/** getpriority(2). */
export const PRIO_PROCESS = 0;
export const PRIO_PGRP = 1;
export const PRIO_USER = 2;
