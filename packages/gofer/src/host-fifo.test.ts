import { EAGAIN, EIOCBQUEUED, ENXIO, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY, POLLIN, S_IFIFO } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { mknodat } from '@tsv/host';
import { MemoryIo, VirtualFileSystem, type Caller, type OpenFile } from '@tsv/vfs';
import { WaitEntry, type WaitQueue } from '@tsv/waiter';
import { closeSync, constants, mkdtempSync, openSync, readSync, readdirSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostFdWatcher } from './host-fd-watcher.js';
import { HostFileSystem } from './host-file-system.js';

const AT_FDCWD = -100;

let dir: string;
let watcher: HostFdWatcher;
let caller: Caller;
let vfs: VirtualFileSystem;
/** What the last open has to wait for. */
let awaited: WaitQueue | null;
/** The end that the test holds, without waiting for the other one. */
let hostFd: number;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-fifo-'));
  expect(mknodat(AT_FDCWD, join(dir, 'fifo'), S_IFIFO | 0o600, 0, 0)).toBe(0);
  watcher = new HostFdWatcher();
  awaited = null;
  hostFd = -1;
  mount(watcher);
});
afterEach(() => {
  unmount();
  if (hostFd >= 0) closeSync(hostFd);
  watcher.close();
  rmSync(dir, { recursive: true, force: true });
});

function mount(fifoWatcher: HostFdWatcher | null): void {
  vfs = new VirtualFileSystem({ clock: new VirtualClock() });
  const fs = HostFileSystem.open(dir, { dev: vfs.allocateDev(), isShared: true, setsOwner: false, fifoWatcher });
  if (typeof fs === 'number') throw new Error(`open failed: ${fs}`);
  const root = vfs.rootOf(vfs.createNamespace(fs));
  const refuse = (): number => -14;
  caller = {
    creds: { fsuid: 0, fsgid: 0, inGroup: () => true, hasCap: () => true },
    umask: 0,
    root,
    cwd: root,
    memory: { copyIn: refuse, copyOut: refuse },
    comeAgain: (waiters) => {
      awaited = waiters;
      return -EIOCBQUEUED;
    },
  };
}

function unmount(): void {
  caller.root.decRef();
  caller.root.mount.namespace?.decRef();
}

function hostOpens(flags: number): void {
  hostFd = openSync(join(dir, 'fifo'), flags | constants.O_NONBLOCK);
}

function open(flags: number): OpenFile {
  const file = vfs.open(caller, '/fifo', flags);
  if (typeof file === 'number') throw new Error(`open: ${file}`);
  return file;
}

function text(file: OpenFile): string | number {
  const bytes = new Uint8Array(64);
  const n = file.read(new MemoryIo(bytes), caller);
  return n < 0 ? n : Buffer.from(bytes.subarray(0, n)).toString();
}

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

function told(waiters: WaitQueue | null): Promise<void> {
  return new Promise((resolve) => waiters!.add(new Woken(resolve), POLLIN));
}

describe('a FIFO of the host that guests may open', () => {
  it('gives what the host writes, and ends when the host does', async () => {
    const file = open(O_RDONLY);
    expect(text(file)).toBe(-EAGAIN);
    const ready = told(file.waiters);
    hostOpens(constants.O_WRONLY);
    writeSync(hostFd, 'from outside');
    await ready;
    expect(text(file)).toBe('from outside');
    closeSync(hostFd);
    hostFd = -1;
    expect(text(file)).toBe('');
    file.decRef();
  });

  it('has a writer wait for the host to read', async () => {
    expect(vfs.open(caller, '/fifo', O_WRONLY)).toBe(-EIOCBQUEUED);
    hostOpens(constants.O_RDONLY);
    await told(awaited);
    const file = open(O_WRONLY);
    expect(file.write(new MemoryIo(Buffer.from('from inside')), caller)).toBe(11);
    const bytes = Buffer.alloc(64);
    expect(bytes.toString('latin1', 0, readSync(hostFd, bytes))).toBe('from inside');
    file.decRef();
  });

  it('is refused to a writer who does not wait', () => {
    expect(vfs.open(caller, '/fifo', O_WRONLY | O_NONBLOCK)).toBe(-ENXIO);
  });

  it('closes its descriptors', () => {
    const before = readdirSync('/proc/self/fd').length;
    open(O_RDWR).decRef();
    open(O_RDONLY).decRef();
    expect(readdirSync('/proc/self/fd').length).toBe(before);
  });

  it('is the business of the kernel where they may not', () => {
    unmount();
    mount(null);
    const path = vfs.resolve(caller, caller.root, '/fifo');
    if (typeof path === 'number') throw new Error(`resolve: ${path}`);
    expect([path.inode.isSpecial, path.inode.opensSpecial]).toEqual([true, false]);
    path.decRef();
  });
});
