import { ELOOP, S_IFLNK, type Errno } from '@tsv/abi';
import type { Caller } from '../../caller.js';
import type { OpenFile } from '../../file/open-file.js';
import type { VfsPath } from '../../path/vfs-path.js';
import type { SyntheticFileSystem } from './synthetic-file-system.js';
import { SyntheticInode } from './synthetic-inode.js';

/** A symbolic link whose target depends on who asks, as /proc/self; magic links override `followMagic` too. */
export abstract class SyntheticSymlink extends SyntheticInode {
  constructor(fs: SyntheticFileSystem, permissions = 0o777) {
    super(fs, S_IFLNK | permissions);
  }

  abstract override readlink(caller: Caller): string | Errno;

  override open(_path: VfsPath | null, _flags: number, _caller: Caller): OpenFile | Errno {
    return -ELOOP;
  }
}

/** A symbolic link with a fixed target. */
export class StaticSymlink extends SyntheticSymlink {
  readonly #target: string;

  constructor(fs: SyntheticFileSystem, target: string) {
    super(fs);
    this.#target = target;
    this.sizeBytes = target.length;
  }

  override readlink(_caller: Caller): string {
    return this.#target;
  }
}
