import { CAP_SYS_ADMIN, EBUSY, EINVAL, EIO, ENOENT, ENOSPC, O_NOCTTY, S_IFCHR, makedev, type Errno } from '@tsv/abi';
import {
  SyntheticDirectory,
  SyntheticFileSystem,
  SyntheticInode,
  VfsPath,
  parseMountOptions,
  type Caller,
  type DynamicEntrySink,
  type FileSystemType,
  type Inode,
  type OpenFile,
} from '@tsv/vfs';
import type { Kernel } from '../kernel.js';
import { Task } from '../task/task.js';
import { PtyMaster, type PtyDirectory } from './pty-master.js';
import { TtyFile } from './tty-file.js';
import { Tty } from './tty.js';

const DEVPTS_SUPER_MAGIC = 0x1cd1;
/** Major number of the program's ends of ptys. */
export const UNIX98_PTY_SLAVE_MAJOR = 136;
const PTMX_RDEV = makedev(5, 2);
/** Ptys of one filesystem, /proc/sys/kernel/pty/max. */
export const PTY_COUNT_MAX = 4096;

/** Options of a devpts mount. */
export interface DevptsOptions {
  /** Permissions of ptmx and of the program's ends. */
  readonly ptmxMode: number;
  readonly mode: number;
  /** Owners of the program's ends; null for whoever opens ptmx. */
  readonly uid: number | null;
  readonly gid: number | null;
  readonly countMax: number;
}

const DEFAULTS: DevptsOptions = { ptmxMode: 0, mode: 0o600, uid: null, gid: null, countMax: PTY_COUNT_MAX };

/** devpts: ptmx, and a name for each pty(7) that is open. */
export class DevptsFileSystem extends SyntheticFileSystem {
  readonly root: PtsDirectory;
  readonly kernel: Kernel;
  readonly options: DevptsOptions;

  constructor(kernel: Kernel, options: Partial<DevptsOptions> = {}) {
    super({
      typeName: 'devpts',
      magic: DEVPTS_SUPER_MAGIC,
      dev: kernel.vfs.allocateDev(),
      clock: kernel.clock,
      mustRevalidate: true,
    });
    this.kernel = kernel;
    this.options = { ...DEFAULTS, ...options };
    this.root = new PtsDirectory(this);
  }

  override mountOptions(): string {
    const { mode, ptmxMode, gid, uid } = this.options;
    const owner = (uid === null ? '' : `uid=${uid},`) + (gid === null ? '' : `gid=${gid},`);
    return `${owner}mode=${mode.toString(8)},ptmxmode=${ptmxMode.toString(8).padStart(3, '0')}`;
  }
}

/** The directory of ptys. */
export class PtsDirectory extends SyntheticDirectory implements PtyDirectory {
  readonly #devpts: DevptsFileSystem;
  readonly #slaves = new Map<number, PtySlaveInode>();

  constructor(fs: DevptsFileSystem) {
    super(fs, 0o755);
    this.#devpts = fs;
    this.add('ptmx', new PtmxInode(fs, this));
  }

  /** Opens a new pty: the user's end. Errors: ENOSPC. */
  openMaster(inode: Inode, path: VfsPath | null, flags: number, caller: Caller | null): PtyMaster | Errno {
    const { kernel, options } = this.#devpts;
    let index = 0;
    while (this.#slaves.has(index)) index++;
    if (index >= options.countMax) return -ENOSPC;
    const tty = new Tty(makedev(UNIX98_PTY_SLAVE_MAJOR, index), kernel.clock, kernel.timers);
    const slave = new PtySlaveInode(this.#devpts, tty, options.mode);
    slave.uid = options.uid ?? caller?.creds.fsuid ?? 0;
    slave.gid = options.gid ?? caller?.creds.fsgid ?? 0;
    this.#slaves.set(index, slave);
    return new PtyMaster(tty, index, this, inode, path, flags & ~O_NOCTTY);
  }

  openSlave(index: number, flags: number, t: Task, masterPath: VfsPath | null): OpenFile | Errno {
    const slave = this.#slaves.get(index);
    if (slave === undefined) return -EIO;
    const { vfs } = this.#devpts.kernel;
    const isInside = masterPath !== null && masterPath.mount.fs === this.#devpts;
    const named = isInside ? vfs.resolve(t, new VfsPath(masterPath.mount, masterPath.mount.root), String(index)) : -EIO;
    const path = typeof named === 'number' ? vfs.anonymousPath(slave, String(index)) : named;
    const file = slave.openTty(path, flags, t);
    path.decRef();
    return file;
  }

  removePty(index: number): void {
    this.#slaves.delete(index);
  }

  protected override lookupDynamic(name: string): Inode | Errno {
    const index = Number(name);
    return (String(index) === name ? this.#slaves.get(index) : undefined) ?? -ENOENT;
  }

  protected override listDynamic(fromKey: number, take: DynamicEntrySink): void {
    const indexes = [...this.#slaves.keys()].filter((index) => index >= fromKey).sort((a, b) => a - b);
    for (const index of indexes) {
      const slave = this.#slaves.get(index)!;
      if (!take(index, String(index), slave.ino, slave.mode)) return;
    }
  }
}

/** /dev/pts/ptmx: each open makes a pty. */
class PtmxInode extends SyntheticInode {
  readonly #directory: PtsDirectory;

  constructor(fs: DevptsFileSystem, directory: PtsDirectory) {
    super(fs, S_IFCHR | fs.options.ptmxMode);
    this.#directory = directory;
    this.rdev = PTMX_RDEV;
  }

  override open(path: VfsPath | null, flags: number, caller: Caller): OpenFile | Errno {
    return this.#directory.openMaster(this, path, flags, caller);
  }
}

/** The program's end of a pty. */
class PtySlaveInode extends SyntheticInode {
  readonly tty: Tty;

  constructor(fs: DevptsFileSystem, tty: Tty, permissions: number) {
    super(fs, S_IFCHR | permissions);
    this.tty = tty;
    this.rdev = tty.rdev;
  }

  /** Errors: EBUSY with TIOCEXCL, EIO while it is locked or without the user's end. */
  override open(path: VfsPath | null, flags: number, caller: Caller): OpenFile | Errno {
    if (this.tty.isLocked || !this.tty.isMasterOpen) return -EIO;
    if (this.tty.isExclusive && !caller.creds.hasCap(CAP_SYS_ADMIN)) return -EBUSY;
    return this.openTty(path, flags, caller instanceof Task ? caller : null);
  }

  openTty(path: VfsPath | null, flags: number, t: Task | null): TtyFile {
    return new TtyFile(this.tty, this, path, flags, t);
  }
}

/** The devpts type for mount(2): options gid, uid, mode, ptmxmode, max, newinstance. Every mount has its own ptys. */
export function devptsType(kernel: Kernel): FileSystemType {
  return {
    name: 'devpts',
    isNodev: true,
    create({ data }) {
      const options = parseDevptsOptions(data);
      if (options === null) return -EINVAL;
      const fs = new DevptsFileSystem(kernel, options);
      kernel.ttys.mounted(fs);
      return fs;
    },
  };
}

/** Null for an option that does not exist or has no sensible value. */
function parseDevptsOptions(data: string): Partial<DevptsOptions> | null {
  const options: { -readonly [K in keyof DevptsOptions]?: DevptsOptions[K] } = {};
  for (const { name, value } of parseMountOptions(data)) {
    if (name === 'newinstance') continue;
    const isOctal = name === 'mode' || name === 'ptmxmode';
    if (value === null || !(isOctal ? /^[0-7]+$/ : /^\d+$/).test(value)) return null;
    const number = parseInt(value, isOctal ? 8 : 10);
    if (name === 'mode') options.mode = number & 0o7777;
    else if (name === 'ptmxmode') options.ptmxMode = number & 0o7777;
    else if (name === 'uid') options.uid = number;
    else if (name === 'gid') options.gid = number;
    else if (name === 'max') options.countMax = Math.min(number, PTY_COUNT_MAX);
    else return null;
  }
  return options;
}
