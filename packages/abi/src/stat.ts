import { storeI64 } from './memory.js';

/** File type and permission bits of `st_mode`, inode(7). */
export const S_IFMT = 0o170000;
export const S_IFSOCK = 0o140000;
export const S_IFLNK = 0o120000;
export const S_IFREG = 0o100000;
export const S_IFBLK = 0o060000;
export const S_IFDIR = 0o040000;
export const S_IFCHR = 0o020000;
export const S_IFIFO = 0o010000;
export const S_ISUID = 0o4000;
export const S_ISGID = 0o2000;
export const S_ISVTX = 0o1000;

/** utimensat(2). */
export const UTIME_NOW = 0x3fffffff;
export const UTIME_OMIT = 0x3ffffffe;

/** Packs a device number as `st_rdev` has it, makedev(3). Minors below 2^20, so that it is a 32-bit number. */
export function makedev(major: number, minor: number): number {
  return (minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12);
}

/** major(3) of a device number that {@link makedev} packed. */
export function major(dev: number): number {
  return (dev >>> 8) & 0xfff;
}

/** minor(3) of a device number that {@link makedev} packed. */
export function minor(dev: number): number {
  return (dev & 0xff) | ((dev >>> 12) & 0xfff00);
}

/** A point in time of a file. */
export interface StatTime {
  readonly sec: number;
  readonly nsec: number;
}

/** What `struct stat` and `struct statx` tell of an inode. */
export interface StatSource {
  readonly ino: number;
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  readonly rdev: number;
  readonly sizeBytes: number;
  readonly blockBytes: number;
  readonly blockCount: number;
  readonly atime: StatTime;
  readonly mtime: StatTime;
  readonly ctime: StatTime;
  readonly btime: StatTime;
}

/** `struct stat`, stat(3type), x86-64. */
export const SIZEOF_STAT = 144;
const ST_DEV = 0;
const ST_INO = 8;
const ST_NLINK = 16;
const ST_MODE = 24;
const ST_UID = 28;
const ST_GID = 32;
const ST_PAD0 = 36;
const ST_RDEV = 40;
const ST_SIZE = 48;
const ST_BLKSIZE = 56;
const ST_BLOCKS = 64;
const ST_ATIM = 72;
const ST_MTIM = 88;
const ST_CTIM = 104;
const ST_UNUSED = 120;

/** Stores the attributes of `inode` on device `dev` as a `struct stat`. */
export function storeStat(mem: DataView, at: number, inode: StatSource, dev: number): void {
  storeI64(mem, at + ST_DEV, dev);
  storeI64(mem, at + ST_INO, inode.ino);
  storeI64(mem, at + ST_NLINK, inode.nlink);
  mem.setUint32(at + ST_MODE, inode.mode, true);
  mem.setUint32(at + ST_UID, inode.uid, true);
  mem.setUint32(at + ST_GID, inode.gid, true);
  mem.setUint32(at + ST_PAD0, 0, true);
  storeI64(mem, at + ST_RDEV, inode.rdev >>> 0);
  storeI64(mem, at + ST_SIZE, inode.sizeBytes);
  storeI64(mem, at + ST_BLKSIZE, inode.blockBytes);
  storeI64(mem, at + ST_BLOCKS, inode.blockCount);
  storeTime(mem, at + ST_ATIM, inode.atime);
  storeTime(mem, at + ST_MTIM, inode.mtime);
  storeTime(mem, at + ST_CTIM, inode.ctime);
  for (let i = 0; i < 24; i += 8) storeI64(mem, at + ST_UNUSED + i, 0);
}

/** Stores the owner in a `struct stat`, as the caller's user namespace numbers it. */
export function storeStatOwner(mem: DataView, at: number, uid: number, gid: number): void {
  mem.setUint32(at + ST_UID, uid, true);
  mem.setUint32(at + ST_GID, gid, true);
}

function storeTime(mem: DataView, at: number, time: StatTime): void {
  storeI64(mem, at, time.sec);
  storeI64(mem, at + 8, time.nsec);
}

/** `stx_mask` of statx(2). */
export const STATX_TYPE = 0x0001;
export const STATX_MODE = 0x0002;
export const STATX_NLINK = 0x0004;
export const STATX_UID = 0x0008;
export const STATX_GID = 0x0010;
export const STATX_ATIME = 0x0020;
export const STATX_MTIME = 0x0040;
export const STATX_CTIME = 0x0080;
export const STATX_INO = 0x0100;
export const STATX_SIZE = 0x0200;
export const STATX_BLOCKS = 0x0400;
export const STATX_BASIC_STATS = 0x07ff;
export const STATX_BTIME = 0x0800;
export const STATX_MNT_ID = 0x1000;
/** The bit that must not be set in a request. */
export const STATX__RESERVED = 0x80000000;
export const STATX_ATTR_MOUNT_ROOT = 0x2000;

/** `struct statx`, statx(2). */
export const SIZEOF_STATX = 256;
const STX_MASK = 0x00;
const STX_BLKSIZE = 0x04;
const STX_ATTRIBUTES = 0x08;
const STX_NLINK = 0x10;
const STX_UID = 0x14;
const STX_GID = 0x18;
const STX_MODE = 0x1c;
const STX_INO = 0x20;
const STX_SIZE = 0x28;
const STX_BLOCKS = 0x30;
const STX_ATTRIBUTES_MASK = 0x38;
const STX_ATIME = 0x40;
const STX_BTIME = 0x50;
const STX_CTIME = 0x60;
const STX_MTIME = 0x70;
const STX_RDEV_MAJOR = 0x80;
const STX_RDEV_MINOR = 0x84;
const STX_DEV_MAJOR = 0x88;
const STX_DEV_MINOR = 0x8c;
const STX_MNT_ID = 0x90;

/** Stores the attributes of `inode` on device `dev`, reached through mount `mountId`, as a `struct statx`. */
export function storeStatx(
  mem: DataView,
  at: number,
  inode: StatSource,
  dev: number,
  mountId: number,
  isMountRoot: boolean,
): void {
  for (let i = 0; i < SIZEOF_STATX; i += 4) mem.setUint32(at + i, 0, true);
  mem.setUint32(at + STX_MASK, STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, true);
  mem.setUint32(at + STX_BLKSIZE, inode.blockBytes, true);
  storeI64(mem, at + STX_ATTRIBUTES, isMountRoot ? STATX_ATTR_MOUNT_ROOT : 0);
  storeI64(mem, at + STX_ATTRIBUTES_MASK, STATX_ATTR_MOUNT_ROOT);
  mem.setUint32(at + STX_NLINK, inode.nlink, true);
  mem.setUint32(at + STX_UID, inode.uid, true);
  mem.setUint32(at + STX_GID, inode.gid, true);
  mem.setUint16(at + STX_MODE, inode.mode, true);
  storeI64(mem, at + STX_INO, inode.ino);
  storeI64(mem, at + STX_SIZE, inode.sizeBytes);
  storeI64(mem, at + STX_BLOCKS, inode.blockCount);
  storeStatxTime(mem, at + STX_ATIME, inode.atime);
  storeStatxTime(mem, at + STX_BTIME, inode.btime);
  storeStatxTime(mem, at + STX_CTIME, inode.ctime);
  storeStatxTime(mem, at + STX_MTIME, inode.mtime);
  mem.setUint32(at + STX_RDEV_MAJOR, major(inode.rdev), true);
  mem.setUint32(at + STX_RDEV_MINOR, minor(inode.rdev), true);
  mem.setUint32(at + STX_DEV_MAJOR, major(dev), true);
  mem.setUint32(at + STX_DEV_MINOR, minor(dev), true);
  storeI64(mem, at + STX_MNT_ID, mountId);
}

/** Stores the owner in a `struct statx`, as the caller's user namespace numbers it. */
export function storeStatxOwner(mem: DataView, at: number, uid: number, gid: number): void {
  mem.setUint32(at + STX_UID, uid, true);
  mem.setUint32(at + STX_GID, gid, true);
}

function storeStatxTime(mem: DataView, at: number, time: StatTime): void {
  storeI64(mem, at, time.sec);
  mem.setUint32(at + 8, time.nsec, true);
}
