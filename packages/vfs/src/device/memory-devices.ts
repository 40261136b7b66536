import { EINVAL, ENOSPC, SEEK_CUR, SEEK_END, SEEK_SET, type Errno } from '@tsv/abi';
import type { Caller } from '../caller.js';
import type { IoBuffer } from '../file/io-buffer.js';
import type { Mappable, MappingObserver } from '../file/mappable.js';
import { OpenFile } from '../file/open-file.js';
import { TmpfsContent, type PageBudget } from '../fs/tmpfs/tmpfs-content.js';
import type { PagePool } from '../page/page-pool.js';
import type { DeviceRegistry } from './device-registry.js';

/** Major number of the memory devices, mem(4). */
export const MEM_MAJOR = 1;

const RANDOM_BYTES = 4096;
/** As large as any mapping of /dev/zero can be. */
const ZERO_BYTES = 2 ** 47;
/** getrandom(2) and read(2) of /dev/urandom give at most 32 MiB - 1 at once. */
const RANDOM_READ_BYTES_MAX = 2 ** 25 - 1;

/** What the memory devices need. */
export interface MemoryDeviceOptions {
  /** Fills `dst` with bytes that no one can guess. */
  readonly random: (dst: Uint8Array) => void;
  /** Pages for mappings of /dev/zero. */
  readonly pool: PagePool;
}

/** Registers null, zero, full, random and urandom, null(4), full(4), random(4). */
export function registerMemoryDevices(devices: DeviceRegistry, options: MemoryDeviceOptions): void {
  const { random, pool } = options;
  devices.registerCharDevice(MEM_MAJOR, 3, 'mem', (inode, path, flags) => new NullFile(inode, path, flags));
  devices.registerCharDevice(MEM_MAJOR, 5, 'mem', (inode, path, flags) => {
    const file = new ZeroFile(inode, path, flags);
    file.pool = pool;
    return file;
  });
  devices.registerCharDevice(MEM_MAJOR, 7, 'mem', (inode, path, flags) => new FullFile(inode, path, flags));
  for (const minor of [8, 9]) {
    devices.registerCharDevice(MEM_MAJOR, minor, 'mem', (inode, path, flags) => {
      const file = new RandomFile(inode, path, flags);
      file.random = random;
      return file;
    });
  }
}

/** A device whose offset means nothing: lseek(2) sets it to 0. */
abstract class MemoryDeviceFile extends OpenFile {
  override get isSeekable(): boolean {
    return true;
  }

  override seek(_offset: number, whence: number, _caller: Caller): number {
    if (whence !== SEEK_SET && whence !== SEEK_CUR && whence !== SEEK_END) return -EINVAL;
    this.pos = 0;
    return 0;
  }

  override write(io: IoBuffer, caller: Caller): number {
    return this.writeAt(io, 0, caller);
  }

  override read(io: IoBuffer, caller: Caller): number {
    return this.readAt(io, 0, caller);
  }

  /** What is written is gone; the caller's memory is not looked at. */
  override writeAt(io: IoBuffer, _offset: number, _caller: Caller): number {
    return io.remaining;
  }
}

/** /dev/null. */
class NullFile extends MemoryDeviceFile {
  override readAt(_io: IoBuffer, _offset: number, _caller: Caller): number {
    return 0;
  }
}

/** /dev/zero. A mapping of it is memory of its own. */
class ZeroFile extends MemoryDeviceFile {
  /** Written once, by who opens it. */
  pool: PagePool | null = null;

  override readAt(io: IoBuffer, _offset: number, _caller: Caller): number {
    return io.zero(io.remaining);
  }

  override mappable(): Mappable | Errno {
    return new ZeroPages(this.pool!);
  }
}

/** /dev/full. */
class FullFile extends MemoryDeviceFile {
  override readAt(io: IoBuffer, _offset: number, _caller: Caller): number {
    return io.zero(io.remaining);
  }

  override writeAt(_io: IoBuffer, _offset: number, _caller: Caller): number {
    return -ENOSPC;
  }
}

/** /dev/random and /dev/urandom: writing mixes nothing in, as there is nothing to mix with. */
class RandomFile extends MemoryDeviceFile {
  /** Written once, by who opens it. */
  random: ((dst: Uint8Array) => void) | null = null;

  override readAt(io: IoBuffer, _offset: number, _caller: Caller): number {
    const bytes = new Uint8Array(Math.min(io.remaining, RANDOM_BYTES));
    const end = Math.min(io.remaining, RANDOM_READ_BYTES_MAX);
    let moved = 0;
    while (moved < end) {
      this.random!(bytes);
      const len = Math.min(bytes.length, end - moved);
      const n = io.put(bytes, 0, len);
      if (n < 0) return moved === 0 ? n : moved;
      moved += n;
      if (n < len) break;
    }
    return moved;
  }
}

const UNLIMITED: PageBudget = {
  freePageCount: Infinity,
  takePages: (pageCount) => pageCount,
  givePages: () => undefined,
};

/** The pages of one mapping of /dev/zero; they go with it. */
class ZeroPages extends TmpfsContent {
  #mappingCount = 0;

  constructor(pool: PagePool) {
    super(pool, UNLIMITED);
    this.sizeBytes = ZERO_BYTES;
  }

  override addMapping(observer: MappingObserver): void {
    super.addMapping(observer);
    this.#mappingCount++;
  }

  override removeMapping(observer: MappingObserver): void {
    super.removeMapping(observer);
    this.#mappingCount--;
    if (this.#mappingCount === 0) this.destroy();
  }
}
