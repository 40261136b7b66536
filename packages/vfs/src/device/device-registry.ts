import { ENXIO, major, minor, S_IFBLK, S_IFCHR, S_IFMT, type Errno } from '@tsv/abi';
import type { Caller } from '../caller.js';
import type { OpenFile } from '../file/open-file.js';
import type { Inode } from '../inode.js';
import type { VfsPath } from '../path/vfs-path.js';

/** Opens a device or FIFO; `flags` are those of open(2). */
export type SpecialFileOpen = (inode: Inode, path: VfsPath | null, flags: number, caller: Caller) => OpenFile | Errno;

/** What answers for device numbers and FIFOs: the drivers. */
export class DeviceRegistry {
  readonly #charDevices = new Map<number, SpecialFileOpen>();
  readonly #charMajors = new Map<number, SpecialFileOpen>();
  readonly #charNames = new Map<number, string>();
  /** Opens FIFOs, or null where there are none. */
  openFifo: SpecialFileOpen | null = null;

  /** Gives character device `major:minor` to a driver. A number can be taken once. */
  registerCharDevice(majorNumber: number, minorNumber: number, name: string, open: SpecialFileOpen): void {
    const key = deviceKey(majorNumber, minorNumber);
    if (this.#charDevices.has(key)) throw new Error(`Cannot register ${name}: the device number is taken`);
    this.#charDevices.set(key, open);
    if (!this.#charNames.has(majorNumber)) this.#charNames.set(majorNumber, name);
  }

  /** Gives all minors of `majorNumber` that are not taken one by one to a driver. */
  registerCharMajor(majorNumber: number, name: string, open: SpecialFileOpen): void {
    if (this.#charMajors.has(majorNumber)) throw new Error(`Cannot register ${name}: the major number is taken`);
    this.#charMajors.set(majorNumber, open);
    this.#charNames.set(majorNumber, name);
  }

  /** Major numbers and names, as /proc/devices shows them. */
  get charMajorNames(): [major: number, name: string][] {
    return [...this.#charNames].sort((a, b) => a[0] - b[0]);
  }

  /** Opens the special file `inode`. Errors: ENXIO without a driver, and what the driver says. */
  open(inode: Inode, path: VfsPath | null, flags: number, caller: Caller): OpenFile | Errno {
    const type = inode.mode & S_IFMT;
    let open: SpecialFileOpen | null | undefined = null;
    if (type === S_IFCHR) {
      const majorNumber = major(inode.rdev);
      open = this.#charDevices.get(deviceKey(majorNumber, minor(inode.rdev))) ?? this.#charMajors.get(majorNumber);
    } else if (type !== S_IFBLK) {
      open = this.openFifo;
    }
    return open === null || open === undefined ? -ENXIO : open(inode, path, flags, caller);
  }
}

function deviceKey(majorNumber: number, minorNumber: number): number {
  return majorNumber * 0x10_0000 + minorNumber;
}
