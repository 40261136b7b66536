export { Kernel, type KernelOptions } from './kernel.js';
export { Task, TaskState } from './task/task.js';
export { SYSCALLS } from './syscalls/table.js';
export { BLOCKED, REGISTERS_SET, TASK_GONE, type Syscall, type SyscallHandler } from './syscalls/syscall.js';
