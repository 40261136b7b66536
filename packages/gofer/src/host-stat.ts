import type { TimeValue } from '@tsv/vfs';
import { statx } from './host-calls.js';

/** STATX_BASIC_STATS | STATX_BTIME | STATX_MNT_ID, statx(2). */
const STATX_ALL = 0x1fff;
const STATX_MNT_ID = 0x1000;
const AT_SYMLINK_NOFOLLOW = 0x100;

const DEV_MAJOR = 3;
const DEV_MINOR = 4;
const RDEV_MAJOR = 8;
const RDEV_MINOR = 9;

/** What statx(2) said last; used again and again. Numbers of 32 bits are given so that V8 needs no heap object for them. */
export class HostStat {
  readonly #fields = new Float64Array(24);

  /** Asks for `name` under `dirFd`, links not followed. Returns 0 or an error. */
  load(dirFd: number, name: string, flags = 0): number {
    return statx(dirFd, name, flags | AT_SYMLINK_NOFOLLOW, STATX_ALL, this.#fields);
  }

  get mode(): number {
    return compact(this.#fields[1]!);
  }
  get ino(): number {
    return compact(this.#fields[2]!);
  }
  /** Device that the file is on, as one number. */
  get dev(): number {
    return this.#fields[DEV_MAJOR]! * 0x10_0000 + this.#fields[DEV_MINOR]!;
  }
  get nlink(): number {
    return compact(this.#fields[5]!);
  }
  get uid(): number {
    return compact(this.#fields[6]!);
  }
  get gid(): number {
    return compact(this.#fields[7]!);
  }
  get rdevMajor(): number {
    return this.#fields[RDEV_MAJOR]!;
  }
  get rdevMinor(): number {
    return this.#fields[RDEV_MINOR]!;
  }
  get sizeBytes(): number {
    return compact(this.#fields[10]!);
  }
  get blockBytes(): number {
    return compact(this.#fields[11]!);
  }
  get blockCount(): number {
    return compact(this.#fields[12]!);
  }

  /** Number of the host's mount, 0 before Linux 5.8. */
  get mountId(): number {
    return (this.#fields[0]! & STATX_MNT_ID) !== 0 ? compact(this.#fields[21]!) : 0;
  }

  /** Copies the times to an inode. */
  storeTimes(atime: TimeValue, mtime: TimeValue, ctime: TimeValue, btime: TimeValue): void {
    this.#store(atime, 13);
    this.#store(mtime, 15);
    this.#store(ctime, 17);
    this.#store(btime, 19);
  }

  #store(time: TimeValue, index: number): void {
    time.sec = compact(this.#fields[index]!);
    time.nsec = compact(this.#fields[index + 1]!);
  }
}

/** The same number: as an integer of 32 bits, which lies in a field itself, if it is one. */
function compact(value: number): number {
  const integer = value | 0;
  return integer === value ? integer : value;
}
