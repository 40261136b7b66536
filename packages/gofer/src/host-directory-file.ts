import { close, getdents64, lseek } from '@tsv/host';
import { EINVAL, SEEK_SET, type Errno } from '@tsv/abi';
import { DirectoryFile, type Caller, type DirentSink, type VfsPath } from '@tsv/vfs';
import type { HostInode } from './host-inode.js';

/** Bytes of entries that one host call brings. */
const BATCH_BYTES = 64 * 1024;
const batch = Buffer.alloc(BATCH_BYTES);
const view = new DataView(batch.buffer, batch.byteOffset, BATCH_BYTES);
/** First offset of an entry; 0 and 1 are `.` and `..`. */
const FIRST_OFFSET = 2;

/**
 * An open directory of the host. The host's offsets need 64 bits, so entries are read once, when a guest reads from the
 * beginning, and numbered.
 */
export class HostDirectoryFile extends DirectoryFile {
  declare readonly inode: HostInode;
  #fd: number;
  #names: string[] | null = null;
  #inos: number[] = [];
  #types: number[] = [];

  /** Takes `fd` over. */
  constructor(inode: HostInode, path: VfsPath | null, flags: number, fd: number) {
    super(inode, path, flags);
    inode.incRef();
    this.#fd = fd;
  }

  override seek(offset: number, whence: number, caller: Caller): number {
    const pos = super.seek(offset, whence, caller);
    if (pos === 0) this.#names = null;
    return pos;
  }

  protected override emit(sink: DirentSink): 0 | Errno {
    let names = this.#names;
    if (names === null) {
      names = [];
      const error = this.#readAll(names);
      if (error < 0) return error;
      this.#names = names;
    }
    for (let i = this.pos - FIRST_OFFSET; i < names.length; i++) {
      if (!sink.add(names[i]!, this.#inos[i]!, this.#types[i]!, i + FIRST_OFFSET + 1)) return 0;
      this.pos = i + FIRST_OFFSET + 1;
    }
    return 0;
  }

  protected override release(): void {
    close(this.#fd);
    this.inode.decRef();
  }

  /** `struct linux_dirent64`, getdents64(2): d_ino 0, d_off 8, d_reclen 16, d_type 18, d_name 19. */
  #readAll(names: string[]): 0 | Errno {
    this.#inos = [];
    this.#types = [];
    const start = lseek(this.#fd, 0, SEEK_SET);
    if (start < 0) return start;
    for (;;) {
      const len = getdents64(this.#fd, batch, 0, BATCH_BYTES);
      if (len <= 0) return len;
      // One string of all records: its parts are the names, which makes no call of Node.js for each.
      const text = batch.toString('latin1', 0, len);
      for (let at = 0; at < len;) {
        const recordBytes = view.getUint16(at + 16, true);
        if (recordBytes < 20 || at + recordBytes > len) return -EINVAL;
        const nameAt = at + 19;
        const nameEnd = text.indexOf('\0', nameAt);
        if (nameEnd < 0 || nameEnd >= at + recordBytes) return -EINVAL;
        const name = text.slice(nameAt, nameEnd);
        if (name !== '.' && name !== '..') {
          names.push(name);
          this.#inos.push(view.getUint32(at + 4, true) * 0x1_0000_0000 + view.getUint32(at, true));
          this.#types.push(batch[at + 18]!);
        }
        at += recordBytes;
      }
    }
  }
}
