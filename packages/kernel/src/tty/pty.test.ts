import {
  EAGAIN,
  EBUSY,
  EINVAL,
  EIO,
  ENOENT,
  ENOTTY,
  ENXIO,
  EPERM,
  FIONREAD,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDWR,
  POLLHUP,
  POLLIN,
  SIGHUP,
  SIGINT,
  SIGTTIN,
  SIGTTOU,
  SIGWINCH,
  SIG_IGN,
  SYS_close,
  SYS_ioctl,
  SYS_mkdir,
  SYS_mount,
  SYS_open,
  SYS_poll,
  SYS_read,
  SYS_write,
  TCFLSH,
  TCGETS,
  TCIFLUSH,
  TCSETS,
  TCSETSF,
  TIOCEXCL,
  TIOCGPGRP,
  TIOCGPTN,
  TIOCGPTPEER,
  TIOCGSID,
  TIOCGWINSZ,
  TIOCNOTTY,
  TIOCPKT,
  TIOCPKT_FLUSHREAD,
  TIOCSCTTY,
  TIOCSETD,
  TIOCSPGRP,
  TIOCSPTLCK,
  TIOCSTI,
  TIOCSWINSZ,
  TOSTOP,
  VMIN,
  VTIME,
} from '@tsv/abi';
import { Credentials } from '../cred/credentials.js';
import { BLOCKED } from '../syscalls/syscall.js';
import { ProcessGroup } from '../task/session.js';
import type { Task } from '../task/task.js';
import { BAD_ADDR, DATA_ADDR, TestKernel, byteString } from '../testing/test-kernel.js';

const PATH = DATA_ADDR;
const BUF = DATA_ADDR + 0x1000;
const ARG = DATA_ADDR + 0x400;

let k: TestKernel;
let init: Task;
beforeEach(() => {
  k = new TestKernel();
  init = k.spawn();
  k.call(init, SYS_mkdir, k.put(init, PATH, '/pts'), 0o755);
  k.put(init, BUF, 'devpts');
  k.put(init, BUF + 100, 'mode=620,ptmxmode=666');
  expect(k.call(init, SYS_mount, BUF, PATH, BUF, 0, BUF + 100)).toBe(0);
});

function open(t: Task, path: string, flags: number): number {
  return k.call(t, SYS_open, k.put(t, PATH, path), flags);
}

function ioctl(t: Task, fd: number, cmd: number, value: number): number {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setInt32(0, value, true);
  return k.call(t, SYS_ioctl, fd, cmd, k.put(t, ARG, bytes));
}

function int(t: Task): number {
  return k.peek(t, ARG, 4).getInt32(0, true);
}

function write(t: Task, fd: number, text: string): number {
  k.put(t, BUF, byteString(text));
  return k.call(t, SYS_write, fd, BUF, text.length);
}

function text(t: Task, n: number): string | number {
  if (n < 0) return n;
  const view = k.peek(t, BUF, n);
  return Array.from({ length: n }, (_, i) => String.fromCharCode(view.getUint8(i))).join('');
}

function read(t: Task, fd: number, len = 100): string | number {
  return text(t, k.call(t, SYS_read, fd, BUF, len));
}

/** A pty: the user's end in `init`, and the program's in a process that it is the controlling terminal of. */
function pty(slaveFlags = O_RDWR): { master: number; shell: Task; slave: number } {
  const master = open(init, '/pts/ptmx', O_RDWR | O_NONBLOCK | O_NOCTTY);
  expect(ioctl(init, master, TIOCSPTLCK, 0)).toBe(0);
  const shell = k.spawn();
  return { master, shell, slave: open(shell, '/pts/0', slaveFlags) };
}

/** Another process of the session of `shell`, in a group of its own, sharing its descriptors. */
function background(shell: Task): Task {
  const job = k.spawn();
  job.fds = shell.fds;
  shell.fds.incRef();
  job.threadGroup.processGroup.remove(job.threadGroup);
  new ProcessGroup(job.threadPid, shell.threadGroup.session).add(job.threadGroup);
  job.threadGroup.parent = shell.threadGroup;
  return job;
}

function ignore(t: Task, signo: number): void {
  t.threadGroup.signalActions.get(signo).handlerAddr = SIG_IGN;
}

function isPending(t: Task, signo: number): boolean {
  return t.threadGroup.pending.set.has(signo) || t.signals.pending.set.has(signo);
}

function block(t: Task, ...signals: number[]): void {
  t.signals.setBlocked(
    signals.reduce((low, signo) => low | (1 << (signo - 1)), 0),
    0,
  );
}

describe('a pty, pty(7)', () => {
  it('takes lines from the user to the program and back', () => {
    const { master, shell, slave } = pty();
    expect(k.call(shell, SYS_read, slave, BUF, 100)).toBe(BLOCKED);
    write(init, master, 'ls');
    expect(k.result(shell)).toBe(BLOCKED);
    write(init, master, '\r');
    expect(text(shell, k.result(shell))).toBe('ls\n');
    write(shell, slave, 'a b\n');
    expect([read(init, master), read(init, master)]).toEqual(['ls\r\na b\r\n', -EAGAIN]);
  });

  it('has a number, and a name while the user has it open', () => {
    const { master } = pty();
    expect([ioctl(init, master, TIOCGPTN, -1), int(init)]).toEqual([0, 0]);
    expect(open(init, '/pts/ptmx', O_RDWR)).toBeGreaterThan(0);
    k.call(init, SYS_close, master);
    expect([open(init, '/pts/0', O_RDWR), open(init, '/pts/1', O_RDWR)]).toEqual([-ENOENT, -EIO]);
  });

  it('is locked at first', () => {
    const master = open(init, '/pts/ptmx', O_RDWR | O_NOCTTY);
    expect(open(init, '/pts/0', O_RDWR)).toBe(-EIO);
    const peer = k.call(init, SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
    expect([peer > master, write(init, peer, 'x')]).toEqual([true, 1]);
  });

  it('hangs up for the user when the program is gone, and is back with the next', () => {
    const { master, shell, slave } = pty();
    write(shell, slave, 'bye');
    k.call(shell, SYS_close, slave);
    k.put(init, ARG, Uint8Array.of(master, 0, 0, 0, POLLIN, 0, 0, 0));
    expect([k.call(init, SYS_poll, ARG, 1, 0), k.peek(init, ARG, 8).getInt16(6, true) & POLLHUP]).toEqual([1, POLLHUP]);
    expect([read(init, master), read(init, master), write(init, master, 'x')]).toEqual(['bye', -EIO, -EIO]);
    open(shell, '/pts/0', O_RDWR);
    expect(read(init, master)).toBe(-EAGAIN);
  });

  it('hangs up for the program when the user is gone: SIGHUP, end of file, EIO', () => {
    const { master, shell, slave } = pty();
    block(shell, SIGHUP);
    k.call(shell, SYS_read, slave, BUF, 1);
    k.call(init, SYS_close, master);
    expect([k.result(shell), isPending(shell, SIGHUP)]).toEqual([0, true]);
    expect([write(shell, slave, 'x'), ioctl(shell, slave, TIOCGWINSZ, 0), ioctl(shell, slave, TIOCSPGRP, 1)]).toEqual([
      -EIO,
      -EIO,
      -ENOTTY,
    ]);
    expect(open(shell, '/tty', O_RDWR)).toBe(-ENOENT);
  });

  it('tells settings and takes others over', () => {
    const { shell, slave } = pty();
    expect(k.call(shell, SYS_ioctl, slave, TCGETS, ARG)).toBe(0);
    const view = k.peek(shell, ARG, 36);
    expect([
      view.getUint32(0, true),
      view.getUint32(4, true),
      view.getUint32(8, true),
      view.getUint32(12, true),
    ]).toEqual([0o2400, 0o5, 0o277, 0o105073]);
    expect([...new Uint8Array(view.buffer, 17, 17)]).toEqual([
      3, 28, 127, 21, 4, 0, 1, 0, 17, 19, 26, 0, 18, 15, 23, 22, 0,
    ]);
    expect([
      k.call(shell, SYS_ioctl, slave, TCSETS, BAD_ADDR),
      k.call(shell, SYS_ioctl, slave, 0x9999, 0),
      ioctl(shell, slave, TIOCSETD, 3),
      k.call(shell, SYS_ioctl, slave, TCFLSH, 9),
    ]).toEqual([-14, -ENOTTY, -EINVAL, -EINVAL]);
  });

  it('TCSETSF and TCFLSH drop what was typed', () => {
    const { master, shell, slave } = pty();
    write(init, master, 'one\n');
    ioctl(shell, slave, FIONREAD, 0);
    expect(int(shell)).toBe(4);
    k.call(shell, SYS_ioctl, slave, TCGETS, ARG + 16);
    k.call(shell, SYS_ioctl, slave, TCSETSF, ARG + 16);
    ioctl(shell, slave, FIONREAD, -1);
    expect(int(shell)).toBe(0);
    write(init, master, 'two\n');
    k.call(shell, SYS_ioctl, slave, TCFLSH, TCIFLUSH);
    ioctl(shell, slave, FIONREAD, -1);
    expect(int(shell)).toBe(0);
  });

  it('in raw mode VTIME ends a read', () => {
    const { master, shell, slave } = pty();
    k.call(shell, SYS_ioctl, slave, TCGETS, ARG);
    const bytes = new Uint8Array(k.peek(shell, ARG, 36).buffer);
    bytes.set([0, 0, 0, 0], 12);
    bytes[17 + VMIN] = 0;
    bytes[17 + VTIME] = 2;
    k.put(shell, ARG, bytes);
    k.call(shell, SYS_ioctl, slave, TCSETS, ARG);
    expect(k.call(shell, SYS_read, slave, BUF, 10)).toBe(BLOCKED);
    k.advance(200);
    expect(k.result(shell)).toBe(0);
    bytes[17 + VMIN] = 3;
    k.put(shell, ARG, bytes);
    k.call(shell, SYS_ioctl, slave, TCSETS, ARG);
    k.call(shell, SYS_read, slave, BUF, 10);
    k.advance(1000);
    expect(k.result(shell)).toBe(BLOCKED);
    write(init, master, 'a');
    k.advance(150);
    write(init, master, 'b');
    k.advance(150);
    expect(k.result(shell)).toBe(BLOCKED);
    k.advance(50);
    expect(text(shell, k.result(shell))).toBe('ab');
  });

  it('with TIOCPKT reads begin with what happened', () => {
    const { master, shell, slave } = pty();
    ioctl(init, master, TIOCPKT, 1);
    write(shell, slave, 'x');
    expect(read(init, master)).toBe('\0x');
    k.call(shell, SYS_ioctl, slave, TCFLSH, TCIFLUSH);
    expect([read(init, master), read(init, master)]).toEqual([String.fromCharCode(TIOCPKT_FLUSHREAD), -EAGAIN]);
  });

  it('holds output between ^S and ^Q', () => {
    const { master, shell, slave } = pty();
    write(init, master, '\x13');
    expect([write(shell, slave, 'held'), read(init, master)]).toEqual([BLOCKED, -EAGAIN]);
    write(init, master, '\x11');
    expect([k.result(shell), read(init, master)]).toEqual([4, 'held']);
  });

  it('makes a program wait that writes more than is read', () => {
    const { master, shell, slave } = pty();
    let sum = 0;
    let n = 0;
    do {
      n = k.call(shell, SYS_write, slave, DATA_ADDR, 0x8000);
      if (n > 0) sum += n;
    } while (n > 0);
    expect([n, sum]).toEqual([BLOCKED, 0x8000]);
    while (k.result(shell) === BLOCKED) expect(k.call(init, SYS_read, master, BUF, 0x1000)).toBe(0x1000);
    expect(k.result(shell)).toBe(0x8000);
  });
});

describe('job control, tty(4)', () => {
  it('the first terminal that a session leader opens is its own', () => {
    const { shell, slave } = pty();
    ioctl(shell, slave, TIOCGPGRP, 0);
    expect(int(shell)).toBe(shell.tid);
    ioctl(shell, slave, TIOCGSID, 0);
    expect(int(shell)).toBe(shell.tid);
    expect(shell.threadGroup.session.tty).not.toBeNull();
  });

  it('O_NOCTTY leaves it alone; TIOCSCTTY takes it, TIOCNOTTY gives it up', () => {
    const { shell, slave } = pty(O_RDWR | O_NOCTTY);
    expect([ioctl(shell, slave, TIOCGPGRP, 0), ioctl(shell, slave, TIOCNOTTY, 0)]).toEqual([-ENOTTY, -ENOTTY]);
    expect(k.call(shell, SYS_ioctl, slave, TIOCSCTTY, 0)).toBe(0);
    const thief = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    thief.fds = shell.fds;
    shell.fds.incRef();
    expect(k.call(thief, SYS_ioctl, slave, TIOCSCTTY, 1)).toBe(-EPERM);
    block(shell, SIGHUP);
    expect([k.call(shell, SYS_ioctl, slave, TIOCNOTTY, 0), isPending(shell, SIGHUP)]).toEqual([0, true]);
    expect(shell.threadGroup.session.tty).toBeNull();
  });

  it('^C goes to the foreground group, a new window size too', () => {
    const { master, shell, slave } = pty();
    const job = background(shell);
    block(shell, SIGINT);
    block(job, SIGINT, SIGWINCH);
    write(init, master, '\x03');
    expect([isPending(shell, SIGINT), isPending(job, SIGINT)]).toEqual([true, false]);
    expect(ioctl(shell, slave, TIOCSPGRP, job.tid)).toBe(0);
    write(init, master, '\x03');
    k.put(init, ARG, Uint8Array.of(24, 0, 80, 0, 0, 0, 0, 0));
    expect(k.call(init, SYS_ioctl, master, TIOCSWINSZ, ARG)).toBe(0);
    expect([isPending(job, SIGINT), isPending(job, SIGWINCH)]).toEqual([true, true]);
    k.call(shell, SYS_ioctl, slave, TIOCGWINSZ, ARG);
    expect([...new Uint8Array(k.peek(shell, ARG, 8).buffer)]).toEqual([24, 0, 80, 0, 0, 0, 0, 0]);
  });

  it('a background process that reads is stopped', () => {
    const { shell, slave } = pty();
    const job = background(shell);
    k.call(job, SYS_read, slave, BUF, 1);
    expect(job.threadGroup.stopSignal).toBe(SIGTTIN);
  });

  it('and gets EIO if it ignores SIGTTIN, or nobody could continue it', () => {
    const { shell, slave } = pty();
    const job = background(shell);
    ignore(job, SIGTTIN);
    expect(k.call(job, SYS_read, slave, BUF, 1)).toBe(-EIO);
    const orphan = background(shell);
    orphan.threadGroup.parent = null;
    expect(k.call(orphan, SYS_read, slave, BUF, 1)).toBe(-EIO);
  });

  it('a background process may write, unless TOSTOP; changes stop it', () => {
    const { shell, slave } = pty();
    const job = background(shell);
    expect(write(job, slave, 'x')).toBe(1);
    const { tty } = shell.threadGroup.session as unknown as { tty: { termios: { lflag: number } } };
    tty.termios.lflag |= TOSTOP;
    const writer = background(shell);
    write(writer, slave, 'x');
    expect(writer.threadGroup.stopSignal).toBe(SIGTTOU);
    k.call(job, SYS_ioctl, slave, TCGETS, ARG);
    k.call(job, SYS_ioctl, slave, TCSETS, ARG);
    expect(job.threadGroup.stopSignal).toBe(SIGTTOU);
    const calm = background(shell);
    block(calm, SIGTTOU);
    expect(ioctl(calm, slave, TIOCSPGRP, calm.tid)).toBe(0);
  });

  it('TIOCSPGRP refuses groups of other sessions and terminals of others', () => {
    const { master, shell, slave } = pty();
    expect([
      ioctl(shell, slave, TIOCSPGRP, init.tid),
      ioctl(shell, slave, TIOCSPGRP, 9999),
      ioctl(shell, slave, TIOCSPGRP, -5),
      ioctl(init, master, TIOCSPGRP, shell.tid),
    ]).toEqual([-EPERM, -3, -EINVAL, -ENOTTY]);
  });

  it('/dev/tty is the terminal of the session', () => {
    const { master, shell } = pty();
    k.call(init, 133, k.put(init, PATH, '/tty'), 0o020666, 5 << 8);
    const fd = open(shell, '/tty', O_RDWR);
    expect([write(shell, fd, 'hi'), read(init, master)]).toEqual([2, 'hi']);
    expect(open(init, '/tty', O_RDWR)).toBe(-ENXIO);
  });

  it('TIOCEXCL keeps others out, TIOCSTI is a privilege', () => {
    const { shell, slave } = pty();
    const user = k.spawn(Credentials.forUser(k.kernel.userNs, 1000, 1000));
    user.fds = shell.fds;
    shell.fds.incRef();
    k.call(shell, SYS_ioctl, slave, TIOCEXCL, 0);
    k.put(shell, ARG, byteString('\n'));
    expect([k.call(user, SYS_ioctl, slave, TIOCSTI, ARG), k.call(shell, SYS_ioctl, slave, TIOCSTI, ARG)]).toEqual([
      -EIO,
      0,
    ]);
    expect(read(shell, slave)).toBe('\n');
    const slaveInode = shell.fds.get(slave)!.inode;
    slaveInode.mode = 0o020666;
    expect(open(user, '/pts/0', O_RDWR)).toBe(-EBUSY);
  });
});
