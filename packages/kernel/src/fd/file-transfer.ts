import { EAGAIN } from '@tsv/abi';
import { IN_ACCESS, IN_MODIFY, MemoryIo, notifyFile, type OpenFile } from '@tsv/vfs';
import type { Task } from '../task/task.js';

const BUFFER_BYTES = 64 * 1024;
const buffer = new Uint8Array(BUFFER_BYTES);
const source = new MemoryIo(buffer, 0, 0);

/** A place in a file: its own offset, or one that the caller keeps. */
export interface FileCursor {
  readonly file: OpenFile;
  /** Offset to use, or -1 for the file offset. */
  offset: number;
}

/**
 * Copies up to `len` bytes from a seekable file to any file, until the end of it or until a side would wait. Offsets
 * move by what was copied. Returns how many bytes; an error only if there were none.
 */
export function transfer(from: FileCursor, to: FileCursor, len: number, t: Task): number {
  let moved = 0;
  while (moved < len) {
    const n = transferOnce(from, to, Math.min(BUFFER_BYTES, len - moved), t);
    if (n <= 0) return moved > 0 ? moved : n;
    moved += n;
  }
  return moved;
}

function transferOnce(from: FileCursor, to: FileCursor, len: number, t: Task): number {
  const at = from.offset < 0 ? from.file.pos : from.offset;
  const read = fill(len, from.file, at, t);
  if (read <= 0) return read;
  source.reset(buffer, 0, read);
  const written = writeFrom(source, to, t);
  if (written <= 0) return written === 0 ? -EAGAIN : written;
  notifyFile(from.file, IN_ACCESS);
  if (from.offset < 0) from.file.pos += written;
  else from.offset += written;
  return written;
}

/**
 * Reads up to `len` bytes at `offset`, or at the file offset for -1. What a device has begun to read is kept in `t.io`:
 * the caller waits for it when it is told -EAGAIN, and forgets it when a call begins.
 */
function fill(len: number, file: OpenFile, offset: number, t: Task): number {
  source.reset(buffer, 0, len);
  source.canWait = true;
  source.pendingRead = t.io.pendingRead;
  const read = offset < 0 ? file.read(source, t) : file.readAt(source, offset, t);
  t.io.pendingRead = source.pendingRead;
  source.pendingRead = null;
  return read;
}

/** Writes `io` where `to` is, and moves it. */
function writeFrom(io: MemoryIo, to: FileCursor, t: Task): number {
  const written = to.offset < 0 ? to.file.write(io, t) : to.file.writeAt(io, to.offset, t);
  if (written > 0 && to.offset >= 0) to.offset += written;
  if (written > 0) notifyFile(to.file, IN_MODIFY);
  return written;
}

/**
 * Reads up to `len` bytes of `from`, seekable or not, and moves it. Returns a source of what was read, to be used at
 * once; or 0 at the end of the file, or an error.
 */
export function readSome(from: FileCursor, len: number, t: Task): MemoryIo | number {
  const read = fill(Math.min(len, BUFFER_BYTES), from.file, from.offset, t);
  if (read <= 0) return read;
  if (from.offset >= 0) from.offset += read;
  notifyFile(from.file, IN_ACCESS);
  source.reset(buffer, 0, read);
  return source;
}
