import {
  CAP_SYS_RESOURCE,
  EINVAL,
  EMFILE,
  ENOENT,
  ENOSPC,
  EPERM,
  MQ_PRIO_MAX,
  RLIMIT_MSGQUEUE,
  S_IFMT,
  S_IFREG,
  type Errno,
} from '@tsv/abi';
import { SyntheticDirectory, SyntheticFileSystem, VfsPath, type Caller, type Inode, type Mount } from '@tsv/vfs';
import type { Kernel } from '../../kernel.js';
import { Task } from '../../task/task.js';
import { MESSAGES_MAX, MESSAGE_BYTES_MAX, MqueueLimits, NAMESPACE_BYTES_MAX, QUEUES_MAX } from './mqueue-limits.js';
import { PosixQueue, type MqAttributes } from './posix-queue.js';

/** MQUEUE_MAGIC, statfs(2). */
const MQUEUE_MAGIC = 0x19800202;
/** Anybody may make queues, and each removes his own. */
const ROOT_PERMISSIONS = 0o1777;
/** What a name adds to the size of the directory, and what it has from the start. */
const DIRENT_BYTES = 20;
/** Memory of the kernel that a message and a priority take beside the message's bytes, getrlimit(2) RLIMIT_MSGQUEUE. */
const MESSAGE_OVERHEAD_BYTES = 48;
const PRIORITY_OVERHEAD_BYTES = 48;

/** The POSIX message queues of an IPC namespace, mq_overview(7): every mount of type `mqueue` in it shows them. */
export class MqueueFileSystem extends SyntheticFileSystem {
  readonly root: MqueueDirectory;
  readonly limits: MqueueLimits;
  /** Holds the filesystem for mq_open(3), which needs no mount. */
  readonly #mount: Mount;
  readonly #bytesByUser = new Map<number, number>();
  #byteCount = 0;
  #queueCount = 0;

  constructor(kernel: Kernel, limits: MqueueLimits) {
    super({ typeName: 'mqueue', magic: MQUEUE_MAGIC, dev: kernel.vfs.allocateDev(), clock: kernel.clock });
    this.limits = limits;
    this.root = new MqueueDirectory(this);
    this.#mount = kernel.vfs.createMount(this, 'mqueue', 0);
  }

  /** The directory of queues as mq_open(3) sees it. Borrowed. */
  get rootPath(): VfsPath {
    return new VfsPath(this.#mount, this.#mount.root);
  }

  /** A queue for `caller`, by default with what the limits say. Errors: EINVAL, EMFILE, ENOSPC. */
  createQueue(permissions: number, wanted: MqAttributes | null, caller: Caller): PosixQueue | Errno {
    const { limits } = this;
    const isPrivileged = caller.creds.hasCap(CAP_SYS_RESOURCE);
    if (this.#queueCount >= (isPrivileged ? QUEUES_MAX : limits.queues_max)) return -ENOSPC;
    const attributes = wanted ?? {
      messageCountMax: Math.min(limits.msg_max, limits.msg_default),
      messageBytesMax: Math.min(limits.msgsize_max, limits.msgsize_default),
    };
    const { messageCountMax, messageBytesMax } = attributes;
    if (messageCountMax <= 0 || messageBytesMax <= 0) return -EINVAL;
    if (messageCountMax > (isPrivileged ? MESSAGES_MAX : limits.msg_max)) return -EINVAL;
    if (messageBytesMax > (isPrivileged ? MESSAGE_BYTES_MAX : limits.msgsize_max)) return -EINVAL;
    return this.#charge(permissions, attributes, caller);
  }

  #charge(permissions: number, attributes: MqAttributes, caller: Caller): PosixQueue | Errno {
    const { messageCountMax, messageBytesMax } = attributes;
    const byteCount =
      messageCountMax * (messageBytesMax + MESSAGE_OVERHEAD_BYTES) +
      Math.min(messageCountMax, MQ_PRIO_MAX) * PRIORITY_OVERHEAD_BYTES;
    const user = caller.creds.fsuid;
    const usedBytes = this.#bytesByUser.get(user) ?? 0;
    const limitBytes = caller instanceof Task ? caller.threadGroup.limits.soft(RLIMIT_MSGQUEUE) : Infinity;
    if (usedBytes + byteCount > limitBytes || this.#byteCount + byteCount > NAMESPACE_BYTES_MAX) return -EMFILE;
    const queue = new PosixQueue(this, permissions, attributes, () => {
      this.#account(user, -byteCount);
      this.#queueCount--;
    });
    this.#account(user, byteCount);
    this.#queueCount++;
    queue.uid = caller.creds.fsuid;
    queue.gid = caller.creds.fsgid;
    return queue;
  }

  #account(user: number, byteCount: number): void {
    const sum = (this.#bytesByUser.get(user) ?? 0) + byteCount;
    if (sum === 0) this.#bytesByUser.delete(user);
    else this.#bytesByUser.set(user, sum);
    this.#byteCount += byteCount;
  }
}

/** The directory of queues: they are made and removed like files, but none can be renamed or linked. */
export class MqueueDirectory extends SyntheticDirectory {
  declare readonly fs: MqueueFileSystem;

  constructor(fs: MqueueFileSystem) {
    super(fs, ROOT_PERMISSIONS);
    this.sizeBytes = 2 * DIRENT_BYTES;
  }

  /** A new queue called `name`, with a reference for the caller. Errors: those of {@link MqueueFileSystem.createQueue}. */
  createQueue(name: string, permissions: number, attributes: MqAttributes | null, caller: Caller): PosixQueue | Errno {
    const queue = this.fs.createQueue(permissions, attributes, caller);
    if (typeof queue === 'number') return queue;
    queue.incRef();
    this.add(name, queue);
    this.#changed(DIRENT_BYTES);
    return queue;
  }

  override mknod(name: string, mode: number, _rdev: number, caller: Caller): Inode | Errno {
    return (mode & S_IFMT) === S_IFREG ? this.createQueue(name, mode & ~S_IFMT, null, caller) : -EPERM;
  }

  override unlink(name: string, _child: Inode, _caller: Caller): number {
    const queue = this.get(name);
    if (!(queue instanceof PosixQueue)) return -ENOENT;
    this.remove(name);
    this.#changed(-DIRENT_BYTES);
    queue.dropName();
    return 0;
  }

  #changed(byteCount: number): void {
    this.sizeBytes += byteCount;
    for (const time of [this.atime, this.mtime, this.ctime]) this.fs.stampNow(time);
  }
}
