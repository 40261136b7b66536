import { storeI64 } from './memory.js';

/** Magic numbers of `f_type`, linux/magic.h. */
export const TMPFS_MAGIC = 0x01021994;
export const OVERLAYFS_SUPER_MAGIC = 0x794c7630;
export const PROC_SUPER_MAGIC = 0x9fa0;
export const SYSFS_MAGIC = 0x62656572;
export const DEVPTS_SUPER_MAGIC = 0x1cd1;
export const PIPEFS_MAGIC = 0x50495045;
export const SOCKFS_MAGIC = 0x534f434b;
export const ANON_INODE_FS_MAGIC = 0x09041934;
export const CGROUP_SUPER_MAGIC = 0x27e0eb;
export const CGROUP2_SUPER_MAGIC = 0x63677270;
export const NSFS_MAGIC = 0x6e736673;
export const MQUEUE_MAGIC = 0x19800202;
export const FUSE_SUPER_MAGIC = 0x65735546;

/** `f_flags`, statvfs(3). */
export const ST_RDONLY = 0x0001;
export const ST_NOSUID = 0x0002;
export const ST_NODEV = 0x0004;
export const ST_NOEXEC = 0x0008;
export const ST_VALID = 0x0020;
export const ST_NOATIME = 0x0400;
export const ST_NODIRATIME = 0x0800;
export const ST_RELATIME = 0x1000;
export const ST_NOSYMFOLLOW = 0x2000;

/** What `struct statfs` tells. */
export interface StatfsSource {
  readonly type: number;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly freeBlockCount: number;
  readonly availableBlockCount: number;
  readonly fileCount: number;
  readonly freeFileCount: number;
  readonly nameBytesMax: number;
}

/** `struct statfs`, statfs(2), x86-64. */
export const SIZEOF_STATFS = 120;

/** Stores a `struct statfs`; `dev` makes its `f_fsid`. */
export function storeStatfs(mem: DataView, at: number, source: StatfsSource, dev: number, flags: number): void {
  storeI64(mem, at, source.type);
  storeI64(mem, at + 8, source.blockBytes);
  storeI64(mem, at + 16, source.blockCount);
  storeI64(mem, at + 24, source.freeBlockCount);
  storeI64(mem, at + 32, source.availableBlockCount);
  storeI64(mem, at + 40, source.fileCount);
  storeI64(mem, at + 48, source.freeFileCount);
  mem.setUint32(at + 56, dev, true);
  mem.setUint32(at + 60, 0, true);
  storeI64(mem, at + 64, source.nameBytesMax);
  storeI64(mem, at + 72, source.blockBytes);
  storeI64(mem, at + 80, flags | ST_VALID);
  for (let i = 88; i < SIZEOF_STATFS; i += 8) storeI64(mem, at + i, 0);
}
