import { EBADF, EMFILE, type Errno } from '@tsv/abi';
import { IN_CLOSE_NOWRITE, IN_CLOSE_WRITE, notifyFile, type Caller, type OpenFile } from '@tsv/vfs';

/** Descriptors that a table can have at most, /proc/sys/fs/nr_open. RLIMIT_NOFILE cannot be set above it. */
export const NR_OPEN = 1 << 20;
/** RLIMIT_NOFILE of a process that nobody limited otherwise, getrlimit(2). */
const LIMIT_DEFAULT = 1024;
const FDS_FIRST = 64;

/**
 * File descriptors of a process: numbers that refer to open files. Tasks cloned with CLONE_FILES share one; it is
 * counted by reference. Each descriptor holds one reference of its file.
 */
export class FdTable {
  /** RLIMIT_NOFILE: new descriptors are below it. Written when the limit of the process changes. */
  limit = LIMIT_DEFAULT;
  #files: (OpenFile | undefined)[] = new Array<OpenFile | undefined>(FDS_FIRST).fill(undefined);
  /** A bit for each descriptor in use, and one for each that execve(2) closes. */
  #used = new Uint32Array(FDS_FIRST >>> 5);
  #closeOnExec = new Uint32Array(FDS_FIRST >>> 5);
  /** No descriptor below is free. */
  #lowestFree = 0;
  #count = 0;
  #refCount = 1;

  /** Number of descriptors in use. */
  get count(): number {
    return this.#count;
  }

  /** Descriptors from here on have never been used. */
  get capacity(): number {
    return this.#files.length;
  }

  get refCount(): number {
    return this.#refCount;
  }

  incRef(): void {
    this.#refCount++;
  }

  /** Drops a reference; the last one closes all descriptors. */
  decRef(caller: Caller): void {
    this.#refCount--;
    if (this.#refCount === 0) this.#closeAll(caller);
    else if (this.#refCount < 0) throw new Error('FdTable.decRef: no reference is left');
  }

  /** The file that `fd` refers to. The table keeps its reference. */
  get(fd: number): OpenFile | undefined {
    return fd >= 0 && fd < this.#files.length ? this.#files[fd] : undefined;
  }

  /**
   * Gives `file` the lowest free descriptor that is `minFd` or more. Consumes the caller's reference, on failure too.
   * Errors: EMFILE.
   */
  install(file: OpenFile, minFd: number, isCloseOnExec: boolean): number {
    const fd = this.#findFree(minFd);
    if (fd >= this.limit || fd >= NR_OPEN) {
      file.decRef();
      return -EMFILE;
    }
    this.#set(fd, file, isCloseOnExec);
    return fd;
  }

  /**
   * Makes `fd` refer to `file`, closing what it was before. Consumes the caller's reference, on failure too.
   * Returns `fd`. Errors: EBADF when it is negative or not below the limit, as dup2(2) says.
   */
  installAt(fd: number, file: OpenFile, isCloseOnExec: boolean, caller: Caller): number {
    if (fd < 0 || fd >= this.limit || fd >= NR_OPEN) {
      file.decRef();
      return -EBADF;
    }
    const before = this.get(fd);
    this.#set(fd, file, isCloseOnExec);
    if (before !== undefined) closeFile(before, this, caller);
    return fd;
  }

  /** A second descriptor, `minFd` or more, for the file of `fd`, fcntl(2) F_DUPFD. Errors: EBADF, EMFILE. */
  dup(fd: number, minFd: number, isCloseOnExec: boolean): number {
    const file = this.get(fd);
    if (file === undefined) return -EBADF;
    file.incRef();
    return this.install(file, minFd, isCloseOnExec);
  }

  /** Closes `fd`, close(2). Returns what the file's flush says. Errors: EBADF. */
  close(fd: number, caller: Caller): number {
    const file = this.get(fd);
    if (file === undefined) return -EBADF;
    this.#clear(fd);
    return closeFile(file, this, caller);
  }

  isCloseOnExec(fd: number): boolean {
    return ((this.#closeOnExec[fd >>> 5] ?? 0) & (1 << (fd & 31))) !== 0;
  }

  /** Sets or clears FD_CLOEXEC of `fd`, which is in use. */
  setCloseOnExec(fd: number, isCloseOnExec: boolean): void {
    const bit = 1 << (fd & 31);
    const word = this.#closeOnExec[fd >>> 5]!;
    this.#closeOnExec[fd >>> 5] = isCloseOnExec ? word | bit : word & ~bit;
  }

  /** A copy with references of its own, for fork(2). */
  fork(): FdTable {
    return this.forkBelow(NR_OPEN);
  }

  /** A copy of the descriptors below `endFd`, close_range(2) CLOSE_RANGE_UNSHARE. */
  forkBelow(endFd: number): FdTable {
    const copy = new FdTable();
    copy.limit = this.limit;
    for (let fd = this.next(0); fd >= 0 && fd < endFd; fd = this.next(fd + 1)) {
      const file = this.#files[fd]!;
      file.incRef();
      copy.#set(fd, file, this.isCloseOnExec(fd));
    }
    return copy;
  }

  /** Closes the descriptors that have FD_CLOEXEC, execve(2). */
  closeOnExec(caller: Caller): void {
    for (let index = 0; index < this.#closeOnExec.length; index++) {
      while (this.#closeOnExec[index] !== 0) {
        const word = this.#closeOnExec[index]!;
        this.close(index * 32 + 31 - Math.clz32(word & -word), caller);
      }
    }
  }

  /** The first descriptor in use that is `fd` or more, or -1. */
  next(fd: number): number {
    for (let index = fd >>> 5; index < this.#used.length; index++) {
      let word = this.#used[index]!;
      if (index === fd >>> 5) word &= -1 << (fd & 31);
      if (word !== 0) return index * 32 + 31 - Math.clz32(word & -word);
    }
    return -1;
  }

  /** The descriptors in use, in order, for inspection. */
  *fds(): IterableIterator<number> {
    for (let fd = this.next(0); fd >= 0; fd = this.next(fd + 1)) yield fd;
  }

  #findFree(minFd: number): number {
    const from = Math.max(minFd, this.#lowestFree);
    let index = from >>> 5;
    let free = index < this.#used.length ? ~this.#used[index]! & (-1 << (from & 31)) : 0;
    if (index >= this.#used.length) return from;
    while (free === 0) {
      if (++index === this.#used.length) return index * 32;
      free = ~this.#used[index]!;
    }
    return index * 32 + 31 - Math.clz32(free & -free);
  }

  #set(fd: number, file: OpenFile, isCloseOnExec: boolean): void {
    if (fd >= this.#files.length) this.#grow(fd + 1);
    const bit = 1 << (fd & 31);
    if ((this.#used[fd >>> 5]! & bit) === 0) this.#count++;
    this.#used[fd >>> 5]! |= bit;
    this.#files[fd] = file;
    this.setCloseOnExec(fd, isCloseOnExec);
    if (fd === this.#lowestFree) this.#lowestFree = fd + 1;
  }

  #clear(fd: number): void {
    const bit = 1 << (fd & 31);
    this.#used[fd >>> 5]! &= ~bit;
    this.#closeOnExec[fd >>> 5]! &= ~bit;
    this.#files[fd] = undefined;
    this.#count--;
    if (fd < this.#lowestFree) this.#lowestFree = fd;
  }

  #grow(countMin: number): void {
    let count = this.#files.length;
    while (count < countMin) count *= 2;
    const used = new Uint32Array(count >>> 5);
    const closeOnExec = new Uint32Array(count >>> 5);
    used.set(this.#used);
    closeOnExec.set(this.#closeOnExec);
    this.#used = used;
    this.#closeOnExec = closeOnExec;
    while (this.#files.length < count) this.#files.push(undefined);
  }

  #closeAll(caller: Caller): void {
    for (let fd = this.next(0); fd >= 0; fd = this.next(fd + 1)) this.close(fd, caller);
  }
}

/** Takes back the reference of `file` that a descriptor of `table` held; its process loses its locks of the file. */
function closeFile(file: OpenFile, table: FdTable, caller: Caller): Errno | 0 {
  const result = file.flush(caller);
  file.inode.locks?.releaseRanges(table);
  if (file.refCount === 1) notifyFile(file, file.isWritable ? IN_CLOSE_WRITE : IN_CLOSE_NOWRITE);
  file.decRef();
  return result;
}
