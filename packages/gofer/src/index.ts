export { HostFileSystem, type HostFileSystemOptions } from './host-file-system.js';
