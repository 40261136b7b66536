import { S_IFMT } from '@tsv/abi';
import type { Caller } from '../../caller.js';
import { Inode, type SetAttributes } from '../../inode.js';
import { setTime } from '../../inode-time.js';
import type { SyntheticFileSystem } from './synthetic-file-system.js';

/** An inode whose attributes live in memory only. */
export abstract class SyntheticInode extends Inode {
  declare readonly fs: SyntheticFileSystem;

  /** `mode` has type and permission bits. The inode number is the filesystem's next. */
  constructor(fs: SyntheticFileSystem, mode: number) {
    super(fs, fs.nextIno(), mode);
    fs.stampNow(this.atime);
    fs.stampNow(this.mtime);
    fs.stampNow(this.ctime);
    fs.stampNow(this.btime);
    this.blockBytes = 4096;
  }

  override setAttributes(change: SetAttributes, _caller: Caller): number {
    if (change.mode !== undefined) this.mode = (this.mode & S_IFMT) | (change.mode & 0o7777);
    if (change.uid !== undefined) this.uid = change.uid;
    if (change.gid !== undefined) this.gid = change.gid;
    if (change.atime !== undefined) setTime(this.atime, change.atime, this.fs.clock);
    if (change.mtime !== undefined) setTime(this.mtime, change.mtime, this.fs.clock);
    this.fs.stampNow(this.ctime);
    return 0;
  }
}
