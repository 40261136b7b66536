import { EAGAIN, EOPNOTSUPP, O_DIRECT, O_RDONLY, O_RDWR, POLLIN, RWF_NOWAIT } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import * as host from '@tsv/host';
import { MemoryIo, VirtualFileSystem, type Caller, type OpenFile } from '@tsv/vfs';
import { WaitEntry, type WaitQueue } from '@tsv/waiter';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COLD_READ_BYTES_MAX, READ_AHEAD_BYTES } from './host-cold-read.js';
import { HostFileSystem } from './host-file-system.js';
import { POOL_WORK_MAX } from './host-pool-work.js';

/** What the host says of reads that must not wait: the count of bytes that are in the page cache. */
let cachedBytes: (offset: number) => number = () => Infinity;

/** Reads of the pool: where, and how much the host is asked to read behind. */
let aheadOf: [offset: number, bytes: number][] = [];

jest.mock('@tsv/host', () => {
  const real = jest.requireActual<typeof host>('@tsv/host');
  return {
    ...real,
    preadLater: (fd: number, len: number, offset: number, aheadBytes: number, alignment: number) => {
      aheadOf.push([offset, aheadBytes]);
      return real.preadLater(fd, len, offset, aheadBytes, alignment);
    },
    preadv2: (fd: number, buffer: Uint8Array, at: number, len: number, offset: number, flags: number): number => {
      const cached = (flags & RWF_NOWAIT) === 0 ? Infinity : cachedBytes(offset);
      return cached <= 0 ? cached : real.preadv2(fd, buffer, at, Math.min(len, cached), offset, 0);
    },
  };
});

let dir: string;
let vfs: VirtualFileSystem;
let caller: Caller;
let file: OpenFile;
const content = Uint8Array.from({ length: COLD_READ_BYTES_MAX + 5000 }, (_, i) => (i * 7) ^ (i >> 8));

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-cold-'));
  writeFileSync(join(dir, 'f'), content);
  vfs = new VirtualFileSystem({ clock: new VirtualClock() });
  const fs = HostFileSystem.open(dir, { dev: vfs.allocateDev(), isShared: false, setsOwner: false });
  if (typeof fs === 'number') throw new Error(`open failed: ${fs}`);
  const root = vfs.rootOf(vfs.createNamespace(fs));
  const refuse = (): number => -14;
  caller = {
    creds: { fsuid: 0, fsgid: 0, inGroup: () => true, hasCap: () => true },
    umask: 0,
    root,
    cwd: root,
    memory: { copyIn: refuse, copyOut: refuse },
  };
  file = open(O_RDONLY);
});
afterEach(() => {
  cachedBytes = () => Infinity;
  file.decRef();
  caller.root.decRef();
  caller.root.mount.namespace?.decRef();
  rmSync(dir, { recursive: true, force: true });
});

function open(flags: number): OpenFile {
  const opened = vfs.open(caller, '/f', flags, 0);
  if (typeof opened === 'number') throw new Error(`open /f: ${opened}`);
  return opened;
}

const descriptors = (): number => readdirSync('/proc/self/fd').length;

class Woken extends WaitEntry {
  readonly #done: () => void;
  constructor(done: () => void) {
    super();
    this.#done = done;
  }
  notified(): void {
    this.leave();
    this.#done();
  }
}

function waitFor({ waiters }: { readonly waiters: WaitQueue }): Promise<void> {
  return new Promise((resolve) => {
    waiters.add(new Woken(resolve), POLLIN);
  });
}

/** Reads as a task does, and counts the waits. */
async function readWaiting(bytes: Uint8Array, offset: number): Promise<[moved: number, waits: number]> {
  const io = new MemoryIo(bytes);
  io.canWait = true;
  let [moved, waits] = [0, 0];
  for (;;) {
    const n = file.readAt(io, offset + moved, caller);
    if (n > 0) moved += n;
    const { pendingRead } = io;
    if (pendingRead === null) return [moved > 0 ? moved : n, waits];
    waits++;
    await waitFor(pendingRead);
  }
}

const isSame = (bytes: Uint8Array, offset: number): boolean =>
  Buffer.compare(bytes, content.subarray(offset, offset + bytes.length)) === 0;

describe('HostRegularFile.readAt, for who can wait', () => {
  it.each`
    what                        | cached                                               | waits
    ${'all cached'}             | ${() => Infinity}                                    | ${0}
    ${'nothing cached'}         | ${() => -EAGAIN}                                     | ${2}
    ${'the beginning cached'}   | ${(at: number) => (at < 4096 ? 4096 - at : -EAGAIN)} | ${2}
    ${'the end cached'}         | ${(at: number) => (at < 4096 ? -EAGAIN : Infinity)}  | ${1}
    ${'the host does not tell'} | ${() => -EOPNOTSUPP}                                 | ${0}
  `('reads everything: $what', async ({ cached, waits }: { cached: typeof cachedBytes; waits: number }) => {
    cachedBytes = cached;
    const bytes = new Uint8Array(content.length);
    expect(await readWaiting(bytes, 0)).toEqual([content.length, waits]);
    expect(isSame(bytes, 0)).toBe(true);
  });

  it('reads to the end of the file and no further', async () => {
    cachedBytes = () => -EAGAIN;
    const bytes = new Uint8Array(100);
    expect(await readWaiting(bytes, content.length - 60)).toEqual([60, 1]);
    expect(await readWaiting(bytes, content.length)).toEqual([0, 1]);
  });

  it('has the host read ahead of reads that go on where the last one ended, and of no others', async () => {
    cachedBytes = () => -EAGAIN;
    aheadOf = [];
    const bytes = new Uint8Array(1000);
    for (const offset of [3000, 4000, 5000, 500]) await readWaiting(bytes, offset);
    expect(aheadOf).toEqual([
      [3000, 0],
      [4000, READ_AHEAD_BYTES],
      [5000, READ_AHEAD_BYTES],
      [500, 0],
    ]);
  });

  it('does not take what was read elsewhere', async () => {
    cachedBytes = () => -EAGAIN;
    const bytes = new Uint8Array(10);
    const io = new MemoryIo(bytes);
    io.canWait = true;
    expect(file.readAt(io, 0, caller)).toBe(-EAGAIN);
    const first = io.pendingRead!;
    await waitFor(first);
    expect(file.readAt(io, 500, caller)).toBe(-EAGAIN);
    expect(io.pendingRead).not.toBe(first);
    expect(await readWaiting(bytes, 500)).toEqual([10, 1]);
    expect(isSame(bytes, 500)).toBe(true);
  });

  it('reads at once when POOL_WORK_MAX others wait', async () => {
    cachedBytes = () => -EAGAIN;
    const others = Array.from({ length: POOL_WORK_MAX }, (_, i) => readWaiting(new Uint8Array(10), 10 * i));
    const bytes = new Uint8Array(10);
    expect([await readWaiting(bytes, 20), isSame(bytes, 20)]).toEqual([[10, 0], true]);
    expect(await Promise.all(others)).toEqual(others.map(() => [10, 1]));
    expect(await readWaiting(bytes, 30)).toEqual([10, 1]);
  });

  it('has who cannot wait get everything at once', () => {
    cachedBytes = () => -EAGAIN;
    const bytes = new Uint8Array(content.length);
    expect(file.readAt(new MemoryIo(bytes), 0, caller)).toBe(content.length);
    expect(isSame(bytes, 0)).toBe(true);
  });
});

/** Whether the filesystem of the tests can be read past the page cache. */
function canReadDirect(): boolean {
  const scratch = mkdtempSync(join(tmpdir(), 'tsv-direct-'));
  try {
    writeFileSync(join(scratch, 'f'), 'x');
    closeSync(openSync(join(scratch, 'f'), O_RDONLY | O_DIRECT));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return false;
    throw error;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

(canReadDirect() ? describe : describe.skip)(
  'HostRegularFile.readAt with O_DIRECT, on a filesystem that has it',
  () => {
    beforeEach(() => {
      file.decRef();
      file = open(O_RDONLY | O_DIRECT);
    });

    it.each`
      offset                        | bytes                  | waits
      ${0}                          | ${8192}                | ${1}
      ${4096}                       | ${COLD_READ_BYTES_MAX} | ${1}
      ${COLD_READ_BYTES_MAX + 4096} | ${904}                 | ${1}
      ${2 * COLD_READ_BYTES_MAX}    | ${0}                   | ${1}
    `('has a thread read $bytes at $offset', async (row: { offset: number; bytes: number; waits: number }) => {
      const bytes = new Uint8Array(Math.max(4096, row.bytes - (row.bytes % 4096)));
      expect(await readWaiting(bytes, row.offset)).toEqual([row.bytes, row.waits]);
      expect(isSame(bytes.subarray(0, row.bytes), row.offset)).toBe(true);
    });
  },
);

describe('HostFileSystem.beginSync', () => {
  it('goes on while the caller waits, and says how it ended', async () => {
    const before = descriptors();
    const pending = caller.root.mount.fs.beginSync!();
    if (typeof pending === 'number') throw new Error(`beginSync: ${pending}`);
    expect([pending.result, descriptors()]).toEqual([null, before + 1]);
    await waitFor(pending);
    expect([pending.result, descriptors()]).toEqual([0, before]);
  });
});

describe('HostRegularFile.beginSync', () => {
  it('goes on while the caller waits, and says how it ended', async () => {
    const pending = file.beginSync(true, caller);
    if (typeof pending === 'number') throw new Error(`beginSync: ${pending}`);
    expect(pending.result).toBe(null);
    await waitFor(pending);
    expect(pending.result).toBe(0);
  });
});

describe('a file that the pool works on', () => {
  it.each([
    ['for reading', O_RDONLY],
    ['for reading and writing', O_RDWR],
  ])('stays open afterwards, opened %s', async (_, flags) => {
    cachedBytes = () => -EAGAIN;
    const before = descriptors();
    file.decRef();
    file = open(flags);
    for (let i = 0; i < 2; i++) {
      const bytes = new Uint8Array(10);
      expect([await readWaiting(bytes, 40), isSame(bytes, 40)]).toEqual([[10, 1], true]);
      const pending = file.beginSync(false, caller);
      if (typeof pending === 'number') throw new Error(`beginSync: ${pending}`);
      await waitFor(pending);
      expect(pending.result).toBe(0);
    }
    file.decRef();
    file = open(O_RDONLY);
    expect(descriptors()).toBe(before);
  });

  it('is closed when the work is done, if nobody has it open any more', async () => {
    const reader = file;
    file = open(O_RDWR);
    const before = descriptors();
    const pending = file.beginSync(false, caller);
    if (typeof pending === 'number') throw new Error(`beginSync: ${pending}`);
    file.decRef();
    file = reader;
    expect(descriptors()).toBe(before);
    await waitFor(pending);
    expect([pending.result, descriptors()]).toEqual([0, before - 1]);
  });
});
