import {
  EINVAL,
  ENODEV,
  ENXIO,
  EOPNOTSUPP,
  EPERM,
  FALLOC_FL_KEEP_SIZE,
  FALLOC_FL_PUNCH_HOLE,
  F_SEAL_FUTURE_WRITE,
  F_SEAL_GROW,
  F_SEAL_SEAL,
  F_SEAL_SHRINK,
  F_SEAL_WRITE,
  MS_NOATIME,
  O_APPEND,
  O_NOATIME,
  SEEK_DATA,
  SEEK_HOLE,
  S_ISGID,
  S_ISUID,
  type Errno,
} from '@tsv/abi';
import { isAtimeDue, withoutPrivileges } from '../../attributes/attributes.js';
import type { Caller } from '../../caller.js';
import type { IoBuffer } from '../../file/io-buffer.js';
import type { Mappable } from '../../file/mappable.js';
import { OpenFile } from '../../file/open-file.js';
import { seekFile } from '../../file/seek.js';
import type { SetAttributes } from '../../inode.js';
import type { VfsPath } from '../../path/vfs-path.js';
import type { FileContent } from './file-content.js';
import type { TmpfsFileSystem } from './tmpfs-file-system.js';
import { TmpfsInode } from './tmpfs-inode.js';

const CAP_FSETID = 4;
/** 512-byte blocks of a page. */
const BLOCKS_PER_PAGE = 8;

/** A regular file. */
export class TmpfsFile extends TmpfsInode {
  readonly content: FileContent;
  /** `F_SEAL_*` of fcntl(2). Files that do not come from memfd_create(2) cannot be sealed. */
  seals = F_SEAL_SEAL;

  constructor(fs: TmpfsFileSystem, mode: number) {
    super(fs, mode);
    this.content = fs.createContent();
  }

  override refresh(): number {
    this.sizeBytes = this.content.sizeBytes;
    this.blockCount = this.content.pageCount * BLOCKS_PER_PAGE;
    return 0;
  }

  override setAttributes(change: SetAttributes, caller: Caller): number {
    if (change.sizeBytes !== undefined) {
      const error = this.resize(change.sizeBytes);
      if (error < 0) return error;
    }
    return super.setAttributes(change, caller);
  }

  /** truncate(2). Errors: EFBIG, EPERM (sealed). */
  resize(lenBytes: number): 0 | Errno {
    const before = this.content.sizeBytes;
    if (lenBytes < before && (this.seals & F_SEAL_SHRINK) !== 0) return -EPERM;
    if (lenBytes > before && (this.seals & F_SEAL_GROW) !== 0) return -EPERM;
    const error = this.content.truncate(lenBytes);
    if (error < 0) return error;
    this.modified();
    return 0;
  }

  /** Whether nobody may write to it any more who could not before: F_SEAL_WRITE, F_SEAL_FUTURE_WRITE of fcntl(2). */
  get isSealedAgainstWriting(): boolean {
    return (this.seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) !== 0;
  }

  override open(path: VfsPath | null, flags: number, _caller: Caller): OpenFile | Errno {
    return new OpenTmpfsFile(this, path, flags);
  }

  /** The content changed. */
  modified(): void {
    this.sizeBytes = this.content.sizeBytes;
    this.fs.stampNow(this.mtime);
    this.ctime.sec = this.mtime.sec;
    this.ctime.nsec = this.mtime.nsec;
  }

  override releaseContent(): void {
    this.content.destroy();
  }
}

/** An open regular file. */
class OpenTmpfsFile extends OpenFile {
  declare readonly inode: TmpfsFile;
  readonly #holdsInode: boolean;

  constructor(inode: TmpfsFile, path: VfsPath | null, flags: number) {
    super(inode, path, flags);
    // A path holds the inode; without one (memfd_create) the file does.
    this.#holdsInode = path === null;
    if (this.#holdsInode) inode.incRef();
  }

  override get isSeekable(): boolean {
    return true;
  }

  override readAt(io: IoBuffer, offset: number, _caller: Caller): number {
    const n = this.inode.content.read(io, offset);
    if (n >= 0) this.#accessed();
    return n;
  }

  override write(io: IoBuffer, caller: Caller): number {
    const at = (this.flags & O_APPEND) !== 0 ? this.inode.content.sizeBytes : this.pos;
    const n = this.#writeAt(io, at, caller);
    if (n > 0) this.pos = at + n;
    return n;
  }

  /** With O_APPEND it writes at the end wherever `offset` is, as pwrite(2) says. */
  override writeAt(io: IoBuffer, offset: number, caller: Caller): number {
    return this.#writeAt(io, (this.flags & O_APPEND) !== 0 ? this.inode.content.sizeBytes : offset, caller);
  }

  override seek(offset: number, whence: number, _caller: Caller): number {
    const { content } = this.inode;
    if (whence !== SEEK_DATA && whence !== SEEK_HOLE) return seekFile(this, offset, whence, content.sizeBytes);
    if (offset < 0 || offset >= content.sizeBytes) return -ENXIO;
    const found = whence === SEEK_DATA ? content.nextData(offset) : content.nextHole(offset);
    if (found < 0) return -ENXIO;
    this.pos = found;
    return found;
  }

  override truncate(lenBytes: number, caller: Caller): number {
    const error = this.inode.resize(lenBytes);
    if (error === 0) this.#dropPrivileges(caller);
    return error;
  }

  override allocate(mode: number, offset: number, len: number, caller: Caller): number {
    if ((mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE)) !== 0) return -EOPNOTSUPP;
    const { inode } = this;
    const end = offset + len;
    if ((mode & FALLOC_FL_PUNCH_HOLE) !== 0) {
      if (inode.isSealedAgainstWriting) return -EPERM;
      const error = inode.content.punchHole(offset, end);
      if (error < 0) return error;
    } else {
      const isGrowing = (mode & FALLOC_FL_KEEP_SIZE) === 0 && end > inode.content.sizeBytes;
      if (isGrowing && (inode.seals & F_SEAL_GROW) !== 0) return -EPERM;
      const error = inode.content.preallocate(offset, end);
      if (error < 0) return error;
      const grown = isGrowing ? inode.content.truncate(end) : 0;
      if (grown < 0) return grown;
    }
    this.#dropPrivileges(caller);
    inode.modified();
    return 0;
  }

  override sync(_isDataOnly: boolean, _caller: Caller): number {
    return 0;
  }

  override mappable(): Mappable | Errno {
    if (!this.inode.isRegular) return -ENODEV;
    const { content } = this.inode;
    const error = content.beforeMapping();
    return error < 0 ? error : content;
  }

  protected override release(): void {
    if (this.#holdsInode) this.inode.decRef();
  }

  #writeAt(io: IoBuffer, offset: number, caller: Caller): number {
    const { inode } = this;
    if (offset < 0) return -EINVAL;
    if (inode.seals !== F_SEAL_SEAL) {
      if (inode.isSealedAgainstWriting) return -EPERM;
      if ((inode.seals & F_SEAL_GROW) !== 0 && offset + io.remaining > inode.content.sizeBytes) return -EPERM;
    }
    if (io.remaining === 0) return 0;
    const n = inode.content.write(io, offset);
    if (n <= 0) return n;
    if ((inode.mode & (S_ISUID | S_ISGID)) !== 0) this.#dropPrivileges(caller);
    inode.modified();
    return n;
  }

  #dropPrivileges(caller: Caller): void {
    const { inode } = this;
    if (!caller.creds.hasCap(CAP_FSETID)) inode.mode = withoutPrivileges(inode, caller.creds);
  }

  #accessed(): void {
    const { inode } = this;
    if ((this.flags & O_NOATIME) !== 0 || this.path === null || (this.path.mount.flags & MS_NOATIME) !== 0) return;
    if (this.path.mount.isReadOnly) return;
    if (isAtimeDue(inode, inode.fs.nowSec())) inode.fs.stampNow(inode.atime);
  }
}
