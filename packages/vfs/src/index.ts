export {
  chmodPath,
  chownPath,
  isAtimeDue,
  setPathTimes,
  truncatePath,
  withoutPrivileges,
} from './attributes/attributes.js';
export { XATTR_BYTES_MAX, XattrMap } from './attributes/xattr-map.js';
export { getPathXattr, listPathXattrs, removePathXattr, setPathXattr } from './attributes/xattr.js';
export type { Caller, FsCredentials, UserMemory } from './caller.js';
export { DentryCache, UNUSED_DENTRIES_MAX } from './dentry/dentry-cache.js';
export { Dentry } from './dentry/dentry.js';
export { MEM_MAJOR, registerMemoryDevices, type MemoryDeviceOptions } from './device/memory-devices.js';
export { DeviceRegistry, type SpecialFileOpen } from './device/device-registry.js';
export { parseMountOptions, type FileSystemType, type MountOption, type MountRequest } from './file-system-type.js';
export type { FileSystem, FileSystemStatistics } from './file-system.js';
export { DirectoryFile, direntType } from './file/directory-file.js';
export { IoBuffer, MemoryIo, copyBytes } from './file/io-buffer.js';
export type { PendingRead } from './file/pending-read.js';
export type { PendingSync } from './file/pending-sync.js';
export type { Mappable, MappingObserver } from './file/mappable.js';
export { OpenFile, type DirentSink, type FileWatcher } from './file/open-file.js';
export { FILE_BYTES_MAX, seekFile } from './file/seek.js';
export { createDevtmpfs, devtmpfsType } from './fs/devfs/devtmpfs.js';
export { layerTar } from './fs/overlay/layer-tar.js';
export { makeWhiteout } from './fs/overlay/copy-up.js';
export { OVERLAY_LOWERS_MAX, overlayType } from './fs/overlay/overlay-type.js';
export { OverlayInode } from './fs/overlay/overlay-inode.js';
export { OverlayFileSystem, type OverlayOptions } from './fs/overlay/overlay-file-system.js';
export { SyntheticDirectory, type DynamicEntrySink } from './fs/synthetic/synthetic-directory.js';
export { SyntheticFileSystem, type SyntheticFileSystemOptions } from './fs/synthetic/synthetic-file-system.js';
export { SYNTHETIC_WRITE_BYTES_MAX, SyntheticFile } from './fs/synthetic/synthetic-file.js';
export { SyntheticInode } from './fs/synthetic/synthetic-inode.js';
export { StaticSymlink, SyntheticSymlink } from './fs/synthetic/synthetic-symlink.js';
export { PageMap } from './fs/tmpfs/page-map.js';
export type { FileContent } from './fs/tmpfs/file-content.js';
export { TmpfsContent, type PageBudget } from './fs/tmpfs/tmpfs-content.js';
export { TmpfsDirectory } from './fs/tmpfs/tmpfs-directory.js';
export { TMPFS_INODES_MAX, TMPFS_PAGES_MAX, TmpfsFileSystem, type TmpfsOptions } from './fs/tmpfs/tmpfs-file-system.js';
export { TmpfsFile } from './fs/tmpfs/tmpfs-file.js';
export { tmpfsType } from './fs/tmpfs/tmpfs-type.js';
export { setTime, stampTime } from './inode-time.js';
export { Inode, checkModeBits, hasCapOver, type SetAttributes, type TimeValue } from './inode.js';
export { FileLocks, RANGE_LOCK_COUNT_MAX, locksOf, type LockOwner, type RangeLock } from './lock/file-locks.js';
export { attachDetached, detachedCopy, detachedMount } from './mount/detached-mount.js';
export { MOUNT_FLAGS, mountOptionsText, statfsFlags } from './mount/mount-flags.js';
export {
  bindMount,
  cloneNamespace,
  mountFileSystem,
  moveMount,
  pivotRoot,
  remount,
  remountBind,
  setPropagation,
  unmount,
} from './mount/mount-operations.js';
export { MOUNT_COUNT_MAX, MountNamespace, mountTree } from './mount/mount-namespace.js';
export { Mount } from './mount/mount.js';
export { PeerGroup } from './mount/peer-group.js';
export { SuperBlock } from './mount/super-block.js';
export * from './notify/file-watch.js';
export { LOOKUP_DIRECTORY, LOOKUP_EMPTY, LOOKUP_FOLLOW, SYMLINKS_MAX } from './path/path-walk.js';
export { dentryText, displayPath, pathText, type PathText } from './path/path-text.js';
export type { NodeMaker } from './path/create.js';
export { MAY_EXEC, MAY_READ, MAY_WRITE, checkPathAccess, isOwnerOrCapable } from './path/permission.js';
export { HeapPagePool } from './page/heap-page-pool.js';
export { PAGE_KIND_TMPFS, type PageKind, type PagePool } from './page/page-pool.js';
export { superuser } from './superuser.js';
export { VfsPath } from './path/vfs-path.js';
export { VirtualFileSystem, type VirtualFileSystemOptions } from './virtual-file-system.js';
export {
  S_IFBLK,
  S_IFCHR,
  S_IFDIR,
  S_IFIFO,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  S_IFSOCK,
  S_ISGID,
  S_ISUID,
  S_ISVTX,
  makedev,
} from '@tsv/abi';
