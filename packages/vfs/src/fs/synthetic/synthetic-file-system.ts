import type { Clock } from '@tsv/clock';
import type { FileSystem, FileSystemStatistics } from '../../file-system.js';
import type { Inode, TimeValue } from '../../inode.js';
import { stampTime } from '../../inode-time.js';

/** What a {@link SyntheticFileSystem} is made with. */
export interface SyntheticFileSystemOptions {
  readonly typeName: string;
  /** `f_type` of statfs(2). */
  readonly magic: number;
  /** `st_dev`; of `VirtualFileSystem.allocateDev`. */
  readonly dev: number;
  readonly clock: Clock;
  /** Whether names come and go without the directory being told (`Inode.isCurrent` is asked then). */
  readonly mustRevalidate?: boolean;
}

/**
 * A filesystem that exists only as objects: proc, sysfs, devpts and their kin. A subclass sets {@link root} to a
 * `SyntheticDirectory` in its constructor.
 */
export abstract class SyntheticFileSystem implements FileSystem {
  readonly typeName: string;
  readonly dev: number;
  readonly mustRevalidate: boolean;
  readonly cachesNegatives = false;
  abstract readonly root: Inode;
  readonly clock: Clock;
  readonly #magic: number;
  #lastIno = 0;

  constructor(options: SyntheticFileSystemOptions) {
    this.typeName = options.typeName;
    this.dev = options.dev;
    this.clock = options.clock;
    this.mustRevalidate = options.mustRevalidate ?? false;
    this.#magic = options.magic;
  }

  nextIno(): number {
    return ++this.#lastIno;
  }

  /** Sets `time` to now. */
  stampNow(time: TimeValue): void {
    stampTime(time, this.clock);
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
    // Objects only: nothing to give back.
  }
}
