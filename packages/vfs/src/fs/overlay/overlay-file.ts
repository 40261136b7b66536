import type { Errno } from '@tsv/abi';
import type { WaitQueue } from '@tsv/waiter';
import type { Caller } from '../../caller.js';
import type { IoBuffer } from '../../file/io-buffer.js';
import type { Mappable } from '../../file/mappable.js';
import { OpenFile } from '../../file/open-file.js';
import type { PendingSync } from '../../file/pending-sync.js';
import type { Inode } from '../../inode.js';
import type { VfsPath } from '../../path/vfs-path.js';
import type { OverlayInode } from './overlay-inode.js';

/** An open file of an overlay: that of the layer, or of the copy as soon as there is one. */
export class OpenOverlayFile extends OpenFile {
  declare readonly inode: OverlayInode;
  #real: OpenFile;
  #realInode: Inode;

  /** Takes over the reference of `real`. */
  constructor(inode: OverlayInode, path: VfsPath | null, flags: number, real: OpenFile) {
    super(inode, path, flags);
    this.#real = real;
    this.#realInode = inode.real;
  }

  override get isSeekable(): boolean {
    return this.#real.isSeekable;
  }
  override get waiters(): WaitQueue | null {
    return this.#real.waiters;
  }
  override readiness(): number {
    return this.#real.readiness();
  }

  override readAt(io: IoBuffer, offset: number, caller: Caller): number {
    const real = this.#current(caller);
    return typeof real === 'number' ? real : real.readAt(io, offset, caller);
  }

  override write(io: IoBuffer, caller: Caller): number {
    const real = this.#current(caller);
    if (typeof real === 'number') return real;
    real.pos = this.pos;
    const n = real.write(io, caller);
    this.pos = real.pos;
    return n;
  }

  override writeAt(io: IoBuffer, offset: number, caller: Caller): number {
    const real = this.#current(caller);
    return typeof real === 'number' ? real : real.writeAt(io, offset, caller);
  }

  override seek(offset: number, whence: number, caller: Caller): number {
    const real = this.#current(caller);
    if (typeof real === 'number') return real;
    real.pos = this.pos;
    const pos = real.seek(offset, whence, caller);
    if (pos >= 0) this.pos = pos;
    return pos;
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    const real = this.#current(caller);
    return typeof real === 'number' ? real : real.ioctl(cmd, arg, caller);
  }

  override truncate(lenBytes: number, caller: Caller): number {
    const real = this.#current(caller);
    return typeof real === 'number' ? real : real.truncate(lenBytes, caller);
  }

  override allocate(mode: number, offset: number, len: number, caller: Caller): number {
    const real = this.#current(caller);
    return typeof real === 'number' ? real : real.allocate(mode, offset, len, caller);
  }

  override sync(isDataOnly: boolean, caller: Caller): number {
    return this.#real.sync(isDataOnly, caller);
  }

  override beginSync(isDataOnly: boolean, caller: Caller): PendingSync | number {
    return this.#real.beginSync(isDataOnly, caller);
  }

  override advise(offset: number, len: number, advice: number): void {
    this.#real.advise(offset, len, advice);
  }

  override mappable(): Mappable | Errno {
    return this.#real.mappable();
  }

  override setStatusFlags(flags: number): number {
    const result = this.#real.setStatusFlags(flags);
    return result < 0 ? result : super.setStatusFlags(flags);
  }

  override flush(caller: Caller): number {
    return this.#real.flush(caller);
  }

  protected override release(): void {
    this.#real.decRef();
  }

  /** The layer's file; opened anew if the file was copied up meanwhile. */
  #current(caller: Caller): OpenFile | Errno {
    const inode = this.inode.real;
    this.#real.flags = this.flags;
    if (inode === this.#realInode) return this.#real;
    const file = inode.open(null, this.flags, caller);
    if (typeof file === 'number') return file;
    this.#real.decRef();
    this.#real = file;
    this.#realInode = inode;
    return file;
  }
}
