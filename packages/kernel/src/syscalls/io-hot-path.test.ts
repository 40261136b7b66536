import {
  AF_UNIX,
  EPOLLIN,
  EPOLL_CTL_ADD,
  O_CREAT,
  O_RDWR,
  POLLOUT,
  SOCK_STREAM,
  SYS_epoll_create1,
  SYS_epoll_ctl,
  SYS_epoll_wait,
  SYS_eventfd2,
  SYS_lseek,
  SYS_open,
  SYS_pipe,
  SYS_poll,
  SYS_pread64,
  SYS_read,
  SYS_socketpair,
  SYS_write,
  SYS_writev,
} from '@tsv/abi';
import { REG_ORIG_RAX, REG_RDI, REG_RDX, REG_RSI } from '@tsv/platform';
import { bytesPerCall } from '../testing/bytes-per-call.js';
import { DATA_ADDR, TestKernel } from '../testing/test-kernel.js';

const FDS = DATA_ADDR + 0x100;
const ARG = DATA_ADDR + 0x200;
const BUF = DATA_ADDR + 0x1000;

type Call = readonly [nr: number, fd: number, addr: number, len: number];

/** Bytes that the calls that `prepare` returns allocate together, between the guest's stop and its resume. */
function bytesOf(prepare: (k: TestKernel, call: (nr: number, ...args: number[]) => number) => Call[]): number {
  const k = new TestKernel();
  const t = k.spawn();
  const calls = prepare(k, (nr, ...args) => k.call(t, nr, ...args));
  for (const [nr, ...args] of calls) expect(k.call(t, nr, ...args)).toBeGreaterThanOrEqual(0);
  const context = k.contextOf(t);
  const { page } = t;
  const { dispatcher } = k.kernel;
  return bytesPerCall(() => {
    for (let i = 0; i < calls.length; i++) {
      const call = calls[i]!;
      page.set(REG_ORIG_RAX, call[0]);
      page.set(REG_RDI, call[1]);
      page.set(REG_RSI, call[2]);
      page.set(REG_RDX, call[3]);
      context.isRunning = false;
      dispatcher.serve(t);
    }
  });
}

function ints(k: TestKernel, addr: number, ...values: number[]): number {
  const view = new DataView(new ArrayBuffer(4 * values.length));
  values.forEach((value, i) => view.setInt32(4 * i, value, true));
  return k.put(k.task(1), addr, new Uint8Array(view.buffer));
}

describe('the hot path of I/O, from the stop to the resume, allocates nothing in', () => {
  it('write and read of a pipe', () => {
    const bytes = bytesOf((_k, call) => {
      call(SYS_pipe, FDS);
      return [
        [SYS_write, 1, BUF, 64],
        [SYS_read, 0, BUF, 64],
      ];
    });
    expect(bytes).toBeLessThan(1);
  });

  it('write and read of an eventfd', () => {
    const bytes = bytesOf((k, call) => {
      call(SYS_eventfd2, 0, 0);
      ints(k, BUF, 1, 0);
      return [
        [SYS_write, 0, BUF, 8],
        [SYS_read, 0, BUF, 8],
      ];
    });
    expect(bytes).toBeLessThan(1);
  });

  it('write and read of a unix stream', () => {
    const bytes = bytesOf((_k, call) => {
      call(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, FDS);
      return [
        [SYS_write, 0, BUF, 64],
        [SYS_read, 1, BUF, 64],
      ];
    });
    expect(bytes).toBeLessThan(1);
  });

  it('write, lseek and read of a file', () => {
    const bytes = bytesOf((k, call) => {
      k.put(k.task(1), ARG, '/f');
      call(SYS_open, ARG, O_RDWR | O_CREAT, 0o600);
      return [
        [SYS_lseek, 0, 0, 0],
        [SYS_write, 0, BUF, 64],
        [SYS_lseek, 0, 0, 0],
        [SYS_read, 0, BUF, 64],
        [SYS_pread64, 0, BUF, 32],
      ];
    });
    expect(bytes).toBeLessThan(1);
  });

  it('writev to a pipe', () => {
    const bytes = bytesOf((k, call) => {
      call(SYS_pipe, FDS);
      ints(k, ARG, BUF, 0, 16, 0, BUF, 0, 16, 0);
      return [
        [SYS_writev, 1, ARG, 2],
        [SYS_read, 0, BUF, 64],
      ];
    });
    expect(bytes).toBeLessThan(1);
  });

  it('poll of what is ready', () => {
    const bytes = bytesOf((k, call) => {
      call(SYS_pipe, FDS);
      return [[SYS_poll, ints(k, ARG, 1, POLLOUT), 1, -1]];
    });
    expect(bytes).toBeLessThan(1);
  });

  it('epoll_wait of what is ready', () => {
    const bytes = bytesOf((k, call) => {
      call(SYS_eventfd2, 1, 0);
      const ep = call(SYS_epoll_create1, 0);
      call(SYS_epoll_ctl, ep, EPOLL_CTL_ADD, 0, ints(k, ARG, EPOLLIN, 7, 0));
      return [[SYS_epoll_wait, ep, BUF, 8]];
    });
    expect(bytes).toBeLessThan(1);
  });
});
