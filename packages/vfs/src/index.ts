export type { Caller, FsCredentials, UserMemory } from './caller.js';
export type { FileSystem, FileSystemStatistics } from './file-system.js';
export { IoBuffer, MemoryIo, copyBytes } from './file/io-buffer.js';
export type { Mappable, MappingObserver } from './file/mappable.js';
export { OpenFile, type DirentSink, type FileWatcher } from './file/open-file.js';
export { Inode, checkModeBits, type SetAttributes, type TimeValue } from './inode.js';
export { VfsPath } from './path/vfs-path.js';
