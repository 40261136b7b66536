import * as abi from '@tsv/abi';
import { HostFileSystem, StoredFileSystem, type HostFdWatcher } from '@tsv/gofer';
import { fcntl } from '@tsv/host';
import { Credentials, type Kernel, type NsProxy } from '@tsv/kernel';
import type { Mount, Spec } from '@tsv/oci';
import {
  OverlayFileSystem,
  TmpfsFileSystem,
  VfsPath,
  bindMount,
  makeWhiteout,
  mountFileSystem,
  remount,
  remountBind,
  setPropagation,
  type Caller,
  type FileSystem,
  type MountNamespace,
} from '@tsv/vfs';
import { PAGE_BYTES } from '@tsv/platform';
import { join, normalize } from 'node:path';
import { toByteString } from './byte-string.js';
import type { FileAccess, RuntimeConfig } from './config.js';
import type { HostDirectory } from './confinement/confine-sentry.js';
import { ContainerDevices } from './container-devices.js';
import { checkSpec } from './oci/check-spec.js';
import { rootPath, sourcePath } from './host-paths.js';
import { OpenStores } from './open-stores.js';
import { storeName, storePath } from './overlay-stores.js';
import { parseMountOptions, parsePropagation, type MountOptions } from './oci/mount-options.js';
import { SharedVolumes } from './oci/shared-volumes.js';
import { setSysctls } from './oci/sysctl.js';
import { SandboxError } from './sandbox-error.js';

/** The mount of a container's root and everything below, ready for its first process. */
export interface ContainerFiles {
  readonly namespace: MountNamespace;
  readonly root: VfsPath;
  /** The kernel itself as the caller: root, without limits. */
  readonly caller: Caller;
  /** Where what is written to overlays lies, if not in memory. */
  readonly stores: OpenStores;
  /** What is written to the root filesystem, where it has an overlay. */
  readonly upper: TmpfsFileSystem | null;
}

/** The kernel itself as the caller that mounts. */
export interface MountCaller extends Caller {
  /** Whose processes and message queues a procfs and an mqueue that it mounts show. */
  readonly ns: NsProxy;
}

/** Where the host's files of a container are. */
export interface MountPlace {
  readonly containerId: string;
  readonly bundleDir: string;
  /** Descriptors by path of files that the sentry cannot open itself; others it opens by their path. */
  readonly donated: ReadonlyMap<string, number>;
  /** Watches FIFOs of the host; null where guests may not open them. */
  readonly fifoWatcher: HostFdWatcher | null;
}

/** Builds the file tree of a container from its configuration. */
export class ContainerMounter {
  readonly #kernel: Kernel;
  readonly #config: RuntimeConfig;
  readonly #spec: Spec;
  readonly #place: MountPlace;
  readonly #stores: OpenStores;
  /** The upper layer of the first overlay, which is the root's. */
  #rootUpper: TmpfsFileSystem | null = null;
  /** Directories of the host that the container sees. */
  readonly hostDirectories: HostDirectory[] = [];
  readonly #ns: NsProxy;

  /** `ns` are the namespaces that the container's processes start in. */
  constructor(kernel: Kernel, config: RuntimeConfig, spec: Spec, place: MountPlace, ns: NsProxy) {
    this.#kernel = kernel;
    this.#config = config;
    this.#spec = spec;
    this.#place = place;
    this.#stores = new OpenStores(place.donated);
    this.#ns = ns;
  }

  /** Mounts everything. Throws {@link SandboxError} naming the field that cannot be done. */
  setUp(): ContainerFiles {
    checkSpec(this.#spec);
    const { vfs } = this.#kernel;
    const rootDir = rootPath(this.#spec, this.#place.bundleDir);
    const isOverlaid = this.#config.overlay !== 'none';
    const lower = this.#openHost(rootDir, 'root.path', !isOverlaid, this.#config.fileAccess);
    if (!lower.root.isDirectory) throw new SandboxError(`Cannot open root.path "${rootDir}": not a directory`);
    const fs = isOverlaid ? this.#overlay(lower, rootDir) : lower;
    // Mount points may have to be made, so the root turns read-only at the end.
    const namespace = vfs.createNamespace(fs, isOverlaid ? 'overlay' : 'none', 0);
    const root = vfs.rootOf(namespace);
    const caller = this.#caller(root);
    for (const [index, mount] of (this.#spec.mounts ?? []).entries()) this.#mount(caller, mount, `mounts.${index}`);
    new ContainerDevices(this.#kernel, caller).make(this.#spec.linux?.devices ?? []);
    setSysctls(vfs, caller, this.#spec);
    this.#restrictPaths(caller);
    this.#propagateRoot(root);
    if (this.#spec.root?.readonly === true) remountBind(root, abi.MS_RDONLY);
    return { namespace, root, caller, stores: this.#stores, upper: this.#rootUpper };
  }

  #caller(root: VfsPath): MountCaller {
    const refuse = (): number => -abi.EFAULT;
    return {
      creds: Credentials.forUser(this.#kernel.userNs, 0, 0),
      umask: 0,
      root,
      cwd: root,
      memory: { copyIn: refuse, copyOut: refuse },
      ns: this.#ns,
    };
  }

  #openHost(path: string, where: string, isWritable: boolean, access: FileAccess): HostFileSystem {
    const options = {
      dev: this.#kernel.vfs.allocateDev(),
      // The layers of an overlay must not change, so that it has nothing to look up again.
      isShared: isWritable && access === 'shared',
      setsOwner: process.geteuid?.() === 0,
      fifoWatcher: isWritable ? this.#place.fifoWatcher : null,
    };
    const donated = this.#place.donated.get(path);
    const fs =
      donated === undefined
        ? HostFileSystem.open(toByteString(path), options)
        : HostFileSystem.fromDescriptor(fcntl(donated, abi.F_DUPFD_CLOEXEC, 0), options);
    if (typeof fs === 'number') throw new SandboxError(`Cannot open ${where} "${path}": ${abi.errnoText(-fs)}`);
    this.hostDirectories.push({ path, isWritable });
    return fs;
  }

  #overlay(lower: FileSystem, lowerDir: string): FileSystem {
    const { vfs, clock } = this.#kernel;
    const upper = this.#upper(lower, lowerDir);
    this.#rootUpper ??= upper;
    const onDestroy = (): void => {
      upper.destroy();
      lower.destroy();
    };
    return new OverlayFileSystem({
      dev: vfs.allocateDev(),
      clock,
      upper: upper.root,
      lowers: [lower.root],
      onDestroy,
    });
  }

  #upper(lower: FileSystem, lowerDir: string): TmpfsFileSystem {
    const { vfs, memoryFile: pool, clock, totalMemoryBytes } = this.#kernel;
    const { overlayBytesMax } = this.#config;
    const options = { dev: vfs.allocateDev(), pool, clock, mode: lower.root.mode & 0o7777 };
    const { containerId } = this.#place;
    const path = storePath(this.#config, lowerDir, containerId);
    if (path === null) {
      // Half of the memory, as of a tmpfs(5) without a size.
      const bytesMax = overlayBytesMax ?? Math.floor(totalMemoryBytes / 2);
      return new TmpfsFileSystem({ ...options, pageCountMax: Math.ceil(bytesMax / PAGE_BYTES) });
    }
    const store = this.#stores.at(path);
    this.hostDirectories.push({ path, isWritable: true });
    const pageCountMax = Math.ceil((overlayBytesMax ?? 0) / PAGE_BYTES);
    const upper = new StoredFileSystem(store, { ...options, pageCountMax });
    // Guests do not see the store in what it belongs to.
    if (this.#config.overlayMedium === 'self') makeWhiteout(upper.root, storeName(containerId));
    return upper;
  }

  #mount(caller: Caller, mount: Mount, where: string): void {
    const { vfs } = this.#kernel;
    const options = parseMountOptions(mount.options ?? [], mount.type, where);
    if (options.isRemount) {
      this.#remount(caller, mount, options, where);
      return;
    }
    const volume = SharedVolumes.of(this.#kernel, this.#spec).rootFor(mount, caller);
    if (volume !== null) {
      this.#mountVolume(caller, volume, mount, options, where);
      return;
    }
    const { isBind, data } = options;
    const destination = toByteString(normalize(join('/', mount.destination)));
    const fs = isBind ? this.#bindSource(mount, where) : this.#createFileSystem(caller, mount, data, where);
    const at = this.#mountpoint(caller, destination, fs.root.isDirectory, where);
    const flags = options.flags | (isBind && this.#mustNotWrite(fs) ? abi.MS_RDONLY : 0);
    const error = mountFileSystem(vfs, fs, toByteString(mount.source ?? 'none'), at, flags);
    at.decRef();
    if (error < 0) throw new SandboxError(`Cannot mount ${where} on "${mount.destination}": ${abi.errnoText(-error)}`);
    this.#propagate(caller, destination, options, where);
  }

  #remount(caller: Caller, mount: Mount, { flags, isBind }: MountOptions, where: string): void {
    const destination = toByteString(normalize(join('/', mount.destination)));
    const error = this.#onMount(caller, destination, (over) => (isBind ? remountBind : remount)(over, flags));
    if (error < 0) throw new SandboxError(`Cannot remount ${where} "${mount.destination}": ${abi.errnoText(-error)}`);
  }

  /** A volume in memory that containers of the sandbox share. */
  #mountVolume(caller: Caller, volume: VfsPath, mount: Mount, options: MountOptions, where: string): void {
    const destination = toByteString(normalize(join('/', mount.destination)));
    const at = this.#mountpoint(caller, destination, true, where);
    let error = bindMount(this.#kernel.vfs, volume, at, false);
    at.decRef();
    if (error === 0) error = this.#onMount(caller, destination, (over) => remountBind(over, options.flags));
    if (error < 0) throw new SandboxError(`Cannot mount ${where} on "${mount.destination}": ${abi.errnoText(-error)}`);
    this.#propagate(caller, destination, options, where);
  }

  #propagate(caller: Caller, destination: string, options: MountOptions, where: string): void {
    const { propagation, isPropagationRecursive } = options;
    if (propagation === 0) return;
    const error = this.#onMount(caller, destination, (over) =>
      setPropagation(this.#kernel.vfs, over, propagation, isPropagationRecursive),
    );
    if (error < 0) throw new SandboxError(`Cannot set the propagation of ${where}: ${abi.errnoText(-error)}`);
  }

  /** config-linux.md "Rootfs Mount Propagation". */
  #propagateRoot(root: VfsPath): void {
    const word = this.#spec.linux?.rootfsPropagation ?? '';
    if (word === '') return;
    const spreads = parsePropagation(word);
    if (spreads === null) throw new SandboxError(`Cannot use linux.rootfsPropagation: "${word}" is not known`);
    const error = setPropagation(this.#kernel.vfs, root, spreads.propagation, spreads.isRecursive);
    if (error < 0) throw new SandboxError(`Cannot use linux.rootfsPropagation: ${abi.errnoText(-error)}`);
  }

  /** Does something with the topmost mount at `path`. */
  #onMount(caller: Caller, path: string, change: (over: VfsPath) => number): number {
    const over = this.#kernel.vfs.resolve(caller, caller.root, path);
    if (typeof over === 'number') return over;
    const error = change(over);
    over.decRef();
    return error;
  }

  /** A single file of the host has no overlay: where nothing may reach the host, it is read only. */
  #mustNotWrite(fs: FileSystem): boolean {
    return this.#config.overlay === 'all' && !fs.root.isDirectory;
  }

  #bindSource(mount: Mount, where: string): FileSystem {
    if (mount.source === undefined) throw new SandboxError(`Cannot mount ${where}: a bind mount needs a source`);
    const source = sourcePath(mount, this.#place.bundleDir);
    const isOverlaid = this.#config.overlay === 'all';
    const host = this.#openHost(source, `${where}.source`, !isOverlaid, this.#config.fileAccessMounts);
    return isOverlaid && host.root.isDirectory ? this.#overlay(host, source) : host;
  }

  #createFileSystem(caller: Caller, mount: Mount, data: string, where: string): FileSystem {
    // Engines write "cgroup" whatever the version of the host: inside it is the unified hierarchy.
    const typeName = mount.type === 'cgroup' ? 'cgroup2' : (mount.type ?? 'none');
    const type = this.#kernel.vfs.typeNamed(typeName);
    if (type === undefined) throw new SandboxError(`Cannot mount ${where}: there is no filesystem "${typeName}"`);
    const fs = type.create({ source: toByteString(mount.source ?? ''), data: toByteString(data), caller });
    if (typeof fs === 'number') throw new SandboxError(`Cannot mount ${where} (${typeName}): ${abi.errnoText(-fs)}`);
    return fs;
  }

  /** The directory or file to mount on, made if it is not there. */
  #mountpoint(caller: Caller, destination: string, isDirectory: boolean, where: string): VfsPath {
    const { vfs } = this.#kernel;
    const words = destination.split('/').filter((part) => part !== '');
    let made = '';
    for (const [index, word] of words.entries()) {
      made += `/${word}`;
      const isFile = !isDirectory && index === words.length - 1;
      const error = isFile
        ? vfs.mknodAt(caller, caller.root, made, abi.S_IFREG | 0o644, 0)
        : vfs.mkdirAt(caller, caller.root, made, 0o755);
      if (error < 0 && error !== -abi.EEXIST) {
        throw new SandboxError(`Cannot make the mount point of ${where} "${made}": ${abi.errnoText(-error)}`);
      }
    }
    const path = vfs.resolve(caller, caller.root, destination === '' ? '/' : destination);
    if (typeof path === 'number') {
      throw new SandboxError(`Cannot find the mount point of ${where} "${destination}": ${abi.errnoText(-path)}`);
    }
    return path;
  }

  /** config-linux.md "Masked Paths" and "Readonly Paths": what is not there needs no hiding. */
  #restrictPaths(caller: Caller): void {
    const restrict = (name: 'maskedPaths' | 'readonlyPaths', change: (at: VfsPath, path: string) => number): void => {
      for (const [index, path] of (this.#spec.linux?.[name] ?? []).entries()) {
        const at = this.#kernel.vfs.resolve(caller, caller.root, toByteString(path));
        if (typeof at === 'number') continue;
        const error = change(at, toByteString(path));
        at.decRef();
        if (error < 0) throw new SandboxError(`Cannot use linux.${name}.${index} "${path}": ${abi.errnoText(-error)}`);
      }
    };
    restrict('maskedPaths', (at) => this.#mask(caller, at));
    restrict('readonlyPaths', (at, path) => {
      const error = bindMount(this.#kernel.vfs, at, at, true);
      if (error < 0) return error;
      return this.#onMount(caller, path, (over) => remountBind(over, over.mount.flags | abi.MS_RDONLY));
    });
  }

  #mask(caller: Caller, at: VfsPath): number {
    const { vfs, clock, memoryFile } = this.#kernel;
    if (at.inode.isDirectory) {
      const empty = new TmpfsFileSystem({ dev: vfs.allocateDev(), pool: memoryFile, clock });
      return mountFileSystem(vfs, empty, 'tmpfs', at, abi.MS_RDONLY);
    }
    return this.#onMount(caller, '/dev/null', (nothing) => bindMount(vfs, nothing, at, false));
  }
}
