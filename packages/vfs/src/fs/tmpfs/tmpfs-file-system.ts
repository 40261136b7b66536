import { S_IFREG, TMPFS_MAGIC } from '@tsv/abi';
import type { Clock } from '@tsv/clock';
import type { FileSystem, FileSystemStatistics } from '../../file-system.js';
import { stampTime } from '../../inode-time.js';
import type { TimeValue } from '../../inode.js';
import { PAGE_BYTES, type PagePool } from '../../page/page-pool.js';
import type { FileContent } from './file-content.js';
import { TmpfsContent, type PageBudget } from './tmpfs-content.js';
import { TmpfsDirectory } from './tmpfs-directory.js';
import { TmpfsFile } from './tmpfs-file.js';

/** Pages and inodes of a tmpfs that nobody limited otherwise. */
export const TMPFS_PAGES_MAX = 1 << 18;
export const TMPFS_INODES_MAX = 1 << 20;

/** What a {@link TmpfsFileSystem} is made with. */
export interface TmpfsOptions {
  readonly pool: PagePool;
  readonly clock: Clock;
  /** `st_dev`, of `VirtualFileSystem.allocateDev`. */
  readonly dev: number;
  readonly typeName?: string;
  /** Limit of all files together, tmpfs(5) `size`; 0 for none. */
  readonly pageCountMax?: number;
  readonly inodeCountMax?: number;
  /** Of the root directory. */
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** The options that mount(2) was given, as /proc/mounts shows them. */
  readonly optionsText?: string;
}

/** Files in memory, tmpfs(5). */
export class TmpfsFileSystem implements FileSystem, PageBudget {
  readonly typeName: string;
  readonly dev: number;
  readonly root: TmpfsDirectory;
  readonly mustRevalidate = false;
  readonly cachesNegatives = true;
  readonly pool: PagePool;
  readonly clock: Clock;
  #pageCountMax: number;
  #inodeCountMax: number;
  #pageCount = 0;
  #inodeCount = 1;
  #lastIno = 0;
  readonly #optionsText: string;

  constructor(options: TmpfsOptions) {
    this.typeName = options.typeName ?? 'tmpfs';
    this.dev = options.dev;
    this.pool = options.pool;
    this.clock = options.clock;
    this.#pageCountMax = options.pageCountMax ?? TMPFS_PAGES_MAX;
    this.#inodeCountMax = options.inodeCountMax ?? TMPFS_INODES_MAX;
    if (this.#pageCountMax === 0) this.#pageCountMax = Infinity;
    if (this.#inodeCountMax === 0) this.#inodeCountMax = Infinity;
    this.#optionsText = options.optionsText ?? '';
    this.root = new TmpfsDirectory(this, options.mode ?? 0o1777);
    this.root.uid = options.uid ?? 0;
    this.root.gid = options.gid ?? 0;
    this.root.incRef();
  }

  /** A regular file that has no name, for memfd_create(2) and shared anonymous memory; one reference is the caller's. */
  createUnnamedFile(permissions: number): TmpfsFile {
    this.#inodeCount++;
    const file = new TmpfsFile(this, S_IFREG | permissions);
    file.nlink = 0;
    file.incRef();
    return file;
  }

  /** Where the bytes of a new file are to lie. */
  createContent(): FileContent {
    return new TmpfsContent(this.pool, this);
  }

  /** Whether somebody limited how many pages the files have together. */
  protected get isLimited(): boolean {
    return this.#pageCountMax !== Infinity;
  }

  nextIno(): number {
    return ++this.#lastIno;
  }

  stampNow(time: TimeValue): void {
    stampTime(time, this.clock);
  }

  nowSec(): number {
    return Math.floor(this.clock.realtimeMs() / 1000);
  }

  get freePageCount(): number {
    return this.#pageCountMax - this.#pageCount;
  }

  takePages(pageCount: number): number {
    const taken = Math.max(0, Math.min(pageCount, this.freePageCount));
    this.#pageCount += taken;
    return taken;
  }

  givePages(pageCount: number): void {
    this.#pageCount -= pageCount;
  }

  /** Whether there is room for another inode, which is taken then. */
  takeInode(): boolean {
    if (this.#inodeCount >= this.#inodeCountMax) return false;
    this.#inodeCount++;
    return true;
  }

  giveInode(): void {
    this.#inodeCount--;
  }

  get inodeCount(): number {
    return this.#inodeCount;
  }

  statistics(): FileSystemStatistics {
    const blockCount = this.#pageCountMax === Infinity ? 0 : this.#pageCountMax;
    const freeBlockCount = Math.max(0, blockCount - this.#pageCount);
    const fileCount = this.#inodeCountMax === Infinity ? 0 : this.#inodeCountMax;
    return {
      type: TMPFS_MAGIC,
      blockBytes: PAGE_BYTES,
      blockCount,
      freeBlockCount,
      availableBlockCount: freeBlockCount,
      fileCount,
      freeFileCount: Math.max(0, fileCount - this.#inodeCount),
      nameBytesMax: 255,
    };
  }

  sync(): number {
    return 0;
  }

  mountOptions(): string {
    return this.#optionsText;
  }

  /** The last mount is gone: files that nobody has open give their pages back, the others when they are closed. */
  destroy(): void {
    const directories = [this.root];
    for (const dir of directories) {
      for (const [name, { inode }] of [...dir.entries]) {
        dir.entries.delete(name);
        if (inode instanceof TmpfsDirectory) directories.push(inode);
        else inode.dropLink();
      }
    }
  }
}
