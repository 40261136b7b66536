import { EACCES, EBADF, ENOENT, S_IFLNK, S_IFREG, type Errno } from '@tsv/abi';
import {
  SyntheticDirectory,
  SyntheticSymlink,
  type Caller,
  type DynamicEntrySink,
  type Inode,
  type OpenFile,
  type VfsPath,
} from '@tsv/vfs';
import { AnonymousInode } from '../fd/anonymous-files.js';
import type { Task } from '../task/task.js';
import { GeneratedFile } from './generated-file.js';
import { mayInspect } from './process-directory.js';
import type { ProcFileSystem } from './proc-file-system.js';

/** Descriptors as names: what fd and fdinfo share. */
abstract class DescriptorDirectory extends SyntheticDirectory {
  declare readonly fs: ProcFileSystem;
  protected readonly task: Task;

  constructor(fs: ProcFileSystem, task: Task) {
    super(fs, 0o500);
    this.task = task;
    this.refresh();
  }

  override refresh(): number {
    this.uid = this.task.creds.euid;
    this.gid = this.task.creds.egid;
    return 0;
  }

  protected abstract create(fd: number): Inode;
  protected abstract readonly entryMode: number;

  protected override lookupDynamic(name: string): Inode | Errno {
    if (!/^(0|[1-9]\d{0,9})$/.test(name) || this.task.hasExited) return -ENOENT;
    const fd = Number(name);
    return this.task.fds.get(fd) === undefined ? -ENOENT : this.create(fd);
  }

  /** Descriptors come and go: their names are looked up each time. */
  protected override isDynamicCurrent(): boolean {
    return false;
  }

  protected override listDynamic(fromKey: number, take: DynamicEntrySink, caller: Caller): void {
    if (this.task.hasExited || !mayInspect(this.task, caller)) return;
    for (const fd of this.task.fds.fds()) {
      if (fd >= fromKey && !take(fd, String(fd), DESCRIPTOR_INO_BASE + fd, this.entryMode)) return;
    }
  }
}

/** Inode numbers of descriptors in listings. */
const DESCRIPTOR_INO_BASE = 0x2000_0000;

/** /proc/PID/fd, proc_pid_fd(5). */
export class FdDirectory extends DescriptorDirectory {
  protected readonly entryMode = S_IFLNK;

  protected create(fd: number): Inode {
    return new DescriptorLink(this.fs, this.task, fd);
  }
}

/** /proc/PID/fdinfo, proc_pid_fdinfo(5). */
export class FdInfoDirectory extends DescriptorDirectory {
  protected readonly entryMode = S_IFREG;

  protected create(fd: number): Inode {
    return new GeneratedFile(this.fs, (caller) => this.#describe(fd, caller), 0o400);
  }

  #describe(fd: number, caller: Caller): string | Errno {
    if (this.task.hasExited) return -ENOENT;
    if (!mayInspect(this.task, caller)) return -EACCES;
    const file = this.task.fds.get(fd);
    if (file === undefined) return -ENOENT;
    const flags = file.flags | (this.task.fds.isCloseOnExec(fd) ? O_CLOEXEC : 0);
    const mountId = file.path?.mount.id ?? 0;
    return `pos:\t${file.pos}\nflags:\t0${flags.toString(8)}\nmnt_id:\t${mountId}\nino:\t${file.inode.ino}\n`;
  }
}

const O_CLOEXEC = 0o2000000;

/** The magic link /proc/PID/fd/N. */
class DescriptorLink extends SyntheticSymlink {
  declare readonly fs: ProcFileSystem;
  readonly #task: Task;
  readonly #fd: number;

  constructor(fs: ProcFileSystem, task: Task, fd: number) {
    const file = task.fds.get(fd);
    super(fs, file === undefined ? 0 : (file.isReadable ? 0o500 : 0) | (file.isWritable ? 0o300 : 0));
    this.#task = task;
    this.#fd = fd;
    this.uid = task.creds.euid;
    this.gid = task.creds.egid;
  }

  override followMagic(caller: Caller): VfsPath | Errno {
    const file = this.#find(caller);
    if (typeof file === 'number') return file;
    const path = file.path ?? this.fs.kernel.vfs.anonymousPath(file.inode);
    if (file.path !== null) path.incRef();
    return path;
  }

  readlink(caller: Caller): string | Errno {
    const file = this.#find(caller);
    if (typeof file === 'number') return file;
    if (file.path !== null) return this.fs.kernel.vfs.pathText(file.path, caller.root);
    return file.inode instanceof AnonymousInode ? file.inode.linkText : `anon_inode:[${file.inode.ino}]`;
  }

  #find(caller: Caller): OpenFile | Errno {
    if (this.#task.hasExited) return -ENOENT;
    if (!mayInspect(this.#task, caller)) return -EACCES;
    return this.#task.fds.get(this.#fd) ?? -EBADF;
  }
}
