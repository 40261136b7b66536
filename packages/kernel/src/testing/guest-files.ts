import { tmpfsType } from '@tsv/vfs';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { DATA_ADDR, TestKernel } from './test-kernel.js';

const TEXT_ADDR = DATA_ADDR;
const TEXT2_ADDR = DATA_ADDR + 0x2000;
/** Where results are put by tests. */
export const BUFFER_ADDR = DATA_ADDR + 0x4000;
const AT_FDCWD = -100;

/** A guest that works with files: arguments that are strings are put into its memory. */
export class GuestFiles {
  readonly kernel = new TestKernel();
  task: Task = this.kernel.spawn();

  constructor() {
    const { vfs, memoryFile } = this.kernel.kernel;
    vfs.registerType(tmpfsType(vfs, memoryFile));
  }

  /** A system call; up to two strings. */
  call(nr: number, ...args: (number | string)[]): number {
    let addr = TEXT_ADDR;
    const numbers = args.map((arg) => {
      if (typeof arg === 'number') return arg;
      const at = this.kernel.put(this.task, addr, arg);
      addr = TEXT2_ADDR;
      return at;
    });
    return this.kernel.call(this.task, nr, ...numbers);
  }

  /** open(2) that must succeed. */
  open(path: string, flags = 0, mode = 0o644): number {
    return this.#good(this.call(257, AT_FDCWD, path, flags, mode), path);
  }

  mkdir(path: string, mode = 0o755): void {
    this.#good(this.call(83, path, mode), path);
  }

  /** A file with `content`. */
  create(path: string, content = '', mode = 0o644): void {
    const fd = this.open(path, 0o1101, mode);
    if (content !== '') this.#good(this.call(1, fd, content, content.length), path);
    this.call(3, fd);
  }

  /** The content of a file, up to a page. */
  read(path: string): string {
    const fd = this.open(path);
    const n = this.#good(this.call(0, fd, BUFFER_ADDR, 4096), path);
    this.call(3, fd);
    return this.text(BUFFER_ADDR, n);
  }

  text(addr: number, len: number): string {
    return String.fromCharCode(...new Uint8Array(this.kernel.peek(this.task, addr, len).buffer));
  }

  buffer(len: number): DataView {
    return this.kernel.peek(this.task, BUFFER_ADDR, len);
  }

  /** Goes on as another process, of user `uid`. */
  become(uid: number): Task {
    this.task = this.kernel.spawn(Credentials.forUser(this.kernel.kernel.userNs, uid, uid));
    return this.task;
  }

  #good(result: number, what: string): number {
    if (result < 0) throw new Error(`${what}: errno ${-result}`);
    return result;
  }
}
