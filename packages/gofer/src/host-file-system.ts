import * as host from '@tsv/host';
import { close, syncfs } from '@tsv/host';
import { O_CLOEXEC, O_DIRECTORY, O_PATH, O_RDONLY, type Errno } from '@tsv/abi';
import type { FileSystem, FileSystemStatistics, PendingSync } from '@tsv/vfs';
import { openDescriptorLinks } from './descriptor-links.js';
import { IdleHandles } from './host-handle.js';
import { openat2, reopen } from './host-calls.js';
import type { HostFdWatcher } from './host-fd-watcher.js';
import { HostInode } from './host-inode.js';
import { HostRetry } from './host-retry.js';
import { HostStat } from './host-stat.js';
import { hostStatistics } from './host-statistics.js';
import { HostFileSystemSync } from './host-sync.js';

/** How a directory of the host is given to a sandbox. */
export interface HostFileSystemOptions {
  /** `st_dev` that guests see. */
  readonly dev: number;
  /**
   * Whether others may change the files meanwhile (`--file-access shared`): every name is looked up again then. An
   * exclusive one trusts what it saw.
   */
  readonly isShared: boolean;
  /** Whether files that are made belong to the guest's user on the host too, which takes root. */
  readonly setsOwner: boolean;
  /** Watches FIFOs of the host that guests open. Without it, a FIFO joins guests only. */
  readonly fifoWatcher?: HostFdWatcher | null;
}

/**
 * Descriptor of the directory or file at `path`: of a copy of its mounts, so that even `..` does not lead out of it, where the
 * host allows that.
 */
function openRoot(path: string): number {
  const error = openDescriptorLinks();
  if (error < 0) return error;
  const plain = host.openat2(AT_FDCWD, path, O_PATH | O_CLOEXEC, 0, 0);
  if (plain < 0) return plain;
  const copy = host.cloneMount(path, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, true);
  if (copy < 0) return plain;
  close(plain);
  return copy;
}

const AT_FDCWD = -100;
/** MOUNT_ATTR_NOSUID and MOUNT_ATTR_NODEV, mount_setattr(2): the host's devices are not a guest's to open. */
const MOUNT_ATTR_NOSUID = 2;
const MOUNT_ATTR_NODEV = 4;

/** AT_EMPTY_PATH, openat(2). */
export const AT_EMPTY_PATH = 0x1000;
/** RESOLVE_NO_MAGICLINKS | RESOLVE_NO_SYMLINKS | RESOLVE_BENEATH, openat2(2): no name leads out. */
export const RESOLVE_BENEATH_ONLY = 0x02 | 0x04 | 0x08;
/** Inode numbers of files that are on another device than the root are shifted by multiples of this. */
const INO_PER_DEVICE = 2 ** 48;

/**
 * Files of the host beneath a directory. Every host call names one component under a descriptor that was opened the same
 * way, and follows no link: path walk is the VFS's business, and no name can lead out of the root.
 */
export class HostFileSystem implements FileSystem {
  readonly typeName = 'hostfs';
  readonly dev: number;
  readonly mustRevalidate: boolean;
  readonly cachesNegatives: boolean;
  readonly setsOwner: boolean;
  readonly fifoWatcher: HostFdWatcher | null;
  readonly root: HostInode;
  readonly fifoReaders = new HostRetry();
  readonly idleHandles = new IdleHandles();
  /** Mounts of the host whose files were mapped: twice the mount's number, and 1 more where to be executed. */
  readonly mappableMounts = new Set<number>();
  /** Mounts of the host, by number, whose files do not say whether a read would wait (tmpfs, overlayfs). */
  readonly coldUntoldMounts = new Set<number>();
  readonly #inodes = new Map<number, HostInode>();
  readonly #devices = new Map<number, number>();

  private constructor(options: HostFileSystemOptions, rootFd: number, stat: HostStat) {
    this.dev = options.dev;
    this.mustRevalidate = options.isShared;
    this.cachesNegatives = !options.isShared;
    this.setsOwner = options.setsOwner;
    this.fifoWatcher = options.fifoWatcher ?? null;
    this.root = new HostInode(this, this.inoOf(stat), stat, null, '');
    this.root.adoptPathFd(rootFd);
    this.#inodes.set(this.root.ino, this.root);
  }

  /** The directory, or the single file, at `path` of the host, a byte string. Errors: those of open(2). */
  static open(path: string, options: HostFileSystemOptions): HostFileSystem | Errno {
    const rootFd = openRoot(path);
    return rootFd < 0 ? rootFd : HostFileSystem.fromDescriptor(rootFd, options);
  }

  /**
   * The directory or file of an O_PATH descriptor, which is taken over. Preconditions: descriptors can be opened again,
   * `openDescriptorLinks`. Errors: those of stat(2).
   */
  static fromDescriptor(rootFd: number, options: HostFileSystemOptions): HostFileSystem | Errno {
    const stat = new HostStat();
    const error = stat.load(rootFd, '', AT_EMPTY_PATH);
    if (error < 0) {
      close(rootFd);
      return error;
    }
    return new HostFileSystem(options, rootFd, stat);
  }

  /** A number that no other file of this filesystem has, though they may be on several devices of the host. */
  inoOf(stat: HostStat): number {
    let index = this.#devices.get(stat.dev);
    if (index === undefined) {
      index = this.#devices.size;
      this.#devices.set(stat.dev, index);
    }
    return index === 0 ? stat.ino : index * INO_PER_DEVICE + stat.ino;
  }

  /** The inode of what `stat` describes, known or new, with a reference for the caller. */
  inodeFor(stat: HostStat, parent: HostInode, name: string): HostInode {
    const ino = this.inoOf(stat);
    const known = this.#inodes.get(ino);
    if (known !== undefined) {
      known.incRef();
      known.moved(parent, name);
      known.apply(stat);
      return known;
    }
    const inode = new HostInode(this, ino, stat, parent, name);
    this.#inodes.set(ino, inode);
    return inode;
  }

  /** Nobody holds `inode` any more. */
  forget(inode: HostInode): void {
    this.#inodes.delete(inode.ino);
  }

  statistics(): FileSystemStatistics {
    return hostStatistics(this.root.pathFd());
  }

  sync(): number {
    const fd = this.#openToSync();
    if (fd < 0) return fd;
    const status = syncfs(fd);
    close(fd);
    return status;
  }

  beginSync(): PendingSync | number {
    if (!HostFileSystemSync.hasRoom) return this.sync();
    const fd = this.#openToSync();
    return fd < 0 ? fd : new HostFileSystemSync(fd);
  }

  #openToSync(): number {
    const rootFd = this.root.pathFd();
    return this.root.isDirectory
      ? openat2(rootFd, '.', O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0, RESOLVE_BENEATH_ONLY)
      : reopen(rootFd, O_RDONLY);
  }

  mountOptions(): string {
    return '';
  }

  destroy(): void {
    this.fifoReaders.close();
    for (const inode of this.#inodes.values()) inode.closeDescriptors();
    this.#inodes.clear();
  }
}
