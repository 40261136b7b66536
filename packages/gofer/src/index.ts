export { HostFdWatcher, type HostFdListener } from './host-fd-watcher.js';
export { HostFileSystem, type HostFileSystemOptions } from './host-file-system.js';
export { HostStream, HostStreamInode } from './host-stream.js';
