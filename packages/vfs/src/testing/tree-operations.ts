import { O_APPEND, O_CREAT, O_TRUNC, O_WRONLY, S_IFDIR, S_IFMT, S_IFREG } from '@tsv/abi';
import { truncatePath } from '../attributes/attributes.js';
import { MemoryIo } from '../file/io-buffer.js';
import { LOOKUP_FOLLOW } from '../path/path-walk.js';
import type { VfsPath } from '../path/vfs-path.js';
import type { FileOperations } from './random-operations.js';
import { bytes, direntNames, readAll, type TestTree } from './test-tree.js';

/** The operations on a directory of a {@link TestTree}. */
export class TreeOperations implements FileOperations {
  readonly #t: TestTree;
  readonly #start: VfsPath;

  constructor(t: TestTree, start: VfsPath) {
    this.#t = t;
    this.#start = start;
  }

  mkdir(path: string): number {
    return this.#t.vfs.mkdirAt(this.#t.caller, this.#start, path, 0o755);
  }
  rmdir(path: string): number {
    return this.#t.vfs.rmdirAt(this.#t.caller, this.#start, path);
  }
  create(path: string, text: string): number {
    return this.#write(path, O_WRONLY | O_CREAT | O_TRUNC, text);
  }
  append(path: string, text: string): number {
    return this.#write(path, O_WRONLY | O_APPEND, text);
  }
  unlink(path: string): number {
    return this.#t.vfs.unlinkAt(this.#t.caller, this.#start, path);
  }
  rename(from: string, to: string): number {
    return this.#t.vfs.renameAt(this.#t.caller, this.#start, from, this.#start, to);
  }
  symlink(target: string, path: string): number {
    return this.#t.vfs.symlinkAt(this.#t.caller, target, this.#start, path);
  }

  truncate(path: string, len: number): number {
    return this.#with(path, LOOKUP_FOLLOW, (found) => truncatePath(this.#t.caller, found, len)) as number;
  }

  link(from: string, to: string): number {
    return this.#with(from, 0, (found) => this.#t.vfs.linkAt(this.#t.caller, found, this.#start, to)) as number;
  }

  readlink(path: string): string | number {
    return this.#with(path, 0, (found) => found.inode.readlink(this.#t.caller));
  }

  read(path: string): string | number {
    const file = this.#t.vfs.openAt(this.#t.caller, this.#start, path, 0, 0);
    if (typeof file === 'number') return file;
    const content = file.inode.isDirectory
      ? file.read(new MemoryIo(new Uint8Array(1)), this.#t.caller)
      : readAll(file, this.#t.caller);
    file.decRef();
    return content;
  }

  list(path: string): string | number {
    const file = this.#t.vfs.openAt(this.#t.caller, this.#start, path, 0o200000, 0);
    if (typeof file === 'number') return file;
    const names = direntNames(file, this.#t.caller, 3).filter((name) => name !== '.' && name !== '..');
    file.decRef();
    return names.sort().join();
  }

  stat(path: string): string | number {
    return this.#with(path, LOOKUP_FOLLOW, describe);
  }

  lstat(path: string): string | number {
    return this.#with(path, 0, describe);
  }

  #write(path: string, flags: number, text: string): number {
    const file = this.#t.vfs.openAt(this.#t.caller, this.#start, path, flags, 0o644);
    if (typeof file === 'number') return file;
    const n = text.length === 0 ? 0 : file.write(new MemoryIo(bytes(text)), this.#t.caller);
    file.decRef();
    return n;
  }

  #with(path: string, lookup: number, use: (found: VfsPath) => string | number): string | number {
    const found = this.#t.vfs.resolve(this.#t.caller, this.#start, path, lookup);
    if (typeof found === 'number') return found;
    const result = use(found);
    found.decRef();
    return result;
  }
}

function describe({ inode }: VfsPath): string {
  inode.refresh();
  const type = inode.mode & S_IFMT;
  if (type === S_IFDIR) return 'dir';
  return type === S_IFREG ? `file ${inode.nlink} ${inode.sizeBytes}` : `link ${inode.nlink} ${inode.sizeBytes}`;
}
