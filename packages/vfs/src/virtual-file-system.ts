import { S_IFSOCK, makedev, type Errno } from '@tsv/abi';
import type { Clock } from '@tsv/clock';
import type { Caller } from './caller.js';
import { DentryCache, UNUSED_DENTRIES_MAX } from './dentry/dentry-cache.js';
import type { Dentry } from './dentry/dentry.js';
import { DeviceRegistry } from './device/device-registry.js';
import type { FileSystemType } from './file-system-type.js';
import type { FileSystem } from './file-system.js';
import type { OpenFile } from './file/open-file.js';
import type { Inode } from './inode.js';
import { MountNamespace } from './mount/mount-namespace.js';
import { detachMountsOf, unmountNamespace } from './mount/mount-operations.js';
import { Mount } from './mount/mount.js';
import { SuperBlock } from './mount/super-block.js';
import { IN_ATTRIB, notifyInode } from './notify/file-watch.js';
import { linkFrom, mkdirFrom, mknodFrom, symlinkFrom, type NodeMaker } from './path/create.js';
import { openFrom, openPath, resolveFrom } from './path/open.js';
import { IdleWalks, LOOKUP_FOLLOW, PathWalk } from './path/path-walk.js';
import { dentryText, displayPath, pathText } from './path/path-text.js';
import { rmdirFrom, unlinkFrom } from './path/remove.js';
import { renameFrom } from './path/rename.js';
import { VfsPath } from './path/vfs-path.js';

/** What a {@link VirtualFileSystem} is made with. */
export interface VirtualFileSystemOptions {
  readonly clock: Clock;
  /** Dentries kept though nobody uses them. */
  readonly unusedDentriesMax?: number;
}

/**
 * The file tree: mounts of filesystems and the operations on paths. Paths are byte strings (one character a byte);
 * `start` is where a relative path begins (the working directory, or that of a `dirfd`). Returned paths and files carry
 * a reference. Results below zero are negated errnos.
 */
export class VirtualFileSystem {
  readonly clock: Clock;
  readonly dentries: DentryCache;
  readonly devices = new DeviceRegistry();
  /** Files of O_TMPFILE without O_EXCL that have no name yet. */
  readonly linkableTmpfiles = new WeakSet<Inode>();
  readonly #types = new Map<string, FileSystemType>();
  readonly #superBlocks = new WeakMap<FileSystem, SuperBlock>();
  readonly #idleWalks = new IdleWalks();
  /** Mounts of filesystems whose files have no names; they stay. */
  readonly #anonymousMounts = new WeakMap<FileSystem, Mount>();
  #lastDevMinor = 0;
  #lastMountId = 0;
  #lastPeerGroupId = 0;
  #lastNamespaceId = 0xf000_0000;
  #lastMoveCookie = 0;

  constructor(options: VirtualFileSystemOptions) {
    this.clock = options.clock;
    this.dentries = new DentryCache(options.unusedDentriesMax ?? UNUSED_DENTRIES_MAX);
  }

  /** A device number for a filesystem without a device. */
  allocateDev(): number {
    return makedev(0, ++this.#lastDevMinor);
  }
  nextMountId(): number {
    return ++this.#lastMountId;
  }
  nextPeerGroupId(): number {
    return ++this.#lastPeerGroupId;
  }
  nextMoveCookie(): number {
    this.#lastMoveCookie = (this.#lastMoveCookie + 1) >>> 0;
    return this.#lastMoveCookie;
  }

  /** Makes a filesystem type known to mount(2). A name can be taken once. */
  registerType(type: FileSystemType): void {
    if (this.#types.has(type.name)) throw new Error(`Cannot register filesystem "${type.name}": the name is taken`);
    this.#types.set(type.name, type);
  }
  typeNamed(name: string): FileSystemType | undefined {
    return this.#types.get(name);
  }
  /** In the order of registration, as /proc/filesystems shows them. */
  get types(): FileSystemType[] {
    return [...this.#types.values()];
  }

  get typeNames(): string[] {
    return [...this.#types.keys()];
  }

  /** The super block of `fs`: one as long as it is mounted anywhere. */
  superBlockOf(fs: FileSystem): SuperBlock {
    let superBlock = this.#superBlocks.get(fs);
    if (superBlock === undefined || !superBlock.isAlive) {
      superBlock = new SuperBlock(fs, this.dentries);
      this.#superBlocks.set(fs, superBlock);
    }
    return superBlock;
  }

  /** A mount of `fs` that is nowhere yet; the caller has its only reference. */
  createMount(fs: FileSystem, source: string, flags: number): Mount {
    const superBlock = this.superBlockOf(fs);
    return new Mount(this.nextMountId(), superBlock, superBlock.root, source, flags);
  }

  /** A mount namespace whose root is a mount of `fs`. The caller has its only reference. */
  createNamespace(fs: FileSystem, source = 'none', flags = 0): MountNamespace {
    return this.namespaceOf(this.createMount(fs, source, flags));
  }

  /** A mount namespace whose root is `root`, whose reference it takes over; `owner` is its user namespace. */
  namespaceOf(root: Mount, owner: object | null = null): MountNamespace {
    return new MountNamespace(++this.#lastNamespaceId, root, (namespace) => unmountNamespace(namespace), owner);
  }

  /** The root directory of `namespace`, with what is mounted over it; a reference is the caller's. */
  rootOf(namespace: MountNamespace): VfsPath {
    let mount = namespace.root;
    for (let over = mount.childAt(mount.root); over !== null; over = mount.childAt(mount.root)) mount = over;
    const path = new VfsPath(mount, mount.root);
    path.incRef();
    return path;
  }

  /** Starts a path walk, which the caller ends; RESOLVE_* of openat2(2). */
  walk(caller: Caller, start: VfsPath, resolve: number): PathWalk {
    const walk = this.#idleWalks.take();
    if (walk === null) return new PathWalk(this.dentries, this.#idleWalks, caller, start, resolve);
    walk.begin(caller, start, resolve);
    return walk;
  }

  /** The file at `path`, path_resolution(7); `lookup` is LOOKUP_*. */
  resolve(caller: Caller, start: VfsPath, path: string, lookup = LOOKUP_FOLLOW, resolve = 0): VfsPath | Errno {
    return resolveFrom(this, caller, start, path, lookup, resolve);
  }

  /** open(2) from the working directory. */
  open(caller: Caller, path: string, flags: number, mode = 0): OpenFile | Errno {
    return openFrom(this, caller, caller.cwd, path, flags, mode, 0);
  }

  /** openat2(2). */
  openAt(caller: Caller, start: VfsPath, path: string, flags: number, mode: number, resolve = 0): OpenFile | Errno {
    return openFrom(this, caller, start, path, flags, mode, resolve);
  }

  /** Opens the file at `path` with the checks of open(2). */
  openPath(caller: Caller, path: VfsPath, flags: number): OpenFile | Errno {
    return openPath(this, caller, path, flags);
  }

  mkdirAt(caller: Caller, start: VfsPath, path: string, mode: number): 0 | Errno {
    return mkdirFrom(this, caller, start, path, mode);
  }
  mknodAt(caller: Caller, start: VfsPath, path: string, mode: number, rdev = 0): 0 | Errno {
    return mknodFrom(this, caller, start, path, mode, rdev);
  }
  /** bind(2) to a path: a socket's node with these permissions, as `make` makes it. */
  bindAt(caller: Caller, start: VfsPath, path: string, permissions: number, make: NodeMaker): 0 | Errno {
    return mknodFrom(this, caller, start, path, S_IFSOCK | permissions, 0, make);
  }
  symlinkAt(caller: Caller, target: string, start: VfsPath, path: string): 0 | Errno {
    return symlinkFrom(this, caller, target, start, path);
  }
  /** A further name for the file at `old`. */
  linkAt(caller: Caller, old: VfsPath, start: VfsPath, path: string): 0 | Errno {
    return linkFrom(this, caller, old, start, path);
  }
  unlinkAt(caller: Caller, start: VfsPath, path: string): 0 | Errno {
    return unlinkFrom(this, caller, start, path);
  }
  rmdirAt(caller: Caller, start: VfsPath, path: string): 0 | Errno {
    return rmdirFrom(this, caller, start, path);
  }
  /** renameat2(2); `flags` are RENAME_*. */
  renameAt(
    caller: Caller,
    oldStart: VfsPath,
    oldPath: string,
    newStart: VfsPath,
    newPath: string,
    flags = 0,
  ): 0 | Errno {
    return renameFrom(this, caller, oldStart, oldPath, newStart, newPath, flags);
  }

  /** Where `path` is for a process whose root is `root`; with ` (deleted)` behind a name that was removed. */
  pathText(path: VfsPath, root: VfsPath): string {
    return displayPath(root, path);
  }
  /** Where `dentry` is in its filesystem, as the fourth field of /proc/PID/mountinfo. */
  pathInFileSystem(dentry: Dentry): string {
    return dentryText(dentry);
  }
  /** Where `mount` is for a process whose root is `root`, or null when it cannot be seen from there. */
  mountpointText(mount: Mount, root: VfsPath): string | null {
    const { text, isReachable } = pathText(root, new VfsPath(mount, mount.root));
    return isReachable ? text : null;
  }

  /** A path to a file that has none (a pipe, a memfd called `name`), for magic links; a reference is the caller's. */
  anonymousPath(inode: Inode, name = ''): VfsPath {
    let mount = this.#anonymousMounts.get(inode.fs);
    if (mount === undefined) {
      mount = this.createMount(inode.fs, inode.fs.typeName, 0);
      this.#anonymousMounts.set(inode.fs, mount);
    }
    inode.incRef();
    const path = new VfsPath(mount, this.dentries.addAnonymous(inode.fs, name, inode));
    mount.incRef();
    return path;
  }

  /** Enters a name that was created in the cache; takes over a reference of `inode`. */
  nameAdded(dir: Dentry, name: string, inode: Inode): Dentry {
    const cached = this.dentries.find(dir, name);
    if (cached === undefined) return this.dentries.add(dir, name, inode);
    this.dentries.instantiate(cached, inode);
    return cached;
  }

  /** The name `dentry` was removed: mounts of other namespaces on it go too. */
  nameRemoved(dentry: Dentry): void {
    if (dentry.mounts !== null) detachMountsOf(dentry);
    this.dentries.drop(dentry);
  }

  /** `source` got the name of `target`, which it replaced if that was one. */
  nameMoved(source: Dentry, target: Dentry, newParent: Dentry, newName: string): void {
    if (target.mounts !== null) detachMountsOf(target);
    this.dentries.move(source, newParent, newName);
  }

  /** Tells the watches of `inode` that its link count changed. */
  unlinked(inode: Inode): void {
    notifyInode(inode, IN_ATTRIB);
  }
}
