import type { SysResult } from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** A system call: decode, validate, call, return. Synchronous; to block, return what `t.block()` returned. */
export type SyscallHandler = (t: Task, a: SyscallArgs) => SysResult;

/** One row of the system call table. */
export interface Syscall {
  readonly nr: number;
  /** Name as in syscalls(2). */
  readonly name: string;
  readonly run: SyscallHandler;
  /** What of it is not there, for docs/syscalls.md. */
  readonly partial?: string;
}

/** The task waits; its handler runs again when it is woken. Never a result of Linux's. */
export const BLOCKED = -0x1_0000;
/** The handler set the registers itself (rt_sigreturn, execve): nothing is stored in rax. */
export const REGISTERS_SET = -0x1_0001;
/** The task has exited and has no context any more. */
export const TASK_GONE = -0x1_0002;
