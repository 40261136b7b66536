import { ENXIO, makedev, type Errno } from '@tsv/abi';
import type { Clock } from '@tsv/clock';
import {
  Inode,
  stampTime,
  type Caller,
  type FileSystem,
  type FileSystemStatistics,
  type OpenFile,
  type TimeValue,
  type VfsPath,
} from '@tsv/vfs';
import { UserCount } from './user-count.js';

/** Magic numbers of statfs(2). */
const PIPEFS_MAGIC = 0x50495045;
const SOCKFS_MAGIC = 0x534f434b;
const ANON_INODE_FS_MAGIC = 0x09041934;

const INO_FIRST = 1;
/** /proc/sys/fs/inotify/max_user_instances. */
export const INOTIFY_INSTANCE_MAX = 128;
/** /proc/sys/fs/pipe-user-pages-soft. */
export const PIPE_PAGES_MAX = 16384;

/** A filesystem whose files have no names: they are made by a system call and reached by descriptor only. */
export class AnonymousFileSystem implements FileSystem {
  readonly typeName: string;
  readonly dev: number;
  readonly root: AnonymousInode;
  readonly mustRevalidate = false;
  readonly cachesNegatives = false;
  readonly #magic: number;
  readonly #clock: Clock;
  #nextIno = INO_FIRST;

  constructor(typeName: string, magic: number, dev: number, clock: Clock) {
    this.typeName = typeName;
    this.dev = dev;
    this.#magic = magic;
    this.#clock = clock;
    this.root = this.createInode(0o040755, '');
  }

  /** A new inode whose file is not opened a second time. */
  createInode(mode: number, kind: string): AnonymousInode {
    return new AnonymousInode(this, mode, kind);
  }

  nextIno(): number {
    return this.#nextIno++;
  }

  /** Sets `time` to now. */
  stampNow(time: TimeValue): void {
    stampTime(time, this.#clock);
  }

  statistics(): FileSystemStatistics {
    return {
      type: this.#magic,
      blockBytes: 4096,
      blockCount: 0,
      freeBlockCount: 0,
      availableBlockCount: 0,
      fileCount: 0,
      freeFileCount: 0,
      nameBytesMax: 255,
    };
  }

  sync(): number {
    return 0;
  }

  mountOptions(): string {
    return '';
  }

  destroy(): void {
    // Nothing is stored.
  }
}

/** The inode of a pipe, a socket or another file without a name. */
export class AnonymousInode extends Inode {
  /** What it is called in /proc/PID/fd: `pipe` is shown as `pipe:[INO]`, and `[eventfd]` as `anon_inode:[eventfd]`. */
  readonly kind: string;

  constructor(fs: AnonymousFileSystem, mode: number, kind: string) {
    super(fs, fs.nextIno(), mode);
    this.kind = kind;
    for (const time of [this.atime, this.mtime, this.ctime, this.btime]) fs.stampNow(time);
  }

  /** What readlink(2) of /proc/PID/fd/N says. */
  get linkText(): string {
    const isNamedAlone = this.kind.startsWith('[') || this.kind === 'inotify';
    return isNamedAlone ? `anon_inode:${this.kind}` : `${this.kind}:[${this.ino}]`;
  }

  /** A pipe without a name is opened again at once: it waits for no other end, as a FIFO does. */
  override get opensSpecial(): boolean {
    return true;
  }

  /** Opens the file once more, by /proc/PID/fd/N. Errors: ENXIO where that is not possible. */
  open(_path: VfsPath | null, _flags: number, _caller: Caller): OpenFile | Errno {
    return -ENXIO;
  }
}

/** The filesystems of nameless files that one kernel has. */
export class AnonymousFiles {
  readonly pipefs: AnonymousFileSystem;
  readonly sockfs: AnonymousFileSystem;
  readonly anonInodefs: AnonymousFileSystem;
  /** The inotify files of each user. */
  readonly inotifyInstances = new UserCount(INOTIFY_INSTANCE_MAX);
  /** The pages of pipes and FIFOs of each user. */
  readonly pipePages = new UserCount(PIPE_PAGES_MAX);

  constructor(clock: Clock) {
    this.pipefs = new AnonymousFileSystem('pipefs', PIPEFS_MAGIC, makedev(0, 8), clock);
    this.sockfs = new AnonymousFileSystem('sockfs', SOCKFS_MAGIC, makedev(0, 9), clock);
    this.anonInodefs = new AnonymousFileSystem('anon_inodefs', ANON_INODE_FS_MAGIC, makedev(0, 10), clock);
  }

  /** An inode for a file such as an eventfd: `[eventfd]`. */
  createInode(kind: string): AnonymousInode {
    return this.anonInodefs.createInode(0o600, kind);
  }
}
