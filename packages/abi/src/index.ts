export * from './errno.js';
export * from './memory.js';
export * from './syscall-numbers.js';
