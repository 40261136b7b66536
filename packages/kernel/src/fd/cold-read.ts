import { POLLIN } from '@tsv/abi';
import { IN_ACCESS, notifyFile, type OpenFile, type PendingRead } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import { BLOCKED } from '../syscalls/syscall.js';
import type { Task } from '../task/task.js';

/**
 * Where a read goes on when a device has given what it waits for. A read at the file offset moves that offset at once by
 * all that it expects to get: others who read the same open file go on behind it, as if it had been faster.
 */
export interface ColdRead {
  pending: PendingRead;
  /** Offset in the file of the next byte. */
  offset: number;
  /** What the file offset was set to; -1 where it is not used, pread(2). */
  readonly reservedEnd: number;
}

/**
 * A read at the file offset, which has moved by `n` bytes if that is no error, found that `t.io` waits for a device.
 * Returns what the handler must return.
 */
export function waitForRead(t: Task, file: OpenFile, n: number): number {
  const offset = file.pos;
  const expected = Math.min(t.io.remaining, file.inode.sizeBytes - offset);
  if (expected > 0) file.pos += expected;
  return wait(t, file, { pending: t.io.pendingRead!, offset, reservedEnd: file.pos }, n);
}

/** As {@link waitForRead}, of a read at `offset` that has moved `n` bytes. */
export function waitForReadAt(t: Task, file: OpenFile, offset: number, n: number): number {
  return wait(t, file, { pending: t.io.pendingRead!, offset: offset + Math.max(n, 0), reservedEnd: -1 }, n);
}

/** Goes on with `cold`; `t.io` stands behind what earlier tries have moved. Returns what the handler must return. */
export function continueRead(t: Task, file: OpenFile, cold: ColdRead): number {
  const n = tryAgain(t, file, cold);
  const { pendingRead } = t.io;
  if (pendingRead === null) return end(t, file, cold, n);
  cold.pending = pendingRead;
  return wait(t, file, cold, n);
}

function tryAgain(t: Task, file: OpenFile, cold: ColdRead): number {
  t.io.pendingRead = cold.pending;
  const n = file.readAt(t.io, cold.offset, t);
  if (n > 0) cold.offset += n;
  return n;
}

/** Waits until a device is done, which `waiters` are told: only the end of the process ends that. Returns what the handler must. */
export function waitForDevice(t: Task, waiters: WaitQueue): number {
  t.wait.on(waiters, POLLIN);
  return t.blockKillable();
}

function wait(t: Task, file: OpenFile, cold: ColdRead, n: number): number {
  const status = waitForDevice(t, cold.pending.waiters);
  if (status !== BLOCKED) return end(t, file, cold, n > 0 ? n : status);
  count(t, file, n);
  t.restart.holdFile(file);
  t.restart.coldRead = cold;
  return BLOCKED;
}

/** The last try has moved `n` bytes or failed. */
function end(t: Task, file: OpenFile, cold: ColdRead, n: number): number {
  count(t, file, n);
  // There was less than expected; whoever has moved the offset since knows nothing of this read.
  if (cold.reservedEnd >= 0 && file.pos === cold.reservedEnd) file.pos = cold.offset;
  return t.restart.moved > 0 ? t.restart.moved : n;
}

function count(t: Task, file: OpenFile, n: number): void {
  if (n <= 0) return;
  t.restart.moved += n;
  notifyFile(file, IN_ACCESS);
}
