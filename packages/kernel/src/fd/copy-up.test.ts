import {
  EAGAIN,
  EIO,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
  POLLIN,
  SIGKILL,
  S_IFDIR,
  S_IFREG,
  SYS_chmod,
  SYS_fstat,
  SYS_getpid,
  SYS_open,
  SYS_pread64,
} from '@tsv/abi';
import { Inode, OpenFile, OverlayFileSystem, TmpfsFileSystem, type IoBuffer, type PendingRead } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import { sendSignal } from '../signal/send-signal.js';
import { kernelSignal } from '../signal/sig-info.js';
import { BLOCKED, TASK_GONE } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';
import { DATA_ADDR, TestKernel } from '../testing/test-kernel.js';

const BIG_BYTES = 5 * 1024 * 1024 + 100;
const PATH = DATA_ADDR;
const BUF = DATA_ADDR + 0x1000;
const ST_SIZE = 48;

/** What a device gives only when it is told to. */
class Device implements PendingRead {
  readonly waiters = new WaitQueue();
  isHeld = true;
  error = 0;

  release(): void {
    this.isHeld = false;
    this.waiters.notify(POLLIN);
    k.pump();
  }
}

class HeldFile extends OpenFile {
  override get isSeekable(): boolean {
    return true;
  }

  override readAt(io: IoBuffer, offset: number): number {
    io.pendingRead = io.canWait && device.isHeld ? device : null;
    if (io.pendingRead !== null) return -EAGAIN;
    if (device.error < 0) return device.error;
    const len = Math.min(io.remaining, BIG_BYTES - offset);
    return io.put(new Uint8Array(len).fill(0x61), 0, len);
  }
}

class BigFile extends Inode {
  override sizeBytes = BIG_BYTES;
  constructor(dir: Inode) {
    super(dir.fs, 3, S_IFREG | 0o644);
  }
  open(): OpenFile {
    return new HeldFile(this, null, 0);
  }
}

class LowerDirectory extends Inode {
  override lookup(): Inode {
    return new BigFile(this);
  }
  open(): number {
    return -EIO;
  }
}

let k: TestKernel;
let device: Device;
let writer: Task;
let other: Task;
beforeEach(() => {
  k = new TestKernel();
  device = new Device();
  const { vfs, clock } = k.kernel;
  const layer = (): TmpfsFileSystem =>
    new TmpfsFileSystem({ pool: k.memoryFile, clock, dev: vfs.allocateDev(), mode: 0o755 });
  const lower = new LowerDirectory(layer(), 2, S_IFDIR | 0o755);
  const fs = new OverlayFileSystem({ upper: layer().root, lowers: [lower], dev: vfs.allocateDev(), clock });
  k.rootNamespace = vfs.createNamespace(fs);
  writer = k.spawn();
  other = k.spawn();
  k.put(writer, PATH, '/big');
  k.put(other, PATH, '/big');
});

function sizeOf(task: Task, fd: number): number {
  expect(k.call(task, SYS_fstat, fd, BUF)).toBe(0);
  return k.peek(task, BUF, 144).getUint32(ST_SIZE, true);
}

describe('a large file that is copied up while its device is slow', () => {
  it('has its writer wait, and others go on', () => {
    expect(k.call(writer, SYS_open, PATH, O_RDWR)).toBe(BLOCKED);
    expect(k.call(other, SYS_getpid)).toBe(other.tid);
    expect(k.call(other, SYS_open, PATH, O_RDONLY)).toBe(0);
    expect(k.result(writer)).toBe(BLOCKED);
    device.release();
    expect(k.result(writer)).toBe(0);
    expect(sizeOf(writer, 0)).toBe(BIG_BYTES);
    expect(k.call(writer, SYS_pread64, 0, BUF, 10, BIG_BYTES - 4)).toBe(4);
    expect(k.peek(writer, BUF, 4).getUint32(0, true)).toBe(0x61616161);
  });

  it('is copied once for two writers', () => {
    expect(k.call(writer, SYS_open, PATH, O_WRONLY)).toBe(BLOCKED);
    expect(k.call(other, SYS_chmod, PATH, 0o600)).toBe(BLOCKED);
    device.release();
    expect([k.result(writer), k.result(other)]).toEqual([0, 0]);
    expect(sizeOf(writer, 0)).toBe(BIG_BYTES);
  });

  it('goes on where a killed writer has left it', () => {
    expect(k.call(other, SYS_open, PATH, O_RDWR)).toBe(BLOCKED);
    sendSignal(other, kernelSignal(SIGKILL));
    k.pump();
    expect(k.result(other)).toBe(TASK_GONE);
    expect(k.call(writer, SYS_open, PATH, O_RDWR)).toBe(BLOCKED);
    device.release();
    expect([k.result(writer), sizeOf(writer, 0)]).toEqual([0, BIG_BYTES]);
  });

  it('needs no copy of what another one cuts off', () => {
    expect(k.call(writer, SYS_open, PATH, O_RDWR)).toBe(BLOCKED);
    expect(k.call(other, SYS_open, PATH, O_RDWR | O_TRUNC)).toBe(0);
    device.release();
    expect([k.result(writer), sizeOf(writer, 0)]).toEqual([0, 0]);
  });

  it('stays as it was when the device fails', () => {
    expect(k.call(writer, SYS_open, PATH, O_RDWR)).toBe(BLOCKED);
    device.error = -EIO;
    device.release();
    expect(k.result(writer)).toBe(-EIO);
    expect(k.call(other, SYS_open, PATH, O_RDONLY)).toBe(0);
    expect(sizeOf(other, 0)).toBe(BIG_BYTES);
  });
});
