import { EACCES, EINVAL, ENODEV, ENOENT, EPERM, S_IFDIR, S_IFMT, S_IFREG, type Errno } from '@tsv/abi';
import {
  IN_MODIFY,
  MAY_WRITE,
  SyntheticDirectory,
  SyntheticFile,
  SyntheticFileSystem,
  notifyInode,
  type Caller,
  type DynamicEntrySink,
  type Inode,
} from '@tsv/vfs';
import type { Kernel } from '../kernel.js';
import { Task } from '../task/task.js';
import type { Cgroup } from './cgroup.js';
import type { ControlFile } from './control-file.js';
import { controllerFiles } from './controller-files.js';
import { CORE_FILES, processList, threadList } from './core-files.js';
import { moveProcess, moveThread } from './move-process.js';

/** CGROUP2_SUPER_MAGIC, statfs(2). */
const CGROUP2_SUPER_MAGIC = 0x63677270;
/** Keys of children in listings: above those of files. */
const CHILD_KEY_FIRST = 1000;

/**
 * The cgroup2 filesystem as a cgroup namespace sees it, cgroups(7): a directory for each cgroup. All instances show one
 * tree. Differs: owners and modes are those of an instance.
 */
export class CgroupFileSystem extends SyntheticFileSystem {
  readonly root: CgroupDirectory;
  readonly kernel: Kernel;
  readonly files: ReadonlyMap<string, ControlFile>;
  readonly #directories = new WeakMap<Cgroup, CgroupDirectory>();

  /** `root` is the cgroup that its root directory shows. */
  constructor(kernel: Kernel, root: Cgroup) {
    const dev = kernel.vfs.allocateDev();
    super({ typeName: 'cgroup2', magic: CGROUP2_SUPER_MAGIC, dev, clock: kernel.clock, mustRevalidate: true });
    this.kernel = kernel;
    this.files = new Map(
      [...CORE_FILES, ...this.#membershipFiles(), ...controllerFiles(kernel)]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map((file) => [file.name, file]),
    );
    this.root = this.directoryOf(root, null);
  }

  /** The directory of `cgroup`; one that nobody has seen yet belongs to `creator`. */
  directoryOf(cgroup: Cgroup, creator: Caller | null, permissions = 0o755): CgroupDirectory {
    let directory = this.#directories.get(cgroup);
    if (directory === undefined) {
      directory = new CgroupDirectory(this, cgroup, creator, permissions);
      this.#directories.set(cgroup, directory);
    }
    return directory;
  }

  /** Whether `caller` may move processes within `cgroup`. Errors: EACCES. */
  checkMoveWithin(cgroup: Cgroup, caller: Caller): 0 | Errno {
    const procs = this.directoryOf(cgroup, null).fileOf('cgroup.procs');
    return procs === null ? 0 : procs.checkAccess(MAY_WRITE, caller.creds);
  }

  #membershipFiles(): ControlFile[] {
    const both = { controller: null, isOnRoot: true };
    return [
      {
        ...both,
        name: 'cgroup.procs',
        read: processList,
        write: (cgroup, text, writer) => (writer === null ? -EINVAL : moveProcess(this, cgroup, text, writer)),
      },
      {
        ...both,
        name: 'cgroup.threads',
        read: threadList,
        write: (cgroup, text, writer) => (writer === null ? -EINVAL : moveThread(cgroup, text, writer)),
      },
    ];
  }
}

/** The directory of a cgroup: its control files, and a directory for each child. */
export class CgroupDirectory extends SyntheticDirectory {
  declare readonly fs: CgroupFileSystem;
  readonly cgroup: Cgroup;
  readonly #files = new Map<string, CgroupFile>();
  readonly #owner: { readonly uid: number; readonly gid: number };

  constructor(fs: CgroupFileSystem, cgroup: Cgroup, creator: Caller | null, permissions: number) {
    super(fs, permissions);
    this.cgroup = cgroup;
    this.#owner = { uid: creator?.creds.fsuid ?? 0, gid: creator?.creds.fsgid ?? 0 };
    this.uid = this.#owner.uid;
    this.gid = this.#owner.gid;
  }

  override mkdir(name: string, mode: number, caller: Caller): Inode | Errno {
    if (this.cgroup.isRemoved) return -ENODEV;
    if (name.includes('\n')) return -EINVAL;
    const child = this.cgroup.createChild(name);
    return typeof child === 'number' ? child : this.fs.directoryOf(child, caller, mode & 0o7777);
  }

  /** No files are made in it. */
  override mknod(_name: string, mode: number): Inode | Errno {
    return (mode & S_IFMT) === S_IFREG ? -EACCES : -EPERM;
  }

  override rmdir(name: string, _child: Inode, _caller: Caller): number {
    const child = this.cgroup.children.get(name);
    return child === undefined ? -EPERM : child.remove();
  }

  /** The control file called `name`, null if the cgroup has none. */
  fileOf(name: string): CgroupFile | null {
    const definition = this.fs.files.get(name);
    if (definition === undefined || !this.#has(definition)) {
      this.#files.delete(name);
      return null;
    }
    let file = this.#files.get(name);
    if (file === undefined) {
      file = new CgroupFile(this.fs, this.cgroup, definition);
      file.uid = this.#owner.uid;
      file.gid = this.#owner.gid;
      this.#files.set(name, file);
    }
    return file;
  }

  protected override lookupDynamic(name: string): Inode | Errno {
    if (this.cgroup.isRemoved) return -ENOENT;
    const file = this.fileOf(name);
    if (file !== null) return file;
    const child = this.cgroup.children.get(name);
    return child === undefined ? -ENOENT : this.fs.directoryOf(child, null);
  }

  protected override listDynamic(fromKey: number, take: DynamicEntrySink): void {
    if (this.cgroup.isRemoved) return;
    let key = 0;
    for (const [name, definition] of this.fs.files) {
      if (key >= fromKey && this.#has(definition) && !take(key, name, this.fileOf(name)!.ino, S_IFREG)) return;
      key++;
    }
    for (const [name, child] of this.cgroup.children) {
      key = CHILD_KEY_FIRST + child.serial;
      if (key >= fromKey && !take(key, name, this.fs.directoryOf(child, null).ino, S_IFDIR)) return;
    }
  }

  #has({ controller, isOnRoot }: ControlFile): boolean {
    const { parent, controllers } = this.cgroup;
    return (parent !== null || isOnRoot) && (controller === null || controllers.has(controller));
  }
}

class CgroupFile extends SyntheticFile {
  readonly #cgroup: Cgroup;
  readonly #definition: ControlFile;

  constructor(fs: CgroupFileSystem, cgroup: Cgroup, definition: ControlFile) {
    super(fs, (definition.read === undefined ? 0 : 0o444) | (definition.write === undefined ? 0 : 0o200));
    this.#cgroup = cgroup;
    this.#definition = definition;
    // cgroup.events tells those who watch it, inotify(7), that it has changed.
    if (definition.name === 'cgroup.events')
      cgroup.eventListeners.add(() => {
        notifyInode(this, IN_MODIFY);
      });
  }

  generate(caller: Caller): string | Errno {
    if (this.#cgroup.isRemoved) return -ENODEV;
    return this.#definition.read?.(this.#cgroup, taskOf(caller)) ?? -EINVAL;
  }

  override write(bytes: Uint8Array, _offset: number, caller: Caller): number {
    if (this.#cgroup.isRemoved) return -ENODEV;
    const text = String.fromCharCode(...bytes.subarray(0, VALUE_BYTES_MAX)).trim();
    const error = this.#definition.write?.(this.#cgroup, text, taskOf(caller)) ?? -EINVAL;
    return error < 0 ? error : bytes.length;
  }
}

/** Bytes of a write that are looked at. */
const VALUE_BYTES_MAX = 4096;

function taskOf(caller: Caller): Task | null {
  return caller instanceof Task ? caller : null;
}
