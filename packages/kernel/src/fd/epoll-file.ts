import {
  EEXIST,
  EINVAL,
  ELOOP,
  ENOENT,
  ENOSPC,
  EPERM,
  EPOLLERR,
  EPOLLET,
  EPOLLEXCLUSIVE,
  EPOLLHUP,
  EPOLLIN,
  EPOLLONESHOT,
  EPOLLOUT,
  EPOLLWAKEUP,
  O_RDWR,
  POLLIN,
  POLLRDNORM,
  type Errno,
} from '@tsv/abi';
import { OpenFile, type FileWatcher, type Inode } from '@tsv/vfs';
import { WaitEntry, WaitQueue } from '@tsv/waiter';

/** Epoll files may watch each other this deep, epoll_ctl(2) ELOOP. */
const NESTING_MAX = 5;
/** Files that one epoll file watches at most; /proc/sys/fs/epoll/max_user_watches is per user. */
const ITEM_COUNT_MAX = 1 << 20;
/** Flags of an item that are no events. */
const PRIVATE_BITS = EPOLLWAKEUP | EPOLLONESHOT | EPOLLET | EPOLLEXCLUSIVE;
const EXCLUSIVE_BITS = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE;
const ALWAYS = EPOLLERR | EPOLLHUP;

/** Takes events; returns 0, or -EFAULT when it cannot. */
export interface EpollSink {
  add(events: number, dataLow: number, dataHigh: number): number;
}

/** A file watched through one descriptor. It does not hold the file: closing it ends the watch. */
class EpollItem extends WaitEntry implements FileWatcher {
  readonly epoll: EpollFile;
  readonly file: OpenFile;
  readonly fd: number;
  nextWatcher: FileWatcher | null = null;
  /** The next item of the same descriptor number. */
  nextSameFd: EpollItem | null = null;
  /** Events and flags asked for. */
  events = 0;
  /** `epoll_data`: two halves. */
  dataLow = 0;
  dataHigh = 0;
  /** Neighbours in the ready list. */
  readyPrev: EpollItem | null = null;
  readyNext: EpollItem | null = null;
  isReady = false;

  constructor(epoll: EpollFile, file: OpenFile, fd: number) {
    super();
    this.epoll = epoll;
    this.file = file;
    this.fd = fd;
  }

  /** False of one that EPOLL_CTL_DEL took and that is kept for an EPOLL_CTL_ADD that may follow. */
  get isWatching(): boolean {
    return this.queue !== null;
  }

  /** Events that are true now; none for an item that EPOLLONESHOT has disabled. */
  get pending(): number {
    const wanted = this.events & ~PRIVATE_BITS;
    return wanted === 0 ? 0 : this.file.readiness() & (wanted | ALWAYS);
  }

  override notified(): void {
    this.epoll.itemNotified(this);
  }

  fileReleased(): void {
    this.epoll.forget(this);
  }
}

/** An epoll file, epoll(7). */
export class EpollFile extends OpenFile {
  /** poll(2) and other epoll files. */
  readonly #pollers = new WaitQueue();
  /** Tasks in epoll_wait(2): one of them is woken for an event. */
  readonly sleepers = new WaitQueue();
  readonly #items = new Map<number, EpollItem>();
  #itemCount = 0;
  /** What was removed last, still in its lists: event loops add a descriptor again that they have just removed. */
  #removed: EpollItem | null = null;
  #readyHead: EpollItem | null = null;
  #readyTail: EpollItem | null = null;

  constructor(inode: Inode) {
    super(inode, null, O_RDWR);
  }

  override get waiters(): WaitQueue {
    return this.#pollers;
  }

  get itemCount(): number {
    return this.#itemCount;
  }

  /** The items, for /proc/PID/fdinfo. */
  *items(): IterableIterator<{ readonly fd: number; readonly events: number; readonly file: OpenFile }> {
    for (const first of this.#items.values()) {
      for (let item: EpollItem | null = first; item !== null; item = item.nextSameFd) if (item.isWatching) yield item;
    }
  }

  /** The file watched under `fd` after `skip` others of that number; null if there is none. */
  watched(fd: number, skip: number): OpenFile | null {
    for (let item = this.#items.get(fd) ?? null; item !== null; item = item.nextSameFd) {
      if (item.isWatching && skip-- === 0) return item.file;
    }
    return null;
  }

  /** It has no offset, but lseek(2) succeeds, as on Linux. */
  override seek(): number {
    return 0;
  }

  override readiness(): number {
    for (let item = this.#readyHead; item !== null; item = item.readyNext) {
      if (item.pending !== 0) return POLLIN | POLLRDNORM;
    }
    return 0;
  }

  override read(): number {
    return -EINVAL;
  }

  override write(): number {
    return -EINVAL;
  }

  /** EPOLL_CTL_ADD. Errors: EEXIST, EINVAL, ELOOP, ENOSPC, EPERM for files that are always ready. */
  add(file: OpenFile, fd: number, events: number, dataLow: number, dataHigh: number): 0 | Errno {
    const { waiters } = file;
    if (waiters === null) return -EPERM;
    if (file === this) return -EINVAL;
    if ((events & EPOLLEXCLUSIVE) !== 0) {
      if (file instanceof EpollFile || (events & ~EXCLUSIVE_BITS) !== 0) return -EINVAL;
    }
    const known = this.#find(file, fd);
    if (known?.isWatching === true) return -EEXIST;
    if (file instanceof EpollFile && (file.reaches(this) || file.depth() + heightAbove(this) > NESTING_MAX)) {
      return -ELOOP;
    }
    if (this.#itemCount >= ITEM_COUNT_MAX) return -ENOSPC;

    const item = known ?? this.#link(new EpollItem(this, file, fd));
    if (known !== null) this.#removed = null;
    item.events = events;
    item.dataLow = dataLow;
    item.dataHigh = dataHigh;
    this.#itemCount++;
    waiters.add(item, (events & ~PRIVATE_BITS) | ALWAYS);
    if (item.pending !== 0) this.itemNotified(item);
    return 0;
  }

  /** EPOLL_CTL_MOD. Errors: EINVAL with EPOLLEXCLUSIVE, ENOENT. */
  modify(file: OpenFile, fd: number, events: number, dataLow: number, dataHigh: number): 0 | Errno {
    const item = this.#find(file, fd);
    if (item?.isWatching !== true) return -ENOENT;
    if (((events | item.events) & EPOLLEXCLUSIVE) !== 0) return -EINVAL;
    item.events = events;
    item.mask = (events & ~PRIVATE_BITS) | ALWAYS;
    item.dataLow = dataLow;
    item.dataHigh = dataHigh;
    if (item.pending !== 0) this.itemNotified(item);
    return 0;
  }

  /** EPOLL_CTL_DEL. Errors: ENOENT. */
  remove(file: OpenFile, fd: number): 0 | Errno {
    const item = this.#find(file, fd);
    if (item?.isWatching !== true) return -ENOENT;
    this.#dropRemoved();
    this.#stop(item);
    this.#removed = item;
    return 0;
  }

  /**
   * Gives up to `countMax` events to `sink`, in the order in which their files became ready; those that stay ready go
   * to the end. Returns how many. Errors: what the sink says, if it took none.
   */
  collect(sink: EpollSink, countMax: number): number {
    let count = 0;
    const last = this.#readyTail;
    for (let item = this.#readyHead; item !== null && count < countMax;) {
      const next: EpollItem | null = item === last ? null : item.readyNext;
      const events = item.pending;
      this.#unready(item);
      if (events !== 0) {
        const status = sink.add(events, item.dataLow, item.dataHigh);
        if (status < 0) {
          this.#pushReady(item);
          return count > 0 ? count : status;
        }
        count++;
        if ((item.events & EPOLLONESHOT) !== 0) item.events &= PRIVATE_BITS;
        else if ((item.events & EPOLLET) === 0) this.#pushReady(item);
      }
      item = next;
    }
    if (this.#readyHead !== null && count > 0) this.sleepers.notifySome(POLLIN, 1);
    return count;
  }

  /** Whether nothing was notified since the last {@link collect}. */
  get isIdle(): boolean {
    return this.#readyHead === null;
  }

  /** Called by an item whose file has news. */
  itemNotified(item: EpollItem): void {
    if ((item.events & ~PRIVATE_BITS) === 0) return;
    if (!item.isReady) this.#pushReady(item);
    this.sleepers.notifySome(POLLIN, 1);
    this.#pollers.notify(POLLIN | POLLRDNORM);
  }

  /** Drops an item whose file does not know of it any more. */
  forget(item: EpollItem): void {
    if (item === this.#removed) this.#removed = null;
    else this.#stop(item);
    this.#unlink(item);
  }

  /** Whether `target` is this file or watched by it, directly or not. */
  reaches(target: EpollFile): boolean {
    if (this === target) return true;
    for (const { file } of this.items()) if (file instanceof EpollFile && file.reaches(target)) return true;
    return false;
  }

  /** Epoll files on the longest chain of watches from here. */
  depth(): number {
    let below = 0;
    for (const { file } of this.items()) if (file instanceof EpollFile) below = Math.max(below, file.depth());
    return below + 1;
  }

  protected override release(): void {
    for (const first of [...this.#items.values()]) {
      for (let item: EpollItem | null = first; item !== null;) {
        const next: EpollItem | null = item.nextSameFd;
        unwatch(item);
        this.forget(item);
        item = next;
      }
    }
  }

  /** `item` hears of its file no more. */
  #stop(item: EpollItem): void {
    item.leave();
    if (item.isReady) this.#unready(item);
    this.#itemCount--;
  }

  #dropRemoved(): void {
    const item = this.#removed;
    if (item === null) return;
    this.#removed = null;
    unwatch(item);
    this.#unlink(item);
  }

  /** Enters a new item in the lists of its descriptor and its file. */
  #link(item: EpollItem): EpollItem {
    const { file, fd } = item;
    item.nextSameFd = this.#items.get(fd) ?? null;
    this.#items.set(fd, item);
    item.nextWatcher = file.watchers;
    file.watchers = item;
    return item;
  }

  /** Takes `item` off the list of its descriptor. */
  #unlink(item: EpollItem): void {
    const first = this.#items.get(item.fd)!;
    if (first !== item) {
      let before = first;
      while (before.nextSameFd !== item) before = before.nextSameFd!;
      before.nextSameFd = item.nextSameFd;
    } else if (item.nextSameFd === null) {
      this.#items.delete(item.fd);
    } else {
      this.#items.set(item.fd, item.nextSameFd);
    }
    item.nextSameFd = null;
  }

  #find(file: OpenFile, fd: number): EpollItem | null {
    let item = this.#items.get(fd) ?? null;
    while (item !== null && item.file !== file) item = item.nextSameFd;
    return item;
  }

  #pushReady(item: EpollItem): void {
    item.isReady = true;
    item.readyNext = null;
    item.readyPrev = this.#readyTail;
    if (this.#readyTail === null) this.#readyHead = item;
    else this.#readyTail.readyNext = item;
    this.#readyTail = item;
  }

  #unready(item: EpollItem): void {
    if (item.readyPrev === null) this.#readyHead = item.readyNext;
    else item.readyPrev.readyNext = item.readyNext;
    if (item.readyNext === null) this.#readyTail = item.readyPrev;
    else item.readyNext.readyPrev = item.readyPrev;
    item.readyPrev = null;
    item.readyNext = null;
    item.isReady = false;
  }
}

/** Epoll files on the longest chain of watches that leads to `epoll`, itself included. */
function heightAbove(epoll: EpollFile): number {
  let above = 0;
  for (let watcher = epoll.watchers; watcher !== null; watcher = watcher.nextWatcher) {
    if (watcher instanceof EpollItem && watcher.isWatching) above = Math.max(above, heightAbove(watcher.epoll));
  }
  return above + 1;
}

/** Takes `item` off the list of its file's watchers. */
function unwatch(item: EpollItem): void {
  const { file } = item;
  if (file.watchers === item) {
    file.watchers = item.nextWatcher;
  } else {
    let before = file.watchers!;
    while (before.nextWatcher !== item) before = before.nextWatcher!;
    before.nextWatcher = item.nextWatcher;
  }
  item.nextWatcher = null;
}
