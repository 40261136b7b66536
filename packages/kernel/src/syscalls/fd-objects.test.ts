import {
  CLOCK_MONOTONIC,
  CLOCK_REALTIME_ALARM,
  EAGAIN,
  EBADF,
  EEXIST,
  EFAULT,
  EINVAL,
  EISDIR,
  EMFILE,
  ENOENT,
  ENOTDIR,
  EPERM,
  EPIPE,
  ESPIPE,
  IN_CLOEXEC,
  IN_IGNORED,
  IN_MASK_ADD,
  IN_MASK_CREATE,
  IN_NONBLOCK,
  IN_ONESHOT,
  IN_ONLYDIR,
  O_APPEND,
  O_CREAT,
  O_RDONLY,
  O_RDWR,
  O_WRONLY,
  SEEK_CUR,
  SEEK_SET,
  SFD_NONBLOCK,
  SIGPIPE,
  SIGUSR1,
  SIGUSR2,
  SPLICE_F_NONBLOCK,
  SYS_close,
  SYS_copy_file_range,
  SYS_eventfd2,
  SYS_inotify_add_watch,
  SYS_inotify_init1,
  SYS_inotify_rm_watch,
  SYS_kill,
  SYS_lseek,
  SYS_mkdir,
  SYS_open,
  SYS_pipe,
  SYS_pread64,
  SYS_read,
  SYS_rename,
  SYS_sendfile,
  SYS_signalfd4,
  SYS_splice,
  SYS_tee,
  SYS_timerfd_create,
  SYS_timerfd_gettime,
  SYS_timerfd_settime,
  SYS_unlink,
  SYS_vmsplice,
  SYS_write,
} from '@tsv/abi';
import {
  IN_ATTRIB,
  IN_CLOSE_WRITE,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_ISDIR,
  IN_MODIFY,
  IN_MOVED_FROM,
  IN_MOVED_TO,
  IN_OPEN,
} from '@tsv/vfs';
import { Credentials } from '../cred/credentials.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel, byteString } from '../testing/test-kernel.js';
import { BLOCKED } from './syscall.js';

const PATH = DATA_ADDR;
const PATH2 = DATA_ADDR + 0x200;
const ARG = DATA_ADDR + 0x400;
const BUF = DATA_ADDR + 0x1000;

let k: TestKernel;
let t: Task;
let other: Task;
beforeEach(() => {
  k = new TestKernel();
  t = k.spawn();
  other = k.spawn();
  other.fds = t.fds;
  t.fds.incRef();
});

function open(path: string, flags: number): number {
  return k.call(t, SYS_open, k.put(t, PATH, path), flags, 0o644);
}

function write(fd: number, text: string, task = t): number {
  k.put(task, BUF, byteString(text));
  return k.call(task, SYS_write, fd, BUF, text.length);
}

function text(n: number): string | number {
  if (n < 0) return n;
  const view = k.peek(t, BUF, n);
  return Array.from({ length: n }, (_, i) => String.fromCharCode(view.getUint8(i))).join('');
}

function read(fd: number, len = 200): string | number {
  return text(k.call(t, SYS_read, fd, BUF, len));
}

function pipe(): [number, number] {
  k.call(t, SYS_pipe, ARG);
  const view = k.peek(t, ARG, 8);
  return [view.getInt32(0, true), view.getInt32(4, true)];
}

function i64(...values: number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((value, i) => view.setBigInt64(8 * i, BigInt(value), true));
  return new Uint8Array(view.buffer);
}

function file(path: string, content: string): number {
  const fd = open(path, O_RDWR | O_CREAT);
  write(fd, content);
  k.call(t, SYS_lseek, fd, 0, SEEK_SET);
  return fd;
}

describe('sendfile(2)', () => {
  it('copies from the file offset, or from one that it moves', () => {
    const input = file('/in', 'hello world');
    const output = open('/out', O_RDWR | O_CREAT);
    expect([k.call(t, SYS_sendfile, output, input, 0, 5), k.call(t, SYS_lseek, input, 0, SEEK_CUR)]).toEqual([5, 5]);
    k.put(t, ARG, i64(2));
    expect([k.call(t, SYS_sendfile, output, input, ARG, 100), k.peek(t, ARG, 8).getInt32(0, true)]).toEqual([9, 11]);
    expect([k.call(t, SYS_lseek, input, 0, SEEK_CUR), text(k.call(t, SYS_pread64, output, BUF, 99, 0))]).toEqual([
      5,
      'hellollo world',
    ]);
  });

  it('waits for room in a pipe, and ends with the file', () => {
    const input = file('/in', 'x'.repeat(0x4000));
    for (let i = 0; i < 5; i++) k.call(t, SYS_write, input, BUF, 0x4000);
    k.call(t, SYS_lseek, input, 0, SEEK_SET);
    const [reader, writer] = pipe();
    expect(k.call(t, SYS_sendfile, writer, input, 0, 0x100000)).toBe(BLOCKED);
    let sum = 0;
    while (k.result(t) === BLOCKED) sum += k.call(other, SYS_read, reader, BUF, 0x4000);
    expect(k.result(t)).toBe(0x14000);
    while (sum < 0x14000) sum += k.call(other, SYS_read, reader, BUF, 0x4000);
    expect(sum).toBe(0x14000);
  });

  it('refuses what the man page refuses', () => {
    const input = file('/in', 'x');
    const [reader, writer] = pipe();
    k.put(t, ARG, i64(-1));
    expect([
      k.call(t, SYS_sendfile, 99, input, 0, 1),
      k.call(t, SYS_sendfile, reader, input, 0, 1),
      k.call(t, SYS_sendfile, writer, reader, ARG, 1),
      k.call(t, SYS_sendfile, writer, reader, 0, 1),
      k.call(t, SYS_sendfile, open('/app', O_WRONLY | O_CREAT | O_APPEND), input, 0, 1),
      k.call(t, SYS_sendfile, writer, input, ARG, 1),
      k.call(t, SYS_sendfile, writer, input, BAD_ADDR, 1),
    ]).toEqual([-EBADF, -EBADF, -ESPIPE, -EINVAL, -EINVAL, -EINVAL, -EFAULT]);
    k.call(t, SYS_close, reader);
    t.signals.setBlocked(1 << (SIGPIPE - 1), 0);
    expect([k.call(t, SYS_sendfile, writer, input, 0, 1), t.signals.pending.set.has(SIGPIPE)]).toEqual([-EPIPE, true]);
  });
});

describe('copy_file_range(2)', () => {
  it('copies between offsets', () => {
    const input = file('/in', 'hello world');
    const output = file('/out', '..............');
    k.put(t, ARG, i64(6, 2));
    expect(k.call(t, SYS_copy_file_range, input, ARG, output, ARG + 8, 5, 0)).toBe(5);
    expect([text(k.call(t, SYS_pread64, output, BUF, 99, 0)), k.peek(t, ARG, 16).getInt32(8, true)]).toEqual([
      '..world.......',
      7,
    ]);
  });

  it('refuses what the man page refuses', () => {
    const input = file('/in', 'hello world');
    const [reader] = pipe();
    k.put(t, ARG, i64(0, 3));
    expect([
      k.call(t, SYS_copy_file_range, input, ARG, input, ARG + 8, 5, 0),
      k.call(t, SYS_copy_file_range, input, 0, input, 0, 1, 1),
      k.call(t, SYS_copy_file_range, reader, 0, input, 0, 1, 0),
      k.call(t, SYS_copy_file_range, open('/', O_RDONLY), 0, input, 0, 1, 0),
      k.call(t, SYS_copy_file_range, input, 0, open('/in', O_RDONLY), 0, 1, 0),
      k.call(t, SYS_copy_file_range, input, BAD_ADDR, input, 0, 1, 0),
    ]).toEqual([-EINVAL, -EINVAL, -EINVAL, -EISDIR, -EBADF, -EFAULT]);
  });
});

describe('splice(2), tee(2), vmsplice(2)', () => {
  it('moves between files and pipes', () => {
    const input = file('/in', 'hello world');
    const output = open('/out', O_RDWR | O_CREAT);
    const [reader, writer] = pipe();
    k.put(t, ARG, i64(6));
    expect([k.call(t, SYS_splice, input, ARG, writer, 0, 100, 0), k.peek(t, ARG, 8).getInt32(0, true)]).toEqual([
      5, 11,
    ]);
    expect(k.call(t, SYS_splice, reader, 0, output, 0, 3, 0)).toBe(3);
    expect([text(k.call(t, SYS_pread64, output, BUF, 9, 0)), read(reader)]).toEqual(['wor', 'ld']);
  });

  it('tee leaves what splice takes', () => {
    const [r1, w1] = pipe();
    const [r2, w2] = pipe();
    write(w1, 'data');
    expect([k.call(t, SYS_tee, r1, w2, 100, 0), k.call(t, SYS_splice, r1, 0, w2, 0, 2, 0)]).toEqual([4, 2]);
    expect([read(r2), read(r1)]).toEqual(['datada', 'ta']);
  });

  it('vmsplice writes and reads memory', () => {
    const [reader, writer] = pipe();
    k.put(t, BUF, byteString('memory'));
    k.put(t, ARG, i64(BUF, 6));
    expect(k.call(t, SYS_vmsplice, writer, ARG, 1, 0)).toBe(6);
    k.put(t, ARG, i64(BUF + 100, 6));
    expect(k.call(t, SYS_vmsplice, reader, ARG, 1, 0)).toBe(6);
    expect(k.peek(t, BUF + 100, 6).getUint8(5)).toBe('y'.charCodeAt(0));
  });

  it('wait for bytes, but for SPLICE_F_NONBLOCK', () => {
    const [reader, writer] = pipe();
    const output = open('/out', O_RDWR | O_CREAT);
    expect(k.call(t, SYS_splice, reader, 0, output, 0, 9, SPLICE_F_NONBLOCK)).toBe(-EAGAIN);
    expect(k.call(t, SYS_splice, reader, 0, output, 0, 9, 0)).toBe(BLOCKED);
    write(writer, 'abc', other);
    expect(k.result(t)).toBe(3);
    expect(k.call(t, SYS_splice, reader, 0, output, 0, 9, 0)).toBe(BLOCKED);
    k.call(other, SYS_close, writer);
    expect(k.result(t)).toBe(0);
  });

  it('refuse what the man pages refuse', () => {
    const [reader, writer] = pipe();
    const f = file('/f', 'x');
    expect([
      k.call(t, SYS_splice, f, 0, f, 0, 1, 0),
      k.call(t, SYS_splice, reader, 0, writer, 0, 1, 0),
      k.call(t, SYS_splice, reader, ARG, f, 0, 1, 0),
      k.call(t, SYS_splice, f, 0, writer, 0, 1, 0x80),
      k.call(t, SYS_splice, writer, 0, f, 0, 1, 0),
      k.call(t, SYS_splice, f, BAD_ADDR, writer, 0, 1, 0),
      k.call(t, SYS_tee, f, writer, 1, 0),
      k.call(t, SYS_tee, reader, writer, 1, 0),
      k.call(t, SYS_vmsplice, f, ARG, 1, 0),
    ]).toEqual([-EINVAL, -EINVAL, -ESPIPE, -EINVAL, -EBADF, -EFAULT, -EINVAL, -EINVAL, -EBADF]);
  });
});

describe('timerfd_create(2), signalfd(2), eventfd(2)', () => {
  it('a read of a timer waits for it', () => {
    const fd = k.call(t, SYS_timerfd_create, CLOCK_MONOTONIC, 0);
    k.put(t, ARG, i64(0, 0, 0, 5_000_000));
    expect([
      k.call(t, SYS_timerfd_settime, fd, 0, ARG, ARG + 64),
      k.call(t, SYS_timerfd_gettime, fd, ARG + 64),
    ]).toEqual([0, 0]);
    expect([k.peek(t, ARG + 64, 32).getInt32(24, true), k.call(t, SYS_read, fd, BUF, 8)]).toEqual([5_000_000, BLOCKED]);
    k.advance(5);
    expect([k.result(t), k.peek(t, BUF, 8).getInt32(0, true)]).toEqual([8, 1]);
  });

  it('timers refuse what the man page refuses', () => {
    const fd = k.call(t, SYS_timerfd_create, CLOCK_MONOTONIC, 0);
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    k.put(t, ARG, i64(0, 0, 0, 1e9));
    const [reader] = [k.call(t, SYS_eventfd2, 0, 0)];
    expect([
      k.call(t, SYS_timerfd_create, 2, 0),
      k.call(t, SYS_timerfd_create, CLOCK_MONOTONIC, 1),
      k.call(user, SYS_timerfd_create, CLOCK_REALTIME_ALARM, 0),
      k.call(t, SYS_timerfd_settime, fd, 0, ARG, 0),
      k.call(t, SYS_timerfd_settime, fd, 8, ARG + 64, 0),
      k.call(t, SYS_timerfd_settime, fd, 0, BAD_ADDR, 0),
      k.call(t, SYS_timerfd_settime, reader, 0, ARG + 64, 0),
      k.call(t, SYS_timerfd_settime, 99, 0, ARG + 64, 0),
      k.call(t, SYS_timerfd_gettime, reader, ARG),
      k.call(t, SYS_timerfd_gettime, fd, BAD_ADDR),
    ]).toEqual([-EINVAL, -EINVAL, -EPERM, -EINVAL, -EINVAL, -EFAULT, -EINVAL, -EBADF, -EINVAL, -EFAULT]);
  });

  it('signals are read, the ones that the mask names', () => {
    t.signals.setBlocked(0xffffffff, 0);
    k.put(t, ARG, i64(1 << (SIGUSR1 - 1)));
    const fd = k.call(t, SYS_signalfd4, -1, ARG, 8, 0);
    k.call(other, SYS_kill, t.tid, SIGUSR2);
    expect(k.call(t, SYS_read, fd, BUF, 200)).toBe(BLOCKED);
    k.call(other, SYS_kill, t.tid, SIGUSR1);
    expect([k.result(t), k.peek(t, BUF, 16).getUint32(0, true), k.peek(t, BUF, 16).getUint32(12, true)]).toEqual([
      128,
      SIGUSR1,
      other.tid,
    ]);
    k.put(t, ARG, i64(1 << (SIGUSR2 - 1)));
    expect([k.call(t, SYS_signalfd4, fd, ARG, 8, 0), k.call(t, SYS_read, fd, BUF, 200)]).toEqual([fd, 128]);
    expect(t.threadGroup.pending.count).toBe(0);
  });

  it('signalfd refuses what the man page refuses', () => {
    const event = k.call(t, SYS_eventfd2, 0, 0);
    k.put(t, ARG, i64(0));
    const fd = k.call(t, SYS_signalfd4, -1, ARG, 8, SFD_NONBLOCK);
    expect([
      k.call(t, SYS_signalfd4, -1, ARG, 4, 0),
      k.call(t, SYS_signalfd4, -1, BAD_ADDR, 8, 0),
      k.call(t, SYS_signalfd4, -1, ARG, 8, 1),
      k.call(t, SYS_signalfd4, 99, ARG, 8, 0),
      k.call(t, SYS_signalfd4, event, ARG, 8, 0),
      k.call(t, SYS_read, fd, BUF, 100),
      k.call(t, SYS_read, fd, BUF, 128),
      k.call(t, SYS_eventfd2, 0, 8),
    ]).toEqual([-EINVAL, -EFAULT, -EINVAL, -EBADF, -EINVAL, -EINVAL, -EAGAIN, -EINVAL]);
  });

  it('have no offset: lseek is 0, pread ESPIPE', () => {
    const fd = k.call(t, SYS_eventfd2, 0, 0);
    expect([k.call(t, SYS_lseek, fd, 5, SEEK_SET), k.call(t, SYS_pread64, fd, BUF, 8, 0)]).toEqual([0, -ESPIPE]);
  });

  it('an eventfd wakes its reader', () => {
    const fd = k.call(t, SYS_eventfd2, 0, 0);
    expect(k.call(t, SYS_read, fd, BUF, 8)).toBe(BLOCKED);
    k.put(other, BUF, i64(7));
    k.call(other, SYS_write, fd, BUF, 8);
    expect([k.result(t), k.peek(t, BUF, 8).getInt32(0, true)]).toEqual([8, 7]);
  });
});

describe('inotify(7)', () => {
  function events(fd: number): [wd: number, mask: number, name: string][] {
    return parse(k.call(t, SYS_read, fd, BUF, 4096));
  }

  function parse(n: number): [wd: number, mask: number, name: string][] {
    const view = k.peek(t, BUF, Math.max(n, 0));
    const list: [number, number, string][] = [];
    for (let at = 0; at < n; at += 16 + view.getUint32(at + 12, true)) {
      let name = '';
      for (let i = at + 16; i < at + 16 + view.getUint32(at + 12, true) && view.getUint8(i) !== 0; i++)
        name += String.fromCharCode(view.getUint8(i));
      list.push([view.getInt32(at, true), view.getUint32(at + 4, true), name]);
    }
    return list;
  }
  const watch = (fd: number, path: string, mask: number) =>
    k.call(t, SYS_inotify_add_watch, fd, k.put(t, PATH, path), mask >>> 0);

  it('tells what happens in a directory', () => {
    const fd = k.call(t, SYS_inotify_init1, IN_NONBLOCK);
    k.call(t, SYS_mkdir, k.put(t, PATH, '/d'), 0o755);
    expect(watch(fd, '/d', 0xfff)).toBe(1);
    const f = open('/d/f', O_RDWR | O_CREAT);
    write(f, 'x');
    k.call(t, SYS_close, f);
    expect(events(fd)).toEqual([
      [1, IN_CREATE, 'f'],
      [1, IN_OPEN, 'f'],
      [1, IN_MODIFY, 'f'],
      [1, IN_CLOSE_WRITE, 'f'],
    ]);
    k.put(t, PATH, '/d/f');
    k.put(t, PATH2, '/d/g');
    k.call(t, SYS_rename, PATH, PATH2);
    k.call(t, SYS_unlink, PATH2);
    k.call(t, SYS_mkdir, k.put(t, PATH, '/d/sub'), 0o755);
    const cookieAt = () => k.peek(t, BUF, 64).getUint32(8, true);
    const list = events(fd);
    expect([list, cookieAt() > 0, cookieAt() === k.peek(t, BUF, 64).getUint32(32 + 8, true)]).toEqual([
      [
        [1, IN_MOVED_FROM, 'f'],
        [1, IN_MOVED_TO, 'g'],
        [1, IN_DELETE, 'g'],
        [1, IN_CREATE | IN_ISDIR, 'sub'],
      ],
      true,
      true,
    ]);
    expect(k.call(t, SYS_read, fd, BUF, 100)).toBe(-EAGAIN);
  });

  it('tells of a file itself, and ends with it', () => {
    const fd = k.call(t, SYS_inotify_init1, IN_CLOEXEC);
    k.call(t, SYS_close, file('/f', 'x'));
    expect([watch(fd, '/f', IN_DELETE_SELF | IN_ATTRIB), k.call(t, SYS_read, fd, BUF, 100)]).toEqual([1, BLOCKED]);
    k.call(other, SYS_unlink, k.put(other, PATH, '/f'));
    const masks = parse(k.result(t)).map(([, mask]) => mask);
    expect(masks).toEqual([IN_ATTRIB, IN_DELETE_SELF, IN_IGNORED]);
  });

  it('changes and removes watches', () => {
    const fd = k.call(t, SYS_inotify_init1, IN_NONBLOCK);
    expect([watch(fd, '/', IN_OPEN), watch(fd, '/', IN_CREATE), watch(fd, '/', IN_MASK_ADD | IN_DELETE)]).toEqual([
      1, 1, 1,
    ]);
    k.call(t, SYS_close, file('/new', ''));
    expect(events(fd)).toEqual([[1, IN_CREATE, 'new']]);
    expect([watch(fd, '/', IN_MASK_CREATE | IN_OPEN), k.call(t, SYS_inotify_rm_watch, fd, 1)]).toEqual([-EEXIST, 0]);
    expect([events(fd), k.call(t, SYS_inotify_rm_watch, fd, 1)]).toEqual([[[1, IN_IGNORED, '']], -EINVAL]);
    watch(fd, '/', IN_CREATE | IN_ONESHOT);
    file('/a', '');
    file('/b', '');
    expect(events(fd)).toEqual([
      [2, IN_CREATE, 'a'],
      [2, IN_IGNORED, ''],
    ]);
  });

  it('tells the same event once, and needs room for one', () => {
    const fd = k.call(t, SYS_inotify_init1, IN_NONBLOCK);
    const f = file('/f', '');
    watch(fd, '/', IN_MODIFY);
    write(f, 'x');
    write(f, 'y');
    expect(k.call(t, SYS_read, fd, BUF, 31)).toBe(-EINVAL);
    expect(events(fd)).toEqual([[1, IN_MODIFY, 'f']]);
  });

  it('lets each user have 128 of its files, and no more', () => {
    const fds = Array.from({ length: 129 }, () => k.call(t, SYS_inotify_init1, 0));
    expect([fds.filter((fd) => fd >= 0).length, fds[128]]).toEqual([128, -EMFILE]);
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    expect(k.call(user, SYS_inotify_init1, 0)).toBeGreaterThanOrEqual(0);
    expect(k.call(t, SYS_inotify_init1, 0)).toBe(-EMFILE);
    k.call(t, SYS_close, fds[0]!);
    const { limit } = t.fds;
    t.fds.limit = fds[0]!;
    expect(k.call(t, SYS_inotify_init1, 0)).toBe(-EMFILE);
    t.fds.limit = limit;
    expect([k.call(t, SYS_inotify_init1, 0), k.call(t, SYS_inotify_init1, 0)]).toEqual([fds[0], -EMFILE]);
  });

  it('refuses what the man pages refuse', () => {
    const fd = k.call(t, SYS_inotify_init1, 0);
    const f = file('/f', '');
    expect([
      k.call(t, SYS_inotify_init1, 1),
      watch(fd, '/', 0),
      watch(fd, '/', IN_MASK_ADD | IN_MASK_CREATE | IN_OPEN),
      watch(99, '/', IN_OPEN),
      watch(f, '/', IN_OPEN),
      watch(fd, '/nothing', IN_OPEN),
      watch(fd, '/f', IN_OPEN | IN_ONLYDIR),
      k.call(t, SYS_inotify_add_watch, fd, BAD_ADDR, IN_OPEN),
      k.call(t, SYS_inotify_rm_watch, f, 1),
    ]).toEqual([-EINVAL, -EINVAL, -EINVAL, -EBADF, -EINVAL, -ENOENT, -ENOTDIR, -EFAULT, -EINVAL]);
  });
});
