export { openDescriptorLinks } from './descriptor-links.js';
export { FileStore, StoredFileSystem } from './file-store.js';
export { GoferClient, GoferOperation, type GoferNumbers } from './gofer-client.js';
export { useGofer } from './host-calls.js';
export { HostFdWatcher, type HostFdListener } from './host-fd-watcher.js';
export { HostFileSystem, type HostFileSystemOptions } from './host-file-system.js';
export { HostInode } from './host-inode.js';
export { HostRetry } from './host-retry.js';
export { HostStream, HostStreamInode } from './host-stream.js';
