export * from './errno.js';
export * from './memory.js';
