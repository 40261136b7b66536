import { ENODEV, ENXIO, type Errno } from '@tsv/abi';
import type { Caller, DeviceRegistry, Inode, OpenFile, VfsPath } from '@tsv/vfs';
import { Task } from '../task/task.js';
import { DevptsFileSystem, UNIX98_PTY_SLAVE_MAJOR } from './devpts.js';
import { TtyFile } from './tty-file.js';
import { Tty } from './tty.js';

const TTYAUX_MAJOR = 5;

/** The terminals of a kernel: the devices /dev/tty and /dev/ptmx. */
export class Ttys {
  /** The devpts that /dev/ptmx of another filesystem belongs to: the first one mounted. */
  #devpts: DevptsFileSystem | null = null;

  get devpts(): DevptsFileSystem | null {
    return this.#devpts;
  }

  /** A devpts was made. */
  mounted(devpts: DevptsFileSystem): void {
    this.#devpts ??= devpts;
  }

  register(devices: DeviceRegistry): void {
    devices.registerCharDevice(TTYAUX_MAJOR, 0, 'tty', (inode, path, flags, caller) =>
      this.#openOwn(inode, path, flags, caller),
    );
    devices.registerCharDevice(TTYAUX_MAJOR, 2, 'ptmx', (inode, path, flags, caller) => {
      if (inode.fs instanceof DevptsFileSystem) return inode.open(path, flags, caller);
      return this.#devpts === null ? -ENODEV : this.#devpts.root.openMaster(inode, path, flags, caller);
    });
    devices.registerCharMajor(UNIX98_PTY_SLAVE_MAJOR, 'pts', (inode, path, flags, caller) =>
      inode.fs instanceof DevptsFileSystem ? inode.open(path, flags, caller) : -ENXIO,
    );
  }

  /** /dev/tty: the terminal of the caller's session. Errors: ENXIO without one. */
  #openOwn(inode: Inode, path: VfsPath | null, flags: number, caller: Caller): OpenFile | Errno {
    const tty = caller instanceof Task ? caller.threadGroup.session.tty : null;
    return tty instanceof Tty ? new TtyFile(tty, inode, path, flags, null) : -ENXIO;
  }
}
