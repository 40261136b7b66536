import { EAGAIN, EINVAL, POLLERR, POLLIN, POLLOUT } from '@tsv/abi';
import { MemoryIo } from '@tsv/vfs';
import { EventFile } from './event-file.js';
import { files, room } from './testing/fake-caller.js';

const MAX = 2n ** 64n - 1n;

function event(initial: number, isSemaphore = false): EventFile {
  return new EventFile(files.createInode('[eventfd]'), initial, isSemaphore, 0);
}

function write(file: EventFile, value: bigint): number {
  return file.write(new MemoryIo(new Uint8Array(new BigUint64Array([value]).buffer)));
}

function read(file: EventFile): bigint | number {
  const bytes = new Uint8Array(8);
  const n = file.read(new MemoryIo(bytes));
  return n < 0 ? n : new DataView(bytes.buffer).getBigUint64(0, true);
}

describe('EventFile, eventfd(2)', () => {
  it('reads the sum and is 0 then', () => {
    const file = event(3);
    expect(write(file, 4n)).toBe(8);
    expect([read(file), read(file)]).toEqual([7n, -EAGAIN]);
  });

  it('as a semaphore reads one at a time', () => {
    const file = event(2, true);
    expect([read(file), read(file), read(file)]).toEqual([1n, 1n, -EAGAIN]);
  });

  it('counts to 2^64 - 2 and no further', () => {
    const file = event(0);
    expect([write(file, MAX - 1n), write(file, 1n), write(file, 0n)]).toEqual([8, -EAGAIN, 8]);
    expect(file.readiness() & (POLLIN | POLLOUT | POLLERR)).toBe(POLLIN);
    expect(read(file)).toBe(MAX - 1n);
  });

  it('carries and borrows across the halves', () => {
    const file = event(0xffff_ffff, true);
    write(file, 1n);
    expect([file.count, read(file), file.count]).toEqual([2 ** 32, 1n, 2 ** 32 - 1]);
  });

  it('refuses 2^64 - 1 and short buffers: EINVAL', () => {
    const file = event(1);
    expect([write(file, MAX), file.read(room(7)), file.write(room(7))]).toEqual([-EINVAL, -EINVAL, -EINVAL]);
  });
});
