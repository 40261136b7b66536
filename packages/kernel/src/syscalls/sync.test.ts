import {
  EBADF,
  EINVAL,
  EIO,
  ENOMEM,
  MAP_SHARED,
  MS_SYNC,
  O_RDWR,
  POLLIN,
  PROT_READ,
  SYS_fsync,
  SYS_getpid,
  SYS_mmap,
  SYS_msync,
  SYS_sync,
  SYS_sync_file_range,
  SYS_syncfs,
} from '@tsv/abi';
import type { FileSystem, PendingSync } from '@tsv/vfs';
import { WaitQueue } from '@tsv/waiter';
import type { Task } from '../task/task.js';
import { GuestFiles } from '../testing/guest-files.js';
import { BLOCKED } from './syscall.js';

/** What a device takes its time for. */
class SlowSync implements PendingSync {
  readonly waiters = new WaitQueue();
  result: number | null = null;

  finish(result: number): void {
    this.result = result;
    this.waiters.notify(POLLIN);
    g.kernel.pump();
  }
}

let g: GuestFiles;
let fs: FileSystem;
let syncs: SlowSync[];
let fd: number;
beforeEach(() => {
  g = new GuestFiles();
  fs = g.kernel.rootNamespace.root.fs;
  syncs = [];
  fs.beginSync = begin;
  g.create('/file', 'content');
  fd = g.open('/file', O_RDWR);
  g.task.fds.get(fd)!.beginSync = begin;
});

function begin(): SlowSync {
  const sync = new SlowSync();
  syncs.push(sync);
  return sync;
}

/** The arguments of msync(2) for a shared mapping of the file. */
function mapping(): number[] {
  return [g.call(SYS_mmap, 0, 4096, PROT_READ, MAP_SHARED, fd, 0), 4096, MS_SYNC];
}

describe('what waits for a device to write', () => {
  it.each`
    call                 | nr                     | args
    ${'sync'}            | ${SYS_sync}            | ${() => []}
    ${'syncfs'}          | ${SYS_syncfs}          | ${() => [fd]}
    ${'fsync'}           | ${SYS_fsync}           | ${() => [fd]}
    ${'sync_file_range'} | ${SYS_sync_file_range} | ${() => [fd, 0, 0, 0]}
    ${'msync'}           | ${SYS_msync}           | ${mapping}
  `('$call has others go on', ({ call, nr, args }: { call: string; nr: number; args: () => number[] }) => {
    const numbers = args();
    const other: Task = g.kernel.spawn();
    expect(g.call(nr, ...numbers)).toBe(BLOCKED);
    expect(g.kernel.call(other, SYS_getpid)).toBe(other.tid);
    expect(g.kernel.result(g.task)).toBe(BLOCKED);
    syncs[0]!.finish(-EIO);
    expect(g.kernel.result(g.task)).toBe(call === 'sync' ? 0 : -EIO);
    // The next one begins anew.
    expect(g.call(nr, ...numbers)).toBe(BLOCKED);
    syncs[1]!.finish(0);
    expect([g.kernel.result(g.task), syncs.length]).toEqual([0, 2]);
  });

  it('msync goes on behind what it has waited for, and tells of a hole', () => {
    const [addr] = mapping();
    const [second] = [g.call(SYS_mmap, addr! + 8192, 4096, PROT_READ, MAP_SHARED | 0x10, fd, 0)];
    expect(second).toBe(addr! + 8192);
    expect(g.call(SYS_msync, addr!, 3 * 4096, MS_SYNC)).toBe(BLOCKED);
    syncs[0]!.finish(0);
    expect(g.kernel.result(g.task)).toBe(BLOCKED);
    syncs[1]!.finish(0);
    expect([g.kernel.result(g.task), syncs.length]).toEqual([-ENOMEM, 2]);
  });

  it.each`
    call                 | nr                     | args               | expected
    ${'syncfs'}          | ${SYS_syncfs}          | ${[77]}            | ${-EBADF}
    ${'fsync'}           | ${SYS_fsync}           | ${[77]}            | ${-EBADF}
    ${'sync_file_range'} | ${SYS_sync_file_range} | ${[0, 0, 0, 8]}    | ${-EINVAL}
    ${'msync'}           | ${SYS_msync}           | ${[1, 1, MS_SYNC]} | ${-EINVAL}
  `('$call $args: $expected', ({ nr, args, expected }: { nr: number; args: number[]; expected: number }) => {
    expect(g.call(nr, ...args)).toBe(expected);
  });
});
