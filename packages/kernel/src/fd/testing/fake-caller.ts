import { EFAULT } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { MemoryIo, OpenFile, type Caller, type VfsPath } from '@tsv/vfs';
import { AnonymousFiles } from '../anonymous-files.js';

/** A caller with flat memory and, unless told otherwise, every right. */
export class FakeCaller implements Caller {
  readonly bytes = new Uint8Array(4096);
  readonly view = new DataView(this.bytes.buffer);
  isPrivileged = true;
  readonly umask = 0o022;
  readonly creds = {
    fsuid: 0,
    fsgid: 0,
    inGroup: (gid: number) => gid === 0,
    hasCap: () => this.isPrivileged,
  };
  readonly memory = {
    copyIn: (dst: Uint8Array, at: number, addr: number, len: number): number => {
      if (addr + len > this.bytes.length) return -EFAULT;
      dst.set(this.bytes.subarray(addr, addr + len), at);
      return 0;
    },
    copyOut: (addr: number, src: Uint8Array, at: number, len: number): number => {
      if (addr + len > this.bytes.length) return -EFAULT;
      this.bytes.set(src.subarray(at, at + len), addr);
      return 0;
    },
  };

  get root(): VfsPath {
    throw new Error('FakeCaller has no file tree');
  }
  get cwd(): VfsPath {
    throw new Error('FakeCaller has no file tree');
  }
}

export const files = new AnonymousFiles(new VirtualClock());

/** A file that is always ready and counts how often it is closed. */
export class PlainFile extends OpenFile {
  flushCount = 0;
  isReleased = false;

  constructor() {
    super(files.createInode('[plain]'), null, 2);
  }
  override flush(): number {
    this.flushCount++;
    return 0;
  }
  protected override release(): void {
    this.isReleased = true;
  }
}

/** A buffer to read into. */
export function room(len: number): MemoryIo {
  return new MemoryIo(new Uint8Array(len));
}

/** A buffer to write from. */
export function data(text: string): MemoryIo {
  return new MemoryIo(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

/** The text that `read` gives, or its negative result. */
export function readText(file: OpenFile, len: number, caller: Caller = new FakeCaller()): string | number {
  const bytes = new Uint8Array(len);
  const n = file.read(new MemoryIo(bytes), caller);
  return n < 0 ? n : String.fromCharCode(...bytes.subarray(0, n));
}

/** Writes text: the result of `write`. */
export function writeText(file: OpenFile, text: string, caller: Caller = new FakeCaller()): number {
  return file.write(data(text), caller);
}
