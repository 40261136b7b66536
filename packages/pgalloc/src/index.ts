export { MemfdMemoryFile, createMemoryFile, type MemoryFileOptions } from './memfd-memory-file.js';
