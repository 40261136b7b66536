import {
  EAGAIN,
  EIO,
  POLLIN,
  SIGKILL,
  SIGUSR1,
  SYS_close,
  SYS_dup,
  SYS_fdatasync,
  SYS_fsync,
  SYS_pread64,
  SYS_preadv2,
  SYS_read,
} from '@tsv/abi';
import { Inode, OpenFile, type FileSystem, type IoBuffer, type PendingRead, type PendingSync } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import { sendSignal } from '../signal/send-signal.js';
import { kernelSignal } from '../signal/sig-info.js';
import { BLOCKED, TASK_GONE } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import { DATA_ADDR, TestKernel, byteString } from '../testing/test-kernel.js';

const BUF = DATA_ADDR + 0x1000;
const IOV = DATA_ADDR + 0x800;
const RWF_NOWAIT = 8;
const SYS_SENDFILE = 40;

class SlowRead implements PendingRead {
  readonly waiters = new WaitQueue();
  isDone = false;
  readonly offset: number;
  constructor(offset: number) {
    this.offset = offset;
  }
}

class SlowSync implements PendingSync {
  readonly waiters = new WaitQueue();
  result: number | null = null;
}

/** A file on a device that gives `pieceBytes` at a time, and only when told. */
class SlowFile extends OpenFile {
  content = byteString('0123456789');
  pieceBytes = 4;
  readonly started: SlowRead[] = [];
  isGone = false;
  readonly syncs: SlowSync[] = [];

  override beginSync(): SlowSync {
    const sync = new SlowSync();
    this.syncs.push(sync);
    return sync;
  }

  /** The device has written everything out. */
  finishSync(result: number): void {
    const sync = this.syncs.find((each) => each.result === null)!;
    sync.result = result;
    sync.waiters.notify(POLLIN);
    k.pump();
  }

  override get isSeekable(): boolean {
    return true;
  }

  override readAt(io: IoBuffer, offset: number): number {
    const pending = io.pendingRead instanceof SlowRead ? io.pendingRead : null;
    if (pending?.offset === offset && !pending.isDone) return -EAGAIN;
    io.pendingRead = null;
    let moved = 0;
    if (pending?.offset === offset) moved = io.put(this.content, offset, this.#bytesAt(io, offset));
    if (io.remaining > 0 && offset + moved < this.content.length) {
      const read = new SlowRead(offset + moved);
      io.pendingRead = read;
      this.started.push(read);
      return moved > 0 ? moved : -EAGAIN;
    }
    return moved;
  }

  /** The device has read what was asked for last. */
  deliver(): void {
    const read = this.started.find(({ isDone }) => !isDone)!;
    read.isDone = true;
    read.waiters.notify(POLLIN);
    k.pump();
  }

  protected override release(): void {
    this.isGone = true;
  }

  #bytesAt(io: IoBuffer, offset: number): number {
    return Math.max(0, Math.min(this.pieceBytes, io.remaining, this.content.length - offset));
  }
}

class SlowInode extends Inode {
  override readonly sizeBytes = 10;
  constructor(fs: FileSystem) {
    super(fs, 1, 0o100644);
  }
  open(): OpenFile {
    return new SlowFile(this, null, 0);
  }
  override setAttributes(): number {
    return 0;
  }
}

let k: TestKernel;
let t: Task;
let other: Task;
let file: SlowFile;
let fd: number;
beforeEach(() => {
  k = new TestKernel();
  t = k.spawn();
  other = k.spawn();
  file = new SlowFile(new SlowInode(k.kernel.vfs.rootOf(k.rootNamespace).mount.fs), null, 0);
  fd = t.fds.install(file, 0, false);
  file.incRef();
  other.fds.install(file, 0, false);
});

function text(task: Task, len: number): string {
  const view = k.peek(task, BUF, len);
  return Array.from({ length: len }, (_, i) => String.fromCharCode(view.getUint8(i))).join('');
}

function iovec(): number {
  const bytes = new DataView(new ArrayBuffer(16));
  bytes.setUint32(0, BUF, true);
  bytes.setUint32(8, 8, true);
  return k.put(t, IOV, new Uint8Array(bytes.buffer));
}

describe('read(2) of what a device has to read first', () => {
  it('waits for each piece, while others run', () => {
    expect(k.call(t, SYS_read, fd, BUF, 8)).toBe(BLOCKED);
    expect(k.call(other, SYS_dup, fd)).toBe(1);
    file.deliver();
    expect(k.result(t)).toBe(BLOCKED);
    file.deliver();
    expect([k.result(t), text(t, 8), file.pos]).toEqual([8, '01234567', 8]);
  });

  it('ends where the file does, and leaves the offset there', () => {
    expect(k.call(t, SYS_read, fd, BUF, 100)).toBe(BLOCKED);
    for (let i = 0; i < 3; i++) file.deliver();
    expect([k.result(t), text(t, 10), file.pos]).toEqual([10, '0123456789', 10]);
  });

  it('gives what there is of a file that was cut meanwhile', () => {
    expect(k.call(t, SYS_read, fd, BUF, 8)).toBe(BLOCKED);
    file.content = byteString('012345');
    file.deliver();
    file.deliver();
    expect([k.result(t), file.pos]).toEqual([6, 6]);
  });

  it('gives each of two readers of one offset a part of its own', () => {
    expect([k.call(t, SYS_read, fd, BUF, 4), k.call(other, SYS_read, fd, BUF, 6)]).toEqual([BLOCKED, BLOCKED]);
    for (let i = 0; i < 3; i++) file.deliver();
    expect([k.result(t), k.result(other), text(t, 4), text(other, 6)]).toEqual([4, 6, '0123', '456789']);
  });

  it('is not interrupted by a signal', () => {
    const action = t.threadGroup.signalActions.get(SIGUSR1);
    action.handlerAddr = 0x5000;
    expect(k.call(t, SYS_read, fd, BUF, 4)).toBe(BLOCKED);
    sendSignal(t, kernelSignal(SIGUSR1));
    k.pump();
    expect(k.result(t)).toBe(BLOCKED);
  });

  it('ends with the process, and gives the offset back', () => {
    expect(k.call(t, SYS_read, fd, BUF, 4)).toBe(BLOCKED);
    expect(file.pos).toBe(4);
    sendSignal(t, kernelSignal(SIGKILL));
    k.pump();
    expect([k.result(t), file.pos]).toEqual([TASK_GONE, 0]);
    file.deliver();
  });

  it('keeps the file that is closed meanwhile', () => {
    expect([k.call(other, SYS_close, 0), k.call(t, SYS_read, fd, BUF, 4), t.fds.close(fd, t)]).toEqual([0, BLOCKED, 0]);
    expect(file.isGone).toBe(false);
    file.deliver();
    expect([k.result(t), text(t, 4), file.isGone]).toEqual([4, '0123', true]);
  });

  it('pread(2) waits too, and leaves the offset', () => {
    expect(k.call(t, SYS_pread64, fd, BUF, 8, 1)).toBe(BLOCKED);
    file.deliver();
    file.deliver();
    expect([k.result(t), text(t, 8), file.pos]).toEqual([8, '12345678', 0]);
  });

  it('preadv2(2) with RWF_NOWAIT does not wait', () => {
    expect([
      k.call(t, SYS_preadv2, fd, iovec(), 1, -1, -1, RWF_NOWAIT),
      k.call(t, SYS_preadv2, fd, iovec(), 1, 2, 0, RWF_NOWAIT),
    ]).toEqual([-EAGAIN, -EAGAIN]);
  });
});

describe('sendfile(2) of what a device has to read first', () => {
  it('waits for it', () => {
    const out = k.call(t, 257, -100, k.put(t, DATA_ADDR, '/out'), 0o102, 0o644);
    expect(k.call(t, SYS_SENDFILE, out, fd, 0, 100)).toBe(BLOCKED);
    for (let i = 0; i < 3; i++) file.deliver();
    expect([k.result(t), k.call(t, SYS_pread64, out, BUF, 20, 0), text(t, 10)]).toEqual([10, 10, '0123456789']);
    expect(k.call(t, SYS_close, out)).toBe(0);
  });
});

describe('fsync(2) and fdatasync(2) of a file on a device', () => {
  it.each([
    ['fsync', SYS_fsync, 0],
    ['fdatasync', SYS_fdatasync, -EIO],
  ])('%s waits, once, while others run, and tells what came of it', (_, nr, result) => {
    expect([k.call(t, nr, fd), k.call(other, SYS_dup, 0)]).toEqual([BLOCKED, 1]);
    file.finishSync(result);
    expect([k.result(t), file.syncs.length]).toEqual([result, 1]);
  });

  it('keeps the file that is closed meanwhile', () => {
    expect([k.call(other, SYS_close, 0), k.call(t, SYS_fsync, fd), t.fds.close(fd, t)]).toEqual([0, BLOCKED, 0]);
    expect(file.isGone).toBe(false);
    file.finishSync(0);
    expect([k.result(t), file.isGone]).toEqual([0, true]);
  });

  it('ends with the process', () => {
    expect(k.call(t, SYS_fsync, fd)).toBe(BLOCKED);
    sendSignal(t, kernelSignal(SIGKILL));
    k.pump();
    expect(k.result(t)).toBe(TASK_GONE);
  });
});
