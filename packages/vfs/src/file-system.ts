import type { PendingSync } from './file/pending-sync.js';
import type { Inode } from './inode.js';

/** What statfs(2) tells of a filesystem. */
export interface FileSystemStatistics {
  /** `f_type`, magic number. */
  type: number;
  blockBytes: number;
  blockCount: number;
  freeBlockCount: number;
  availableBlockCount: number;
  fileCount: number;
  freeFileCount: number;
  nameBytesMax: number;
}

/** An instance of a filesystem (Linux's superblock). */
export interface FileSystem {
  /** Type name, as in /proc/filesystems. */
  readonly typeName: string;
  /** Device number of `st_dev`. */
  readonly dev: number;
  readonly root: Inode;
  /**
   * Whether names and attributes may change behind the dentry cache (host files shared with others): cached dentries
   * are looked up again then.
   */
  readonly mustRevalidate: boolean;
  /** Whether a name that was not found may be remembered. */
  readonly cachesNegatives: boolean;
  statistics(): FileSystemStatistics;
  /** syncfs(2). */
  sync(): number;
  /** As {@link sync}, for a caller who can wait; absent where nothing takes time. */
  beginSync?(): PendingSync | number;
  /** Options as /proc/mounts shows them after `rw` or `ro`, without a leading comma. */
  mountOptions(): string;
  /** The last mount of it is gone: what it holds back is written, and everything is given back. */
  destroy(): void;
}
