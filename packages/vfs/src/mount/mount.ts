import { MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from '@tsv/abi';
import type { Dentry } from '../dentry/dentry.js';
import type { FileSystem } from '../file-system.js';
import type { MountNamespace } from './mount-namespace.js';
import type { PeerGroup } from './peer-group.js';
import type { SuperBlock } from './super-block.js';

/** A filesystem, or a part of it, at a place in the file tree, mount_namespaces(7). */
export class Mount {
  /** As in /proc/PID/mountinfo. */
  readonly id: number;
  readonly superBlock: SuperBlock;
  /** The dentry of the filesystem that is seen at the mount point. */
  readonly root: Dentry;
  /** What was mounted, as /proc/PID/mounts shows it. */
  readonly source: string;
  /** `MS_*` bits of MOUNT_FLAGS. */
  flags: number;
  /** The mount and dentry it covers; null while it is not attached. Written by {@link attach} and {@link detach}. */
  parent: Mount | null = null;
  mountpoint: Dentry | null = null;
  /** The namespace that shows it, or null. Written by {@link MountNamespace}. */
  namespace: MountNamespace | null = null;
  /** Mounts on dentries of this one. */
  readonly children = new Map<Dentry, Mount>();
  /** The peer group it shares events with (shared mount), and the group it gets them from (slave mount). */
  peers: PeerGroup | null = null;
  master: PeerGroup | null = null;
  isUnbindable = false;
  /** The mount that it was copied from with its whole namespace, or 0. */
  copiedFromId = 0;
  /** umount2(2) MNT_EXPIRE was asked for and nobody used it since. */
  isExpiring = false;
  /** `MS_*` flags that cannot be cleared: they came from a namespace with more rights. */
  lockedFlags = 0;
  /** The mount that a process cannot unmount or reveal on its own. */
  isLocked = false;
  #refCount = 1;

  /** Holds `root` and the super block; the caller gets the only reference. */
  constructor(id: number, superBlock: SuperBlock, root: Dentry, source: string, flags: number) {
    this.id = id;
    this.superBlock = superBlock;
    this.root = root;
    this.source = source;
    this.flags = flags;
    root.incRef();
    superBlock.addMount();
  }

  get fs(): FileSystem {
    return this.superBlock.fs;
  }
  get isReadOnly(): boolean {
    return (this.flags & MS_RDONLY) !== 0 || this.superBlock.isReadOnly;
  }
  /** Its own flags, and read-only if the filesystem is. */
  get effectiveFlags(): number {
    return this.superBlock.isReadOnly ? this.flags | MS_RDONLY : this.flags;
  }
  /** Programs on it cannot be executed, mount(2) MS_NOEXEC. */
  get isNoExec(): boolean {
    return (this.flags & MS_NOEXEC) !== 0;
  }
  /** Set-user-ID bits and file capabilities are ignored on it, mount(2) MS_NOSUID. */
  get isNoSuid(): boolean {
    return (this.flags & MS_NOSUID) !== 0;
  }
  get isNoDev(): boolean {
    return (this.flags & MS_NODEV) !== 0;
  }

  get refCount(): number {
    return this.#refCount;
  }

  incRef(): void {
    this.#refCount++;
  }

  decRef(): void {
    this.#refCount--;
    this.isExpiring = false;
    if (this.#refCount === 0) {
      this.root.decRef();
      this.superBlock.removeMount();
    } else if (this.#refCount < 0) {
      throw new Error('Mount.decRef: no reference is left');
    }
  }

  /** The mount that covers `dentry` of this mount, or null. */
  childAt(dentry: Dentry): Mount | null {
    return dentry.mounts === null ? null : (this.children.get(dentry) ?? null);
  }

  /** Puts it on `mountpoint` of `parent`, which it holds from now on. */
  attach(parent: Mount, mountpoint: Dentry): void {
    if (this.parent !== null || parent.children.has(mountpoint)) throw new Error('Mount.attach: the place is taken');
    parent.incRef();
    mountpoint.incRef();
    mountpoint.mounts ??= new Set();
    mountpoint.mounts.add(this);
    parent.children.set(mountpoint, this);
    this.parent = parent;
    this.mountpoint = mountpoint;
  }

  /** Takes it off its mount point; mounts on it stay on it. */
  detach(): void {
    const parent = this.parent;
    const mountpoint = this.mountpoint;
    if (parent === null || mountpoint === null) return;
    parent.children.delete(mountpoint);
    mountpoint.mounts?.delete(this);
    if (mountpoint.mounts?.size === 0) mountpoint.mounts = null;
    this.parent = null;
    this.mountpoint = null;
    mountpoint.decRef();
    parent.decRef();
  }
}
