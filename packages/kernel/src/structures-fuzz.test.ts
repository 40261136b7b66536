import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_PACKET,
  AF_UNIX,
  NLM_F_ACK,
  NLM_F_REQUEST,
  O_CREAT,
  O_TRUNC,
  O_WRONLY,
  SA_RESTORER,
  SA_SIGINFO,
  SIGKILL,
  SIGSEGV,
  SIGUSR1,
  SIZEOF_NLMSGHDR,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SYS_bind,
  SYS_clone3,
  SYS_close,
  SYS_connect,
  SYS_execve,
  SYS_exit_group,
  SYS_fork,
  SYS_getsockopt,
  SYS_openat2,
  SYS_recvfrom,
  SYS_recvmsg,
  SYS_rt_sigreturn,
  SYS_sched_setattr,
  SYS_seccomp,
  SYS_sendmsg,
  SYS_sendto,
  SYS_set_robust_list,
  SYS_setsockopt,
  SYS_socket,
  SYS_socketpair,
} from '@tsv/abi';
import { REG_RSP } from '@tsv/platform';
import { MemoryIo } from '@tsv/vfs';
import { sendSignal } from './signal/send-signal.js';
import { kernelSignal } from './signal/sig-info.js';
import type { Task } from './task/task.js';
import { randomOf } from './testing/random.js';
import { CODE_ADDR, DATA_ADDR, TestKernel, byteString } from './testing/test-kernel.js';
import { tinyElf } from './testing/tiny-elf.js';

const SEEDS = [1, 2];
const MSG_DONTWAIT = 0x40;
const IPPROTO_IP = 0;
const RESULT_ADDR = DATA_ADDR + 0x8000;
const EDGES = [0, 1, 3, 4, 7, 8, 16, 255, 0x1000, 0x7fff, 0xffff, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

/** A guest whose structures are well-formed but for some bytes. */
class Guest {
  readonly k = new TestKernel();
  readonly random: () => number;

  constructor(seed: number) {
    this.random = randomOf(seed);
    this.k.spawn();
  }

  below(bound: number): number {
    return Math.floor(this.random() * bound);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  bytes(len: number): Uint8Array {
    return Uint8Array.from({ length: len }, () => (this.random() < 0.5 ? 0 : this.below(256)));
  }

  /** A copy in which some bytes, or words of two, four or eight bytes, are others. */
  spoil(content: Uint8Array): Uint8Array {
    const copy = content.slice();
    const view = new DataView(copy.buffer);
    for (let count = this.below(4); count >= 0; count--) {
      const at = this.below(Math.max(1, copy.length - 8));
      const edge = this.pick(EDGES);
      const kind = this.below(5);
      if (kind === 0) copy[at] = this.below(256);
      else if (at + 8 > copy.length) continue;
      else if (kind === 1) view.setUint16(at & ~1, edge, true);
      else view.setUint32(at & ~3, edge, true);
      if (kind === 4) view.setUint32((at & ~7) + 4, this.pick(EDGES), true);
    }
    return this.random() < 0.1 ? copy.slice(0, this.below(copy.length)) : copy;
  }

  /** What a process of its own does; it is ended, with its children. */
  once(body: (task: Task) => void): void {
    const task = this.k.spawn();
    body(task);
    if (task.isInGuest) this.k.call(task, SYS_exit_group, 0);
    for (const group of [...this.k.kernel.tasks.threadGroups()]) {
      if (group.pid !== 1) sendSignal(group, kernelSignal(SIGKILL));
    }
    this.k.pump();
  }

  expectNothingLeft(): void {
    for (const group of [...this.k.kernel.tasks.threadGroups()]) sendSignal(group, kernelSignal(SIGKILL));
    this.k.pump();
    this.k.pump();
    const { kernel, platform } = this.k;
    expect([kernel.tasks.taskCount, platform.contextCount, platform.addressSpaceCount]).toEqual([0, 0, 0]);
  }
}

describe('structures that are spoiled', () => {
  it.each(SEEDS)('as programs that are executed, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    for (let i = 0; i < 300; i++) {
      const script = byteString(`#!${guest.pick(['/prog', ' /prog  x', '', ' ', '/', '/prog\t', 'x'.repeat(300)])}\n`);
      const program = guest.random() < 0.2 ? script : guest.spoil(elfOfManyHeaders(guest));
      guest.once((task) => {
        const file = k.kernel.vfs.open(task, '/prog', O_CREAT | O_WRONLY | O_TRUNC, 0o755);
        if (typeof file === 'number') throw new Error(`open: ${file}`);
        file.write(new MemoryIo(program), task);
        file.decRef();
        k.call(task, SYS_execve, k.put(task, DATA_ADDR, '/prog'), 0, 0);
      });
    }
    guest.expectNothingLeft();
  });

  it.each(SEEDS)('as netlink messages, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    for (let i = 0; i < 40; i++) {
      guest.once((task) => {
        const fd = k.call(task, SYS_socket, AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK, guest.pick([0, 4, 9, 12, 15, 16]));
        if (fd < 0) return;
        for (let message = 0; message < 25; message++) {
          const bytes = netlinkMessage(guest);
          k.put(task, DATA_ADDR, bytes);
          k.call(task, SYS_sendto, fd, DATA_ADDR, bytes.length, MSG_DONTWAIT, 0, 0);
          for (let reply = 0; reply < 3; reply++) {
            k.call(task, SYS_recvfrom, fd, RESULT_ADDR, guest.pick([16, 4096]), MSG_DONTWAIT, 0, 0);
          }
        }
      });
    }
    guest.expectNothingLeft();
  });

  it.each(SEEDS)('as tables of iptables, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    guest.once((task) => {
      const fd = k.call(task, SYS_socket, AF_INET, SOCK_RAW, 255);
      for (let i = 0; i < 300; i++) {
        const table = guest.spoil(filterTable());
        k.put(task, DATA_ADDR, table);
        k.call(task, SYS_setsockopt, fd, IPPROTO_IP, guest.pick([64, 64, 64, 65]), DATA_ADDR, table.length);
        k.put(task, DATA_ADDR, guest.spoil(byteString('filter'.padEnd(84, '\0'))));
        k.put(task, RESULT_ADDR, Uint8Array.of(guest.below(256), guest.below(16), 0, 0));
        k.call(task, SYS_getsockopt, fd, IPPROTO_IP, guest.pick([64, 65, 66, 67]), DATA_ADDR, RESULT_ADDR);
      }
    });
    guest.expectNothingLeft();
  });

  it.each(SEEDS)('as options of sockets, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    for (let i = 0; i < 20; i++) {
      guest.once((task) => {
        const family = guest.pick([AF_UNIX, AF_INET, AF_INET6, AF_NETLINK, AF_PACKET]);
        const fd = k.call(task, SYS_socket, family, guest.pick([SOCK_STREAM, SOCK_DGRAM, SOCK_RAW]) | SOCK_NONBLOCK, 0);
        for (let option = 0; option < 60 && fd >= 0; option++) {
          const [level, name] = [guest.pick([0, 1, 1, 6, 17, 41, 58, 263, 270]), guest.below(90)];
          k.put(task, DATA_ADDR, guest.bytes(256));
          k.put(task, RESULT_ADDR, Uint8Array.of(guest.pick([0, 1, 4, 8, 16, 255]), 0, 0, guest.pick([0, 0, 128])));
          const len = guest.pick([0, 1, 3, 4, 8, 12, 16, 20, 128, 256, -1, 0x7fff_ffff]);
          k.call(task, SYS_setsockopt, fd, level, name, DATA_ADDR, len);
          k.call(task, SYS_getsockopt, fd, level, name, DATA_ADDR, RESULT_ADDR);
          k.put(task, DATA_ADDR, Uint8Array.of(family, 0, ...guest.bytes(126)));
          k.call(
            task,
            guest.pick([SYS_bind, SYS_connect]),
            fd,
            DATA_ADDR,
            guest.pick([0, 1, 2, 8, 16, 20, 28, 110, 128]),
          );
        }
      });
    }
    guest.expectNothingLeft();
  });

  it.each(SEEDS)('as ancillary data, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    for (let i = 0; i < 150; i++) {
      guest.once((task) => {
        k.call(task, SYS_socketpair, AF_UNIX, guest.pick([SOCK_STREAM, SOCK_DGRAM]) | SOCK_NONBLOCK, 0, RESULT_ADDR);
        const [one, two] = new Int32Array(k.peek(task, RESULT_ADDR, 8).buffer);
        for (let message = 0; message < 4; message++) {
          putMessage(guest, task, [one!, two!]);
          k.call(task, SYS_sendmsg, one!, DATA_ADDR, guest.pick([0, MSG_DONTWAIT, 0x8000]));
        }
        if (guest.random() < 0.5) k.call(task, SYS_close, one!);
        putMessage(guest, task, [one!, two!]);
        k.call(task, SYS_recvmsg, two!, DATA_ADDR, guest.pick([0, 2, 0x20, 0x4000_0000]) | MSG_DONTWAIT);
      });
    }
    guest.expectNothingLeft();
  });

  it.each(SEEDS)('as filters of system calls, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    for (let i = 0; i < 300; i++) {
      guest.once((task) => {
        const count = 1 + guest.below(12);
        const codes = [
          0x20, 0x15, 0x25, 0x35, 0x45, 0x05, 0x06, 0x16, 0x04, 0x14, 0x24, 0x34, 0x54, 0x64, 0x60, 0x02, 0x03, 0x07,
        ];
        const code = new DataView(new ArrayBuffer(8 * (count + 1)));
        for (let at = 0; at <= 8 * count; at += 8) {
          code.setUint16(
            at,
            at === 8 * count ? 6 : guest.random() < 0.1 ? guest.below(65536) : guest.pick(codes),
            true,
          );
          code.setUint8(at + 2, guest.below(4));
          code.setUint8(at + 3, guest.below(4));
          code.setUint32(at + 4, guest.random() < 0.7 ? guest.below(17) * 4 : guest.pick(EDGES), true);
        }
        const program = new DataView(new ArrayBuffer(16));
        program.setUint16(0, count + 1, true);
        program.setUint32(8, DATA_ADDR + 0x100, true);
        k.put(task, DATA_ADDR, new Uint8Array(program.buffer));
        k.put(task, DATA_ADDR + 0x100, new Uint8Array(code.buffer));
        k.call(task, SYS_seccomp, 1, 0, DATA_ADDR);
      });
    }
    guest.expectNothingLeft();
  });

  it.each(SEEDS)('as structures whose size is told, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    for (let i = 0; i < 300; i++) {
      guest.once((task) => {
        const words = new Uint32Array(64);
        for (let word = guest.below(4); word > 0; word--) words[guest.below(26)] = guest.pick(EDGES);
        const size = guest.pick([0, 1, 24, 48, 56, 64, 80, 88, 128, 4096, 4097]);
        k.put(task, DATA_ADDR, new Uint8Array(words.buffer));
        k.put(task, DATA_ADDR + 0x400, '/');
        k.call(task, SYS_openat2, -100, DATA_ADDR + 0x400, DATA_ADDR, size);
        k.call(task, SYS_clone3, DATA_ADDR, size);
        if (!task.isInGuest) return;
        words[0] = size;
        k.put(task, DATA_ADDR, new Uint8Array(words.buffer));
        k.call(task, SYS_sched_setattr, 0, DATA_ADDR, 0);
      });
    }
    guest.expectNothingLeft();
  });

  it.each(SEEDS)('as frames that rt_sigreturn finds, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    for (let i = 0; i < 300; i++) {
      guest.once((task) => {
        const action = task.threadGroup.signalActions.get(SIGUSR1);
        action.handlerAddr = CODE_ADDR + 0x100;
        action.flags = (SA_SIGINFO | SA_RESTORER) >>> 0;
        action.restorerAddr = CODE_ADDR + 0x200;
        sendSignal(task.threadGroup, kernelSignal(SIGUSR1));
        k.pump();
        const sp = task.page.get(REG_RSP);
        const frame = new Uint8Array(k.peek(task, sp, 1200).buffer);
        k.put(task, sp, guest.spoil(frame));
        task.page.set(REG_RSP, sp + 8);
        k.call(task, SYS_rt_sigreturn);
        expect(task.hasExited ? task.threadGroup.exitStatus : SIGSEGV).toBe(SIGSEGV);
      });
    }
    guest.expectNothingLeft();
  });

  it.each(SEEDS)('as lists of robust futexes, seed %d', (seed) => {
    const guest = new Guest(seed);
    const { k } = guest;
    for (let i = 0; i < 150; i++) {
      guest.once((task) => {
        const words = new DataView(new ArrayBuffer(512));
        for (let at = 0; at < 512; at += 8) {
          words.setUint32(
            at,
            guest.random() < 0.8 ? DATA_ADDR + guest.below(64) * 8 + guest.below(2) : guest.pick(EDGES),
            true,
          );
          if (guest.random() < 0.1) words.setUint32(at + 4, guest.pick(EDGES), true);
        }
        k.put(task, DATA_ADDR, new Uint8Array(words.buffer));
        k.call(task, SYS_set_robust_list, DATA_ADDR + guest.below(8) * 8, 24);
        if (guest.random() < 0.3) k.call(task, SYS_fork);
      });
    }
    guest.expectNothingLeft();
  });
});

/** Program headers of each type behind that of {@link tinyElf}, in a page. */
function elfOfManyHeaders(guest: Guest): Uint8Array {
  const types = [1, 1, 2, 3, 4, 6, 7, 0x6474e551, 0x6474e553];
  const count = guest.below(4);
  const bytes = new Uint8Array(4096);
  const view = new DataView(bytes.buffer);
  bytes.set(tinyElf());
  view.setUint16(16, guest.pick([2, 3]), true);
  view.setUint16(56, 1 + count, true);
  for (let i = 1; i <= count; i++) {
    const at = 64 + 56 * i;
    view.setUint32(at, guest.pick(types), true);
    view.setUint32(at + 4, guest.below(8), true);
    view.setUint32(at + 8, guest.pick([0, 0x200, 0x1000]), true);
    view.setUint32(at + 16, 0x40_0000 + guest.pick([0, 1, 0x1000, 0x2000, 0x10_0000]), true);
    view.setUint32(at + 32, guest.pick([0, 1, 0x80, 0x1000]), true);
    view.setUint32(at + 40, guest.pick([0, 1, 0x80, 0x1000, 0x5000, 0x8000_0000]), true);
    view.setUint32(at + 48, guest.pick([0, 1, 3, 0x1000]), true);
  }
  return bytes;
}

function netlinkMessage(guest: Guest): Uint8Array {
  const bytes = guest.bytes(SIZEOF_NLMSGHDR + guest.pick([1, 8, 12, 16, 24, 72]) + guest.below(96));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint16(
    4,
    guest.pick([16, 17, 18, 19, 20, 21, 22, 24, 25, 26, 28, 30, 32, 34, 36, 37, 38, 42, guest.below(120)]),
    true,
  );
  view.setUint16(6, NLM_F_REQUEST | guest.pick([0, NLM_F_ACK, 0x300, 0x400, 0x600, guest.below(65536)]), true);
  bytes[SIZEOF_NLMSGHDR] = guest.pick([0, AF_INET, AF_INET6, AF_PACKET, 7]);
  for (let at = SIZEOF_NLMSGHDR + guest.pick([8, 12, 16]); at + 8 <= bytes.length; at += 4 + 4 * guest.below(6)) {
    view.setUint16(at, 4 + guest.below(24), true);
    view.setUint16(at + 2, guest.below(56) | guest.pick([0, 0, 0x8000]), true);
  }
  return guest.spoil(bytes);
}

/** What iptables(8) gives to the kernel for a table without rules: a policy for each of three hooks, and the end. */
function filterTable(): Uint8Array {
  const entryBytes = 112 + 40;
  const bytes = new Uint8Array(96 + 3 * entryBytes + 112 + 64);
  const view = new DataView(bytes.buffer);
  bytes.set(byteString('filter'));
  view.setUint32(32, 0b1110, true);
  view.setUint32(36, 4, true);
  view.setUint32(40, bytes.length - 96, true);
  for (let i = 0; i < 3; i++) {
    view.setUint32(44 + 4 * (i + 1), i * entryBytes, true);
    view.setUint32(64 + 4 * (i + 1), i * entryBytes, true);
    putEntry(view, 96 + i * entryBytes, 40);
    view.setInt32(96 + i * entryBytes + 112 + 32, -2, true);
  }
  view.setUint32(84, 4, true);
  view.setUint32(88, RESULT_ADDR, true);
  putEntry(view, 96 + 3 * entryBytes, 64);
  bytes.set(byteString('ERROR'), 96 + 3 * entryBytes + 114);
  return bytes;
}

function putEntry(view: DataView, at: number, targetBytes: number): void {
  view.setUint16(at + 88, 112, true);
  view.setUint16(at + 90, 112 + targetBytes, true);
  view.setUint16(at + 112, targetBytes, true);
}

/** A msghdr at DATA_ADDR, with what it points to behind it. */
function putMessage(guest: Guest, task: Task, fds: readonly number[]): void {
  const bytes = new Uint8Array(0x400);
  const view = new DataView(bytes.buffer);
  const pointer = (at: number, to: number, len: number): void => {
    view.setUint32(at, guest.random() < 0.95 ? DATA_ADDR + to : 1, true);
    view.setUint32(at + 8, guest.random() < 0.9 ? len : guest.pick(EDGES), true);
  };
  pointer(0, 0x100, 0);
  pointer(16, 0x180, 1);
  pointer(0x180, 0x300, 1 + guest.below(64));
  let at = 0x200;
  while (at < 0x2c0 && guest.random() < 0.7) {
    const count = guest.below(5);
    view.setUint32(at, guest.random() < 0.85 ? 16 + 4 * count : guest.pick(EDGES), true);
    view.setInt32(at + 8, guest.pick([1, 1, 1, 0, 41]), true);
    view.setInt32(at + 12, guest.pick([1, 1, 2, 3]), true);
    for (let i = 0; i < count; i++) view.setInt32(at + 16 + 4 * i, guest.pick([...fds, ...fds, 0, -1, 99]), true);
    at += 16 + 8 * Math.ceil(count / 2);
  }
  pointer(32, 0x200, at - 0x200);
  guest.k.put(task, DATA_ADDR, bytes);
}
