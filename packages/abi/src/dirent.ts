import { storeI64 } from './memory.js';

/** `d_type` of a directory entry, readdir(3). */
export const DT_UNKNOWN = 0;
export const DT_FIFO = 1;
export const DT_CHR = 2;
export const DT_DIR = 4;
export const DT_BLK = 6;
export const DT_REG = 8;
export const DT_LNK = 10;
export const DT_SOCK = 12;
export const DT_WHT = 14;

const D_INO = 0;
const D_OFF = 8;
const D_RECLEN = 16;
const D_TYPE64 = 18;
const D_NAME64 = 19;
const D_NAME = 18;

/** Bytes of a `struct linux_dirent64` with a name of `nameBytes`, getdents64(2). */
export function sizeofDirent64(nameBytes: number): number {
  return (D_NAME64 + nameBytes + 1 + 7) & ~7;
}

/** Stores a `struct linux_dirent64`; `name` is a byte string. Returns its `d_reclen`. */
export function storeDirent64(
  mem: DataView,
  at: number,
  ino: number,
  nextOffset: number,
  type: number,
  name: string,
): number {
  const reclen = sizeofDirent64(name.length);
  storeI64(mem, at + D_INO, ino);
  storeI64(mem, at + D_OFF, nextOffset);
  mem.setUint16(at + D_RECLEN, reclen, true);
  mem.setUint8(at + D_TYPE64, type);
  storeName(mem, at + D_NAME64, name, at + reclen);
  return reclen;
}

/** Bytes of a `struct linux_dirent` with a name of `nameBytes`, getdents(2). */
export function sizeofDirent(nameBytes: number): number {
  return (D_NAME + nameBytes + 2 + 7) & ~7;
}

/** Stores a `struct linux_dirent`, whose last byte is the type. Returns its `d_reclen`. */
export function storeDirent(
  mem: DataView,
  at: number,
  ino: number,
  nextOffset: number,
  type: number,
  name: string,
): number {
  const reclen = sizeofDirent(name.length);
  storeI64(mem, at + D_INO, ino);
  storeI64(mem, at + D_OFF, nextOffset);
  mem.setUint16(at + D_RECLEN, reclen, true);
  storeName(mem, at + D_NAME, name, at + reclen);
  mem.setUint8(at + reclen - 1, type);
  return reclen;
}

function storeName(mem: DataView, at: number, name: string, end: number): void {
  const len = name.length;
  for (let i = 0; i < len; i++) mem.setUint8(at + i, name.charCodeAt(i));
  for (let i = at + len; i < end; i++) mem.setUint8(i, 0);
}
