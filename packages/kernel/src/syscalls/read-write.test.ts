import {
  EAGAIN,
  EBADF,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  EPIPE,
  ESPIPE,
  O_APPEND,
  O_CREAT,
  O_NONBLOCK,
  O_PATH,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  RWF_APPEND,
  RWF_NOWAIT,
  SA_RESTORER,
  SEEK_CUR,
  SEEK_END,
  SEEK_SET,
  SIGPIPE,
  SIGUSR1,
  SYS_close,
  SYS_dup2,
  SYS_lseek,
  SYS_open,
  SYS_pipe2,
  SYS_pread64,
  SYS_preadv,
  SYS_preadv2,
  SYS_pwrite64,
  SYS_pwritev2,
  SYS_read,
  SYS_readv,
  SYS_write,
  SYS_writev,
} from '@tsv/abi';
import { kernelSignal } from '../signal/sig-info.js';
import { sendSignal } from '../signal/send-signal.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel, byteString } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

const BUF = DATA_ADDR + 0x1000;
const IOV = DATA_ADDR + 0x800;
const PATH = DATA_ADDR;
const FDS = DATA_ADDR + 0x100;

let k: TestKernel;
let t: Task;
beforeEach(() => {
  k = new TestKernel();
  t = k.spawn();
});

function open(path: string, flags: number): number {
  k.put(t, PATH, path);
  return k.call(t, SYS_open, PATH, flags, 0o644);
}

function catchSignal(signo: number): void {
  const action = t.threadGroup.signalActions.get(signo);
  action.handlerAddr = 0x5000;
  action.flags = SA_RESTORER;
  action.restorerAddr = 0x6000;
}

function pipe(flags = 0): [number, number] {
  expect(k.call(t, SYS_pipe2, FDS, flags)).toBe(0);
  const view = k.peek(t, FDS, 8);
  return [view.getInt32(0, true), view.getInt32(4, true)];
}

function write(fd: number, text: string): number {
  k.put(t, BUF, byteString(text));
  return k.call(t, SYS_write, fd, BUF, text.length);
}

function text(len: number, addr = BUF): string {
  const view = k.peek(t, addr, len);
  return Array.from({ length: len }, (_, i) => String.fromCharCode(view.getUint8(i))).join('');
}

function iovec(...parts: [addr: number, len: number][]): number {
  const bytes = new DataView(new ArrayBuffer(16 * parts.length));
  parts.forEach(([addr, len], i) => {
    bytes.setBigUint64(16 * i, BigInt(addr), true);
    bytes.setBigUint64(16 * i + 8, BigInt(len), true);
  });
  return k.put(t, IOV, new Uint8Array(bytes.buffer));
}

describe('read(2) and write(2) of a file', () => {
  it('move the offset', () => {
    const fd = open('/f', O_RDWR | O_CREAT);
    expect([
      write(fd, 'hello world'),
      k.call(t, SYS_lseek, fd, 6, SEEK_SET),
      k.call(t, SYS_read, fd, BUF, 100),
    ]).toEqual([11, 6, 5]);
    expect([text(5), k.call(t, SYS_read, fd, BUF, 100), k.call(t, SYS_lseek, fd, 0, SEEK_CUR)]).toEqual([
      'world',
      0,
      11,
    ]);
  });

  it('O_APPEND writes at the end', () => {
    const fd = open('/f', O_RDWR | O_CREAT);
    write(fd, 'abc');
    const appending = open('/f', O_WRONLY | O_APPEND);
    expect([write(appending, 'def'), k.call(t, SYS_lseek, fd, 0, SEEK_END)]).toEqual([3, 6]);
  });

  it.each`
    call          | args                     | errno
    ${'read'}     | ${[99, BUF, 1]}          | ${EBADF}
    ${'read'}     | ${[1, BUF, 1]}           | ${EBADF}
    ${'read'}     | ${[2, BUF, 1]}           | ${EBADF}
    ${'read'}     | ${[0, BAD_ADDR, 1]}      | ${EFAULT}
    ${'read'}     | ${[0, BUF, 2 ** 52]}     | ${EFAULT}
    ${'write'}    | ${[0, BUF, 1]}           | ${EBADF}
    ${'write'}    | ${[2, BUF, 1]}           | ${EBADF}
    ${'write'}    | ${[1, BAD_ADDR, 1]}      | ${EFAULT}
    ${'pread64'}  | ${[0, BUF, 1, -1]}       | ${EINVAL}
    ${'pread64'}  | ${[2, BUF, 1, 0]}        | ${EBADF}
    ${'pread64'}  | ${[3, BUF, 1, 0]}        | ${ESPIPE}
    ${'pwrite64'} | ${[1, BUF, 1, -1]}       | ${EINVAL}
    ${'pwrite64'} | ${[4, BUF, 1, 0]}        | ${ESPIPE}
    ${'readv'}    | ${[0, IOV, -1]}          | ${EINVAL}
    ${'readv'}    | ${[0, IOV, 1025]}        | ${EINVAL}
    ${'readv'}    | ${[0, BAD_ADDR, 1]}      | ${EFAULT}
    ${'writev'}   | ${[0, IOV, 0]}           | ${EBADF}
    ${'preadv'}   | ${[0, IOV, 0, -1]}       | ${EINVAL}
    ${'preadv2'}  | ${[0, IOV, 0, 0, 0, 64]} | ${EOPNOTSUPP}
    ${'lseek'}    | ${[3, 0, 0]}             | ${ESPIPE}
    ${'lseek'}    | ${[0, 0, 9]}             | ${EINVAL}
    ${'lseek'}    | ${[0, -1, 0]}            | ${EINVAL}
    ${'lseek'}    | ${[2, 0, 0]}             | ${EBADF}
  `('$call($args): $errno', ({ call, args, errno }: { call: string; args: number[]; errno: number }) => {
    const fd = open('/f', O_RDWR | O_CREAT);
    write(fd, 'x');
    k.call(t, SYS_close, fd);
    open('/f', O_RDONLY);
    open('/f', O_WRONLY);
    open('/f', O_PATH);
    pipe();
    const numbers: Record<string, number> = {
      read: SYS_read,
      write: SYS_write,
      pread64: SYS_pread64,
      pwrite64: SYS_pwrite64,
      readv: SYS_readv,
      writev: SYS_writev,
      preadv: SYS_preadv,
      preadv2: SYS_preadv2,
      lseek: SYS_lseek,
    };
    expect(k.call(t, numbers[call]!, ...args)).toBe(-errno);
  });

  it('pread and pwrite leave the offset alone', () => {
    const fd = open('/f', O_RDWR | O_CREAT);
    k.put(t, BUF, byteString('abcdef'));
    expect([k.call(t, SYS_pwrite64, fd, BUF, 6, 2), k.call(t, SYS_pread64, fd, BUF, 3, 1)]).toEqual([6, 3]);
    expect([text(3), k.call(t, SYS_lseek, fd, 0, SEEK_CUR)]).toEqual(['\0ab', 0]);
  });

  it('readv and writev go through the pieces in order', () => {
    const fd = open('/f', O_RDWR | O_CREAT);
    k.put(t, BUF, byteString('abcdef'));
    iovec([BUF + 3, 3], [BUF, 0], [BUF, 3]);
    expect(k.call(t, SYS_writev, fd, IOV, 3)).toBe(6);
    iovec([BUF + 100, 2], [BUF + 200, 9]);
    expect([k.call(t, SYS_preadv, fd, IOV, 2, 0), text(2, BUF + 100), text(4, BUF + 200)]).toEqual([6, 'de', 'fabc']);
  });

  it('pwritev2 with offset -1 uses the file offset, with RWF_APPEND the end', () => {
    const fd = open('/f', O_RDWR | O_CREAT);
    write(fd, 'abc');
    k.call(t, SYS_lseek, fd, 0, SEEK_SET);
    k.put(t, BUF, byteString('XY'));
    iovec([BUF, 2]);
    expect(k.call(t, SYS_pwritev2, fd, IOV, 1, -1, 0, 0)).toBe(2);
    expect(k.call(t, SYS_pwritev2, fd, IOV, 1, -1, 0, RWF_APPEND)).toBe(2);
    expect([k.call(t, SYS_pread64, fd, BUF, 9, 0), text(5)]).toEqual([5, 'XYcXY']);
  });
});

describe('read(2) and write(2) of a pipe', () => {
  it('a read waits for bytes', () => {
    const [reader, writer] = pipe();
    const other = k.spawn();
    other.fds = t.fds;
    t.fds.incRef();
    expect(k.call(t, SYS_read, reader, BUF, 10)).toBe(BLOCKED);
    k.put(other, BUF, byteString('data'));
    expect(k.call(other, SYS_write, writer, BUF, 4)).toBe(4);
    expect([k.result(t), text(4)]).toEqual([4, 'data']);
  });

  it('a read ends when the last writer is closed', () => {
    const [reader, writer] = pipe();
    const other = k.spawn();
    other.fds = t.fds;
    t.fds.incRef();
    k.call(t, SYS_read, reader, BUF, 10);
    k.call(other, SYS_close, writer);
    expect(k.result(t)).toBe(0);
  });

  it('a read that waits keeps its file when the descriptor goes elsewhere', () => {
    const [reader, writer] = pipe();
    const [reader2] = pipe();
    const other = k.spawn();
    other.fds = t.fds;
    t.fds.incRef();
    k.call(t, SYS_read, reader, BUF, 10);
    expect(k.call(other, SYS_dup2, reader2, reader)).toBe(reader);
    k.put(other, BUF, byteString('old'));
    k.call(other, SYS_write, writer, BUF, 3);
    expect([k.result(t), text(3), t.restart.file]).toEqual([3, 'old', null]);
    other.signals.setBlocked(1 << (SIGPIPE - 1), 0);
    expect(k.call(other, SYS_write, writer, BUF, 3)).toBe(-EPIPE);
  });

  it('a signal ends a read', () => {
    const [reader] = pipe();
    k.call(t, SYS_read, reader, BUF, 10);
    catchSignal(SIGUSR1);
    sendSignal(t, kernelSignal(SIGUSR1));
    k.pump();
    expect([k.contextOf(t).isRunning, t.restart.file]).toEqual([true, null]);
  });

  it('with O_NONBLOCK: EAGAIN', () => {
    const [reader, writer] = pipe(O_NONBLOCK);
    expect(k.call(t, SYS_read, reader, BUF, 10)).toBe(-EAGAIN);
    k.call(t, SYS_write, writer, BUF, 0x8000);
    expect([k.call(t, SYS_write, writer, BUF, 0x9000), k.call(t, SYS_write, writer, BUF, 1)]).toEqual([
      0x8000,
      -EAGAIN,
    ]);
  });

  it('RWF_NOWAIT does not wait either', () => {
    const [reader] = pipe();
    iovec([BUF, 1]);
    expect(k.call(t, SYS_preadv2, reader, IOV, 1, -1, 0, RWF_NOWAIT)).toBe(-EAGAIN);
  });

  it('a large write goes on as the reader makes room, and is told as one', () => {
    const [reader, writer] = pipe();
    const other = k.spawn();
    other.fds = t.fds;
    t.fds.incRef();
    iovec([BUF, 0xa000], [BUF, 0xa000]);
    expect(k.call(t, SYS_writev, writer, IOV, 2)).toBe(BLOCKED);
    let sum = 0;
    while (k.result(t) === BLOCKED) sum += k.call(other, SYS_read, reader, BUF, 0x2000);
    expect(k.result(t)).toBe(0x14000);
    sum += k.call(other, SYS_read, reader, BUF, 0xe000);
    sum += k.call(other, SYS_read, reader, BUF, 0xe000);
    expect(sum).toBe(0x14000);
  });

  it('a signal ends a large write with what was moved', () => {
    const [, writer] = pipe();
    iovec([BUF, 0xa000], [BUF, 0xa000]);
    k.call(t, SYS_writev, writer, IOV, 2);
    catchSignal(SIGUSR1);
    let returned = NaN;
    const set = t.page.set.bind(t.page);
    t.page.set = (reg, value) => {
      if (value === 0x10000) returned = value;
      set(reg, value);
    };
    sendSignal(t, kernelSignal(SIGUSR1));
    k.pump();
    expect(returned).toBe(0x10000);
  });

  it('without readers raises SIGPIPE', () => {
    const [reader, writer] = pipe();
    k.call(t, SYS_close, reader);
    t.signals.setBlocked(1 << (SIGPIPE - 1), 0);
    expect([write(writer, 'x'), t.signals.pending.set.has(SIGPIPE)]).toEqual([-EPIPE, true]);
  });
});
