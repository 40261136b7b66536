import {
  F_DUPFD_CLOEXEC,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_EXCL,
  O_NOFOLLOW,
  O_PATH,
  O_RDWR,
  type Errno,
} from '@tsv/abi';
import * as host from '@tsv/host';
import { TmpfsFileSystem, type FileContent, type FileSystemStatistics, type TmpfsOptions } from '@tsv/vfs';
import { openat2, unlinkat } from './host-calls.js';
import { RESOLVE_BENEATH_ONLY } from './host-file-system.js';
import { hostStatistics } from './host-statistics.js';
import { StoredContent } from './stored-content.js';

const AT_FDCWD = -100;
/** Descriptors that are kept open for files that are not mapped. */
export const STORE_FDS_MAX = 512;

/** A directory of the host in which the bytes of a sandbox's own files lie, each file under a number. */
export class FileStore {
  readonly #dirFd: number;
  #lastName = 0;
  readonly #names = new Set<number>();
  /** Contents with an open descriptor, those first that were opened first. */
  readonly #open = new Set<StoredContent>();

  private constructor(dirFd: number) {
    this.#dirFd = dirFd;
  }

  /** The store in the empty directory at `path`, a byte string, or of an O_PATH descriptor of it. Errors: those of open(2). */
  static open(path: string, donatedFd?: number): FileStore | Errno {
    const fd =
      donatedFd === undefined
        ? host.openat2(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0, 0)
        : host.fcntl(donatedFd, F_DUPFD_CLOEXEC, 0);
    return fd < 0 ? fd : new FileStore(fd);
  }

  /** Makes the file `name` for `content`. Returns its descriptor. Errors: those of open(2). */
  create(content: StoredContent, name: number): number {
    const fd = this.#openName(name, O_CREAT | O_EXCL);
    if (fd < 0) return fd;
    this.#names.add(name);
    this.#keep(content);
    return fd;
  }

  open(content: StoredContent, name: number): number {
    const fd = this.#openName(name, 0);
    if (fd >= 0) this.#keep(content);
    return fd;
  }

  remove(content: StoredContent, name: number, fd: number): void {
    this.#open.delete(content);
    this.#names.delete(name);
    if (fd >= 0) host.close(fd);
    unlinkat(this.#dirFd, String(name), 0);
  }

  /** A name that no file has or had. */
  nextName(): number {
    return ++this.#lastName;
  }

  /** What the host says of the filesystem that it is on. */
  statistics(): FileSystemStatistics {
    return hostStatistics(this.#dirFd);
  }

  /** Removes all files; the directory is empty then. Nobody uses them any more. */
  destroy(): void {
    for (const content of this.#open) host.close(content.closed());
    this.#open.clear();
    for (const name of this.#names) unlinkat(this.#dirFd, String(name), 0);
    this.#names.clear();
    host.close(this.#dirFd);
  }

  #openName(name: number, flags: number): number {
    return openat2(
      this.#dirFd,
      String(name),
      O_RDWR | O_CLOEXEC | flags,
      flags === 0 ? 0 : 0o600,
      RESOLVE_BENEATH_ONLY,
    );
  }

  #keep(content: StoredContent): void {
    this.#open.add(content);
    if (this.#open.size <= STORE_FDS_MAX) return;
    for (const oldest of this.#open) {
      if (oldest.isMapped) continue;
      this.#open.delete(oldest);
      host.close(oldest.closed());
      return;
    }
  }
}

/** A tmpfs whose names are in memory, and the bytes of its files in a {@link FileStore}. */
export class StoredFileSystem extends TmpfsFileSystem {
  readonly #store: FileStore;

  constructor(store: FileStore, options: TmpfsOptions) {
    super(options);
    this.#store = store;
  }

  override createContent(): FileContent {
    return new StoredContent(this.#store, this);
  }

  override statistics(): FileSystemStatistics {
    return this.isLimited ? super.statistics() : { ...super.statistics(), ...this.#store.statistics() };
  }
}
