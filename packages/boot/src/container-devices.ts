import * as abi from '@tsv/abi';
import { HostFileSystem } from '@tsv/gofer';
import type { Kernel } from '@tsv/kernel';
import type { Spec } from '@tsv/oci';
import { TmpfsFileSystem, bindMount, type Caller, type VfsPath } from '@tsv/vfs';
import { toByteString } from './byte-string.js';
import { SandboxError } from './sandbox-error.js';

/** Devices that a container has whatever its configuration says, config-linux.md "Default Devices". */
const DEFAULT_DEVICES = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
] as const;
const DEFAULT_LINKS = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
] as const;
type Device = NonNullable<NonNullable<Spec['linux']>['devices']>[number];
const DEVICE_TYPES = { c: abi.S_IFCHR, u: abi.S_IFCHR, b: abi.S_IFBLK, p: abi.S_IFIFO } as const;

/**
 * Makes the device files of a container. A directory of the host holds none of them: there the file is an empty one that
 * a device of the sandbox is mounted on.
 */
export class ContainerDevices {
  readonly #kernel: Kernel;
  /** The kernel itself, in the container's files. */
  readonly #caller: Caller;
  /** Root of the filesystem that has the devices that are mounted; null as long as there is none. */
  #shelf: VfsPath | null = null;
  #shelvedCount = 0;

  constructor(kernel: Kernel, caller: Caller) {
    this.#kernel = kernel;
    this.#caller = caller;
  }

  /** Makes the default devices and `devices`, those of `linux.devices`. Throws {@link SandboxError}. */
  make(devices: readonly Device[]): void {
    const { vfs } = this.#kernel;
    for (const [name, major, minor] of DEFAULT_DEVICES) {
      const error = this.#node(`/dev/${name}`, abi.S_IFCHR | 0o666, abi.makedev(major, minor));
      accept(error, `/dev/${name}`);
    }
    for (const [name, target] of DEFAULT_LINKS) {
      accept(vfs.symlinkAt(this.#caller, target, this.#caller.root, `/dev/${name}`), `/dev/${name}`);
    }
    for (const [index, device] of devices.entries()) {
      const what = `linux.devices.${index} "${device.path}"`;
      accept(this.#configured(device, what), what);
    }
    this.#shelf?.decRef();
  }

  #configured(device: Device, what: string): number {
    const rdev = abi.makedev(device.major ?? 0, device.minor ?? 0);
    const path = toByteString(device.path);
    const type = DEVICE_TYPES[device.type];
    // Engines write the mode of stat(2), with the bits of the type.
    const mode = type | ((device.fileMode ?? 0o666) & 0o7777);
    const made = this.#node(path, mode, rdev);
    if (made < 0 && made !== -abi.EEXIST) return made;
    const at = this.#kernel.vfs.resolve(this.#caller, this.#caller.root, path);
    if (typeof at === 'number') return at;
    // "If a file already exists at path that does not match the requested device, the runtime MUST generate an error."
    const isSame = (at.inode.mode & abi.S_IFMT) === type && (device.type === 'p' || at.inode.rdev === rdev);
    const owner = { uid: device.uid ?? 0, gid: device.gid ?? 0 };
    const error = made < 0 ? made : at.inode.setAttributes(owner, this.#caller);
    at.decRef();
    if (!isSame) throw new SandboxError(`Cannot make ${what}: another file is there`);
    return error;
  }

  /** Errors: EEXIST when a file of the sandbox is there, and what mknod(2) and mount(2) say. */
  #node(path: string, mode: number, rdev: number): number {
    const { vfs } = this.#kernel;
    const { root } = this.#caller;
    const error = vfs.mknodAt(this.#caller, root, path, mode, rdev);
    const isFifo = (mode & abi.S_IFMT) === abi.S_IFIFO;
    if (isFifo || (error !== -abi.EPERM && error !== -abi.EEXIST)) return error;
    if (error === -abi.EPERM) {
      const made = vfs.mknodAt(this.#caller, root, path, abi.S_IFREG | 0o644, 0);
      if (made < 0) return made;
    }
    const at = vfs.resolve(this.#caller, root, path);
    if (typeof at === 'number') return at;
    const mounted = at.inode.fs instanceof HostFileSystem ? this.#mountNode(at, mode, rdev) : error;
    at.decRef();
    return mounted;
  }

  #mountNode(at: VfsPath, mode: number, rdev: number): number {
    const { vfs } = this.#kernel;
    const shelf = (this.#shelf ??= this.#makeShelf());
    const name = `/${this.#shelvedCount++}`;
    const made = vfs.mknodAt({ ...this.#caller, root: shelf, cwd: shelf }, shelf, name, mode, rdev);
    if (made < 0) return made;
    const node = vfs.resolve({ ...this.#caller, root: shelf, cwd: shelf }, shelf, name);
    if (typeof node === 'number') return node;
    const error = bindMount(vfs, node, at, false);
    node.decRef();
    return error;
  }

  #makeShelf(): VfsPath {
    const { vfs, memoryFile, clock } = this.#kernel;
    const fs = new TmpfsFileSystem({ dev: vfs.allocateDev(), pool: memoryFile, clock });
    return vfs.rootOf(vfs.createNamespace(fs, 'dev', 0));
  }
}

/** A device that is there already is as good; without /dev there is nowhere to put it. */
function accept(error: number, what: string): void {
  if (error >= 0 || error === -abi.EEXIST || error === -abi.ENOENT) return;
  throw new SandboxError(`Cannot make ${what}: ${abi.errnoText(-error)}`);
}
