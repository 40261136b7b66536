import type { Errno } from '@tsv/abi';
import { cloneNamespace, type MountNamespace, type VfsPath, type VirtualFileSystem } from '@tsv/vfs';
import type { UserNamespace } from '../namespace/user-namespace.js';

/**
 * Root, working directory, umask and mount namespace of a process; tasks cloned with CLONE_FS share one. Counted by
 * reference.
 */
export class FsContext {
  readonly #vfs: VirtualFileSystem;
  #root: VfsPath;
  #cwd: VfsPath;
  #namespace: MountNamespace;
  /** umask(2): permission bits that created files do not get. */
  umask: number;
  #refCount = 1;

  /** Takes references of its own of what it is given. */
  constructor(vfs: VirtualFileSystem, namespace: MountNamespace, root: VfsPath, cwd: VfsPath, umask = 0o022) {
    this.#vfs = vfs;
    this.#namespace = namespace;
    this.#root = root;
    this.#cwd = cwd;
    this.umask = umask;
    namespace.incRef();
    root.incRef();
    cwd.incRef();
  }

  get root(): VfsPath {
    return this.#root;
  }
  get cwd(): VfsPath {
    return this.#cwd;
  }
  get mountNamespace(): MountNamespace {
    return this.#namespace;
  }

  /** chroot(2). */
  setRoot(root: VfsPath): void {
    root.incRef();
    this.#root.decRef();
    this.#root = root;
  }

  /** chdir(2). */
  setCwd(cwd: VfsPath): void {
    cwd.incRef();
    this.#cwd.decRef();
    this.#cwd = cwd;
  }

  get refCount(): number {
    return this.#refCount;
  }
  incRef(): void {
    this.#refCount++;
  }

  decRef(): void {
    this.#refCount--;
    if (this.#refCount > 0) return;
    if (this.#refCount < 0) throw new Error('FsContext.decRef: no reference is left');
    this.#cwd.decRef();
    this.#root.decRef();
    this.#namespace.decRef();
  }

  /** A copy for fork(2). */
  fork(): FsContext {
    return new FsContext(this.#vfs, this.#namespace, this.#root, this.#cwd, this.umask);
  }

  /**
   * A copy of the mount namespace for unshare(2) and clone(2) with CLONE_NEWNS, which `owner` rules; the reference is the
   * caller's.
   */
  copyMountNamespace(owner: UserNamespace): MountNamespace | Errno {
    return cloneNamespace(this.#vfs, this.#namespace, owner.level === 0 ? null : owner);
  }

  /**
   * Moves into `namespace`, whose reference it takes over: root and working directory become the same places there if
   * it is a copy of the present one, and its root otherwise, setns(2).
   */
  enterMountNamespace(namespace: MountNamespace): void {
    const before = this.#namespace;
    const root = this.#placeIn(namespace, this.#root);
    const cwd = this.#placeIn(namespace, this.#cwd);
    this.#root.decRef();
    this.#cwd.decRef();
    this.#root = root;
    this.#cwd = cwd;
    this.#namespace = namespace;
    before.decRef();
  }

  #placeIn(namespace: MountNamespace, place: VfsPath): VfsPath {
    const copy = namespace.copyOf(place);
    return copy ?? this.#vfs.rootOf(namespace);
  }
}
