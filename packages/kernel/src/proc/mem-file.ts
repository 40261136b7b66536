import { EACCES, EIO, S_IFREG, type Errno } from '@tsv/abi';
import { OpenFile, SyntheticInode, type Caller, type IoBuffer, type VfsPath } from '@tsv/vfs';
import type { Mm } from '../mm/mm.js';
import type { Task } from '../task/task.js';
import { mayInspect } from './process-directory.js';
import { mmOf } from './process-files.js';
import type { ProcFileSystem } from './proc-file-system.js';

/** /proc/PID/mem, proc_pid_mem(5): guest memory as a file. */
export class MemFile extends SyntheticInode {
  readonly #task: Task;

  constructor(fs: ProcFileSystem, task: Task) {
    super(fs, S_IFREG | 0o600);
    this.#task = task;
    this.uid = task.creds.euid;
    this.gid = task.creds.egid;
  }

  override open(path: VfsPath | null, flags: number, caller: Caller): OpenFile | Errno {
    return mayInspect(this.#task, caller) ? new OpenMem(this, path, flags, this.#task) : -EACCES;
  }
}

/** Bytes moved at a time. */
const PIECE_BYTES = 4096;

class OpenMem extends OpenFile {
  readonly #task: Task;

  constructor(inode: MemFile, path: VfsPath | null, flags: number, task: Task) {
    super(inode, path, flags);
    this.#task = task;
  }

  override get isSeekable(): boolean {
    return true;
  }

  override seek(offset: number, whence: number): number {
    const target = whence === 0 ? offset : this.pos + offset;
    this.pos = target;
    return target;
  }

  override readAt(io: IoBuffer, offset: number): number {
    const mm = mmOf(this.#task);
    if (mm === null) return 0;
    const piece = new Uint8Array(PIECE_BYTES);
    let moved = 0;
    while (io.remaining > 0) {
      const addr = offset + moved;
      const len = Math.min(io.remaining, PIECE_BYTES - (addr % PIECE_BYTES));
      reveal(mm, addr, len);
      if (mm.copyIn(piece, 0, addr, len) !== 0) return moved === 0 ? -EIO : moved;
      const n = io.put(piece, 0, len);
      if (n < 0) return moved === 0 ? n : moved;
      moved += n;
      if (n < len) return moved;
    }
    return moved;
  }

  override writeAt(io: IoBuffer, offset: number): number {
    const mm = mmOf(this.#task);
    if (mm === null) return 0;
    const piece = new Uint8Array(PIECE_BYTES);
    let moved = 0;
    while (io.remaining > 0) {
      const addr = offset + moved;
      const len = io.take(piece, 0, Math.min(io.remaining, PIECE_BYTES - (addr % PIECE_BYTES)));
      if (len <= 0) return len < 0 && moved === 0 ? len : moved;
      reveal(mm, addr, len);
      // Threads of that process may run: what they have mapped is not given to others meanwhile.
      mm.addressMap.isForeignAccess = true;
      const status = mm.poke(addr, piece, 0, len);
      mm.addressMap.isForeignAccess = false;
      if (status !== 0) return moved === 0 ? -EIO : moved;
      moved += len;
    }
    return moved;
  }
}

/** Has the program's own code be there, in a process whose threads may run. */
function reveal(mm: Mm, addr: number, len: number): void {
  mm.addressMap.isForeignAccess = true;
  mm.code.reveal(addr, len);
  mm.addressMap.isForeignAccess = false;
}
