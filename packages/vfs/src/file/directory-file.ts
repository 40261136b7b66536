import { DT_DIR, EINVAL, EISDIR, S_IFMT, SEEK_CUR, SEEK_SET, type Errno } from '@tsv/abi';
import type { Caller } from '../caller.js';
import type { IoBuffer } from './io-buffer.js';
import { OpenFile, type DirentSink } from './open-file.js';

/**
 * An open directory. Offsets 0 and 1 are `.` and `..`; a filesystem's own entries have offsets of 2 and up, in the order
 * in which {@link emit} gives them, that stay the same while other entries come and go.
 */
export abstract class DirectoryFile extends OpenFile {
  override get isSeekable(): boolean {
    return true;
  }

  override readAt(_io: IoBuffer, _offset: number, _caller: Caller): number {
    return -EISDIR;
  }

  override seek(offset: number, whence: number, _caller: Caller): number {
    const pos = whence === SEEK_SET ? offset : whence === SEEK_CUR ? this.pos + offset : -1;
    if (pos < 0) return -EINVAL;
    this.pos = pos;
    return pos;
  }

  override sync(_isDataOnly: boolean, _caller: Caller): number {
    return 0;
  }

  override readDirents(sink: DirentSink, caller: Caller): number {
    if (this.pos === 0) {
      if (!sink.add('.', this.inode.ino, DT_DIR, 1)) return 0;
      this.pos = 1;
    }
    if (this.pos === 1) {
      if (!sink.add('..', this.#parentIno(caller), DT_DIR, 2)) return 0;
      this.pos = 2;
    }
    return this.emit(sink, caller);
  }

  /**
   * Gives the entries from offset {@link pos} (2 or more) on and moves it behind the last that `sink` took. Returns 0.
   * Errors: ENOENT for a directory that was removed.
   */
  protected abstract emit(sink: DirentSink, caller: Caller): 0 | Errno;

  #parentIno(caller: Caller): number {
    const path = this.path;
    if (path === null) return this.inode.ino;
    let { mount, dentry } = path;
    if (caller.root.mount === mount && caller.root.dentry === dentry) return this.inode.ino;
    while (dentry === mount.root && mount.parent !== null && mount.mountpoint !== null) {
      dentry = mount.mountpoint;
      mount = mount.parent;
    }
    return dentry.parent?.inode?.ino ?? this.inode.ino;
  }
}

/** The `d_type` for the mode of an inode. */
export function direntType(mode: number): number {
  return (mode & S_IFMT) >> 12;
}
