import {
  EAGAIN,
  EEXIST,
  EINVAL,
  EMFILE,
  ENOSPC,
  ENOTTY,
  FIONREAD,
  INOTIFY_EVENT_COOKIE,
  INOTIFY_EVENT_LEN,
  INOTIFY_EVENT_MASK,
  INOTIFY_EVENT_WD,
  IN_ALL_EVENTS,
  IN_EXCL_UNLINK,
  IN_IGNORED,
  IN_MASK_ADD,
  IN_MASK_CREATE,
  IN_ONESHOT,
  IN_Q_OVERFLOW,
  O_NONBLOCK,
  O_RDONLY,
  POLLIN,
  POLLRDNORM,
  SIZEOF_INOTIFY_EVENT,
  type Errno,
} from '@tsv/abi';
import {
  IN_UNMOUNT,
  OpenFile,
  addWatch,
  removeWatch,
  type Caller,
  type FileWatch,
  type Inode,
  type IoBuffer,
} from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import type { AnonymousFiles } from './anonymous-files.js';
import { putInt } from './user-int.js';

/** /proc/sys/fs/inotify/max_queued_events and max_user_watches; the latter is for each file here. */
const EVENT_COUNT_MAX = 16384;
const WATCH_COUNT_MAX = 65536;
/** Longest event: the header, a name of 255 bytes and its NUL. */
const EVENT_BYTES_MAX = SIZEOF_INOTIFY_EVENT + 256;

interface InotifyEvent {
  readonly wd: number;
  readonly mask: number;
  readonly cookie: number;
  /** Byte string, empty for an event of the watched file itself. */
  readonly name: string;
}

/** A watched file of an inotify file. It holds the inode. */
class InotifyWatch implements FileWatch {
  readonly file: InotifyFile;
  readonly wd: number;
  readonly inode: Inode;
  /** The events and flags asked for. */
  flags: number;

  constructor(file: InotifyFile, wd: number, inode: Inode, flags: number) {
    this.file = file;
    this.wd = wd;
    this.inode = inode;
    this.flags = flags;
    inode.incRef();
  }

  get mask(): number {
    return (this.flags & IN_ALL_EVENTS) | IN_UNMOUNT;
  }

  get excludesUnlinked(): boolean {
    return (this.flags & IN_EXCL_UNLINK) !== 0;
  }

  event(mask: number, cookie: number, name: string): void {
    this.file.queueEvent(this.wd, mask, cookie, name);
    if ((this.flags & IN_ONESHOT) !== 0) this.file.removeWatch(this.wd);
  }

  removed(): void {
    this.file.watchGone(this);
  }
}

/** Events of files, inotify(7). */
export class InotifyFile extends OpenFile {
  readonly #files: AnonymousFiles;
  readonly #uid: number;
  readonly #queue = new WaitQueue();
  readonly #watches = new Map<number, InotifyWatch>();
  readonly #byInode = new Map<Inode, InotifyWatch>();
  readonly #events: InotifyEvent[] = [];
  #queuedBytes = 0;
  #lastWd = 0;

  private constructor(files: AnonymousFiles, uid: number, flags: number) {
    super(files.createInode('inotify'), null, O_RDONLY | (flags & O_NONBLOCK));
    this.#files = files;
    this.#uid = uid;
  }

  /** One more for the user `uid`; `flags` may have O_NONBLOCK. Errors: EMFILE when the user has too many. */
  static create(files: AnonymousFiles, uid: number, flags: number): InotifyFile | Errno {
    return files.inotifyInstances.take(uid, 1) ? new InotifyFile(files, uid, flags) : -EMFILE;
  }

  override get waiters(): WaitQueue {
    return this.#queue;
  }

  /** It has no offset, but lseek(2) succeeds, as on Linux. */
  override seek(): number {
    return 0;
  }

  override readiness(): number {
    return this.#events.length > 0 ? POLLIN | POLLRDNORM : 0;
  }

  /** inotify_add_watch(2). Returns the watch descriptor. Errors: EEXIST, ENOSPC. */
  addWatch(inode: Inode, flags: number): number {
    const found = this.#byInode.get(inode);
    if (found !== undefined) {
      if ((flags & IN_MASK_CREATE) !== 0) return -EEXIST;
      found.flags = (flags & IN_MASK_ADD) !== 0 ? found.flags | flags : flags;
      return found.wd;
    }
    if (this.#watches.size >= WATCH_COUNT_MAX) return -ENOSPC;
    const watch = new InotifyWatch(this, ++this.#lastWd, inode, flags);
    this.#watches.set(watch.wd, watch);
    this.#byInode.set(inode, watch);
    addWatch(inode, watch);
    return watch.wd;
  }

  /** inotify_rm_watch(2): ends with IN_IGNORED. Errors: EINVAL. */
  removeWatch(wd: number): 0 | Errno {
    const watch = this.#watches.get(wd);
    if (watch === undefined) return -EINVAL;
    removeWatch(watch.inode, watch);
    this.watchGone(watch);
    return 0;
  }

  /** The inode does not know of `watch` any more. */
  watchGone(watch: InotifyWatch): void {
    if (!this.#watches.delete(watch.wd)) return;
    this.#byInode.delete(watch.inode);
    this.queueEvent(watch.wd, IN_IGNORED, 0, '');
    watch.inode.decRef();
  }

  /** Adds an event, unless it is the same as the last one; too many of them are lost, and IN_Q_OVERFLOW says so. */
  queueEvent(wd: number, mask: number, cookie: number, name: string): void {
    const last = this.#events[this.#events.length - 1];
    if (last !== undefined && last.wd === wd && last.mask === mask && last.cookie === cookie && last.name === name)
      return;
    if (this.#events.length > EVENT_COUNT_MAX) return;
    const isFull = this.#events.length === EVENT_COUNT_MAX;
    const event = isFull ? { wd: -1, mask: IN_Q_OVERFLOW, cookie: 0, name: '' } : { wd, mask, cookie, name };
    this.#events.push(event);
    this.#queuedBytes += eventBytes(event);
    this.#queue.notify(POLLIN | POLLRDNORM);
  }

  /** Reads as many events as fit. Errors: EAGAIN, EFAULT, EINVAL when not even one fits. */
  override read(io: IoBuffer): number {
    let moved = 0;
    let count = 0;
    for (const event of this.#events) {
      const len = eventBytes(event);
      if (len > io.remaining) {
        if (moved === 0) return -EINVAL;
        break;
      }
      storeEvent(event, len);
      const n = io.put(bytes, 0, len);
      if (n < len) {
        if (moved === 0) return n < 0 ? n : -EINVAL;
        break;
      }
      moved += n;
      count++;
    }
    this.#events.splice(0, count);
    this.#queuedBytes -= moved;
    return count === 0 ? -EAGAIN : moved;
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    return cmd === FIONREAD ? putInt(caller, arg, this.#queuedBytes) : -ENOTTY;
  }

  protected override release(): void {
    this.#files.inotifyInstances.give(this.#uid, 1);
    for (const watch of this.#watches.values()) {
      removeWatch(watch.inode, watch);
      watch.inode.decRef();
    }
    this.#watches.clear();
    this.#byInode.clear();
    this.#events.length = 0;
  }
}

const bytes = new Uint8Array(EVENT_BYTES_MAX);
const view = new DataView(bytes.buffer);

/** The name has a NUL at its end and is padded to a multiple of the header. */
function eventBytes({ name }: InotifyEvent): number {
  if (name.length === 0) return SIZEOF_INOTIFY_EVENT;
  return SIZEOF_INOTIFY_EVENT + Math.ceil((name.length + 1) / SIZEOF_INOTIFY_EVENT) * SIZEOF_INOTIFY_EVENT;
}

function storeEvent(event: InotifyEvent, len: number): void {
  bytes.fill(0, 0, len);
  view.setInt32(INOTIFY_EVENT_WD, event.wd, true);
  view.setUint32(INOTIFY_EVENT_MASK, event.mask, true);
  view.setUint32(INOTIFY_EVENT_COOKIE, event.cookie, true);
  view.setUint32(INOTIFY_EVENT_LEN, len - SIZEOF_INOTIFY_EVENT, true);
  for (let i = 0; i < event.name.length; i++) bytes[SIZEOF_INOTIFY_EVENT + i] = event.name.charCodeAt(i);
}
