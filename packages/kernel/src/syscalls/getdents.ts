import {
  EBADF,
  EINVAL,
  ENOTDIR,
  sizeofDirent,
  sizeofDirent64,
  storeDirent,
  storeDirent64,
  type SysResult,
} from '@tsv/abi';
import type { DirentSink } from '@tsv/vfs';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

/** Bytes of entries that one call gives at most. */
const DIRENTS_BYTES_MAX = 64 * 1024;

/** Entries on their way to the guest. One for all calls: none waits in the middle. */
class DirentBuffer implements DirentSink {
  readonly bytes = new Uint8Array(DIRENTS_BYTES_MAX);
  readonly #view = new DataView(this.bytes.buffer);
  readonly #sizeof: (nameBytes: number) => number;
  readonly #store: typeof storeDirent64;
  #bytesMax = 0;
  usedBytes = 0;
  /** Whether an entry found no room. */
  isFull = false;

  constructor(sizeof: (nameBytes: number) => number, store: typeof storeDirent64) {
    this.#sizeof = sizeof;
    this.#store = store;
  }

  reset(bytesMax: number): void {
    this.#bytesMax = Math.min(bytesMax, DIRENTS_BYTES_MAX);
    this.usedBytes = 0;
    this.isFull = false;
  }

  add(name: string, ino: number, type: number, nextOffset: number): boolean {
    if (this.usedBytes + this.#sizeof(name.length) > this.#bytesMax) {
      this.isFull = true;
      return false;
    }
    this.usedBytes += this.#store(this.#view, this.usedBytes, ino, nextOffset, type, name);
    return true;
  }
}

const DIRENTS64 = new DirentBuffer(sizeofDirent64, storeDirent64);
const DIRENTS = new DirentBuffer(sizeofDirent, storeDirent);

/** getdents64(2). Errors: EBADF, EFAULT, EINVAL, ENOENT, ENOTDIR. */
export function sysGetdents64(t: Task, a: SyscallArgs): SysResult {
  return getdents(t, a, DIRENTS64);
}

/** getdents(2). Errors: those of getdents64(2). */
export function sysGetdents(t: Task, a: SyscallArgs): SysResult {
  return getdents(t, a, DIRENTS);
}

function getdents(t: Task, a: SyscallArgs, buffer: DirentBuffer): SysResult {
  const fd = a.i32(0);
  const dirp = a.u64(1);
  const count = a.u32(2);

  const file = t.fds.get(fd);
  if (file === undefined || file.isPathOnly) return -EBADF;
  if (!file.inode.isDirectory) return -ENOTDIR;
  buffer.reset(count);
  const result = file.readDirents(buffer, t);
  if (buffer.usedBytes === 0) return result < 0 ? result : buffer.isFull ? -EINVAL : 0;
  const error = t.mm.copyOut(dirp, buffer.bytes, 0, buffer.usedBytes);
  return error < 0 ? error : buffer.usedBytes;
}
