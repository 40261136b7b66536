import { VirtualClock } from '@tsv/clock';
import type { Caller, FsCredentials, UserMemory } from '../caller.js';
import type { DirentSink, OpenFile } from '../file/open-file.js';
import { MemoryIo } from '../file/io-buffer.js';
import { TmpfsFileSystem } from '../fs/tmpfs/tmpfs-file-system.js';
import type { MountNamespace } from '../mount/mount-namespace.js';
import { HeapPagePool } from '../page/heap-page-pool.js';
import type { VfsPath } from '../path/vfs-path.js';
import { VirtualFileSystem } from '../virtual-file-system.js';

/** Real time of the test clock's zero. */
export const EPOCH_MS = 1_700_000_000_000;

/** A user: root has every capability. */
export function credentials(uid: number, groups: readonly number[] = []): FsCredentials {
  return {
    fsuid: uid,
    fsgid: uid,
    inGroup: (gid) => gid === uid || groups.includes(gid),
    hasCap: () => uid === 0,
  };
}

/** Memory of nobody. */
const NO_MEMORY: UserMemory = { copyIn: () => -14, copyOut: () => -14 };

/** A file tree with a tmpfs as its root, and somebody to use it. */
export class TestTree {
  readonly clock = new VirtualClock(0, EPOCH_MS);
  readonly pool = new HeapPagePool();
  readonly vfs: VirtualFileSystem;
  readonly fs: TmpfsFileSystem;
  readonly namespace: MountNamespace;
  readonly root: VfsPath;
  readonly caller: Caller;

  constructor(unusedDentriesMax?: number) {
    this.vfs = new VirtualFileSystem(
      unusedDentriesMax === undefined ? { clock: this.clock } : { clock: this.clock, unusedDentriesMax },
    );
    this.fs = this.newTmpfs({ mode: 0o755 });
    this.namespace = this.vfs.createNamespace(this.fs);
    this.root = this.vfs.rootOf(this.namespace);
    this.caller = this.as(0);
  }

  newTmpfs(options: { mode?: number; pageCountMax?: number; inodeCountMax?: number } = {}): TmpfsFileSystem {
    return new TmpfsFileSystem({ pool: this.pool, clock: this.clock, dev: this.vfs.allocateDev(), ...options });
  }

  /** Somebody with user ID `uid`, at the root. */
  as(uid: number, groups: readonly number[] = [], umask = 0o022): Caller {
    return { creds: credentials(uid, groups), umask, root: this.root, cwd: this.root, memory: NO_MEMORY };
  }

  /** The path of `name`; fails the test if there is none. The reference is the caller's. */
  at(name: string, lookup?: number): VfsPath {
    const path = this.vfs.resolve(this.caller, this.root, name, lookup);
    if (typeof path === 'number') throw new Error(`${name}: errno ${-path}`);
    return path;
  }

  open(name: string, flags = 0, mode = 0o644, caller = this.caller): OpenFile {
    const file = this.vfs.open(caller, name, flags, mode);
    if (typeof file === 'number') throw new Error(`${name}: errno ${-file}`);
    return file;
  }

  write(name: string, text: string, caller = this.caller): void {
    const file = this.open(name, 0o1 | 0o100 | 0o1000, 0o644, caller);
    const n = file.write(new MemoryIo(bytes(text)), caller);
    file.decRef();
    if (n !== text.length) throw new Error(`${name}: wrote ${n}`);
  }

  read(name: string): string {
    const file = this.open(name);
    const text = readAll(file, this.caller);
    file.decRef();
    return text;
  }

  mkdir(name: string, mode = 0o755): void {
    const error = this.vfs.mkdirAt(this.caller, this.root, name, mode);
    if (error < 0) throw new Error(`${name}: errno ${-error}`);
  }

  /** Names in a directory, sorted, without `.` and `..`. */
  list(name: string): string[] {
    const file = this.open(name, 0o200000);
    const names = direntNames(file, this.caller);
    file.decRef();
    return names.filter((each) => each !== '.' && each !== '..').sort();
  }
}

export function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

export function text(from: Uint8Array): string {
  return String.fromCharCode(...from);
}

export function readAll(file: OpenFile, caller: Caller): string {
  let all = '';
  const buffer = new Uint8Array(4096);
  for (;;) {
    const n = file.read(new MemoryIo(buffer), caller);
    if (n < 0) throw new Error(`read: errno ${-n}`);
    if (n === 0) return all;
    all += text(buffer.subarray(0, n));
  }
}

/** All names from the file offset on, `perCall` at a time. */
export function direntNames(file: OpenFile, caller: Caller, perCall = Infinity): string[] {
  const names: string[] = [];
  for (;;) {
    let room = perCall;
    const before = names.length;
    const sink: DirentSink = {
      add(name) {
        if (room-- <= 0) return false;
        names.push(name);
        return true;
      },
    };
    const result = file.readDirents(sink, caller);
    if (result < 0) throw new Error(`readDirents: errno ${-result}`);
    if (names.length === before) return names;
  }
}
