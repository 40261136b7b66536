import * as fs from 'node:fs';
import { constants } from 'node:os';
import type { FileOperations } from './random-operations.js';

/** The operations on a directory of this host: what Linux does. */
export class HostOperations implements FileOperations {
  readonly #dir: string;

  constructor(dir: string) {
    this.#dir = dir;
  }

  mkdir(path: string): number {
    return attempt(() => {
      fs.mkdirSync(this.#at(path), 0o755);
    });
  }
  rmdir(path: string): number {
    return attempt(() => {
      fs.rmdirSync(this.#at(path));
    });
  }
  create(path: string, text: string): number {
    return attempt(() => this.#write(path, 'w', text));
  }
  append(path: string, text: string): number {
    return attempt(() => this.#write(path, fs.constants.O_WRONLY | fs.constants.O_APPEND, text));
  }
  truncate(path: string, len: number): number {
    return attempt(() => {
      // Node's truncateSync opens the file, and would say what open(2) says.
      if (fs.statSync(this.#at(path)).isDirectory()) return -constants.errno.EISDIR;
      fs.truncateSync(this.#at(path), len);
      return 0;
    });
  }
  unlink(path: string): number {
    return attempt(() => {
      fs.unlinkSync(this.#at(path));
    });
  }
  rename(from: string, to: string): number {
    return attempt(() => {
      fs.renameSync(this.#at(from), this.#at(to));
    });
  }
  link(from: string, to: string): number {
    return attempt(() => {
      fs.linkSync(this.#at(from), this.#at(to));
    });
  }
  symlink(target: string, path: string): number {
    return attempt(() => {
      fs.symlinkSync(target, this.#at(path));
    });
  }

  readlink(path: string): string | number {
    return attemptText(() => fs.readlinkSync(this.#at(path)));
  }
  read(path: string): string | number {
    return attemptText(() => fs.readFileSync(this.#at(path), 'latin1'));
  }
  list(path: string): string | number {
    return attemptText(() => fs.readdirSync(this.#at(path)).sort().join());
  }
  stat(path: string): string | number {
    return attemptText(() => describe(fs.statSync(this.#at(path))));
  }
  lstat(path: string): string | number {
    return attemptText(() => describe(fs.lstatSync(this.#at(path))));
  }

  #write(path: string, flags: string | number, text: string): number {
    const fd = fs.openSync(this.#at(path), flags, 0o644);
    const n = fs.writeSync(fd, text);
    fs.closeSync(fd);
    return n;
  }

  #at(path: string): string {
    return `${this.#dir}/${path}`;
  }
}

function describe(stat: fs.Stats): string {
  if (stat.isDirectory()) return 'dir';
  return `${stat.isFile() ? 'file' : 'link'} ${stat.nlink} ${stat.size}`;
}

function attempt(run: () => unknown): number {
  return attemptText<number>(() => {
    const result = run();
    return typeof result === 'number' ? result : 0;
  });
}

/** The result, or the negated errno of the error that Node throws. */
function attemptText<T extends string | number>(run: () => T): T | number {
  try {
    return run();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const errno = new Map(Object.entries(constants.errno)).get(code ?? '');
    if (errno === undefined) throw error;
    return -errno;
  }
}
