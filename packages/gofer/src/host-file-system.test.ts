import {
  EEXIST,
  EFBIG,
  SEEK_HOLE,
  SEEK_END,
  SEEK_DATA,
  ENXIO,
  EINVAL,
  ELOOP,
  ENOENT,
  ENOTEMPTY,
  O_APPEND,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_RDONLY,
  O_RDWR,
  O_TRUNC,
  O_WRONLY,
} from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { MemoryIo, VirtualFileSystem, type Caller, type OpenFile } from '@tsv/vfs';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostFileSystem } from './host-file-system.js';
import { IDLE_HANDLES_MAX } from './host-handle.js';

let dir: string;
let vfs: VirtualFileSystem;
let caller: Caller;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-gofer-'));
  mkdirSync(join(dir, 'root'));
  writeFileSync(join(dir, 'outside'), 'secret');
  mount(false);
});
afterEach(() => {
  caller.root.decRef();
  caller.root.mount.namespace?.decRef();
  rmSync(dir, { recursive: true, force: true });
});

function mount(isShared: boolean): void {
  vfs = new VirtualFileSystem({ clock: new VirtualClock() });
  const fs = HostFileSystem.open(join(dir, 'root'), { dev: vfs.allocateDev(), isShared, setsOwner: false });
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
}

function open(path: string, flags = O_RDONLY, mode = 0o644): OpenFile {
  const file = vfs.open(caller, path, flags, mode);
  if (typeof file === 'number') throw new Error(`open ${path}: ${file}`);
  return file;
}

function readAll(path: string): string {
  const file = open(path);
  const bytes = new Uint8Array(4096);
  const n = file.read(new MemoryIo(bytes), caller);
  file.decRef();
  return String.fromCharCode(...bytes.subarray(0, Math.max(0, n)));
}

function write(file: OpenFile, text: string): number {
  return file.write(new MemoryIo(Uint8Array.from(text, (c) => c.charCodeAt(0))), caller);
}

/** Descriptors that this process has of the file with number `ino`. */
function openCount(ino: number): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return statSync(`/proc/self/fd/${fd}`).ino === ino;
    } catch {
      return false; // The descriptor of the listing itself is closed again.
    }
  }).length;
}

const inoOf = (name: string): number => statSync(host(name)).ino;
const host = (name: string): string => join(dir, 'root', name);

describe('HostFileSystem', () => {
  it('reads files of the host', () => {
    mkdirSync(host('a/b'), { recursive: true });
    writeFileSync(host('a/b/file'), 'content');
    expect(readAll('/a/b/file')).toBe('content');
  });

  it.each([
    ['a link with an absolute target', '/outside'],
    ['a link that goes up', '../outside'],
    ['a link that goes up often', '../../../../../../../../etc/passwd'],
  ])('does not let %s lead out of the root', (_, target) => {
    symlinkSync(target, host('link'));
    expect(vfs.open(caller, '/link', O_RDONLY)).toBe(-ENOENT);
  });

  it('takes a directory that became a link for what it is', () => {
    mkdirSync(host('d'));
    writeFileSync(host('d/outside'), 'inside');
    expect(readAll('/d/outside')).toBe('inside');
    mount(true);
    rmSync(host('d'), { recursive: true });
    symlinkSync('..', host('d'));
    expect(vfs.open(caller, '/d/outside', O_RDONLY)).toBe(-ENOENT);
  });

  it('reads what a link says once, unless others may change it', () => {
    for (const isShared of [true, false]) {
      writeFileSync(host('f'), 'f');
      symlinkSync('f', host('link'));
      mount(isShared);
      expect(readAll('/link')).toBe('f');
      rmSync(host('link'));
      symlinkSync('g', host('link'));
      expect(vfs.open(caller, '/link', O_RDONLY)).toEqual(isShared ? -ENOENT : expect.anything());
      rmSync(host('link'));
    }
  });

  it('creates, writes, appends and truncates', () => {
    const file = open('/new', O_CREAT | O_EXCL | O_RDWR, 0o640);
    expect(write(file, 'hello')).toBe(5);
    file.decRef();
    const more = open('/new', O_WRONLY | O_APPEND);
    expect(write(more, ' there')).toBe(6);
    more.decRef();
    expect([readFileSync(host('new'), 'utf8'), statSync(host('new')).mode & 0o777]).toEqual(['hello there', 0o640]);
    expect(vfs.open(caller, '/new', O_CREAT | O_EXCL | O_RDWR)).toBe(-EEXIST);
    open('/new', O_WRONLY | O_TRUNC).decRef();
    expect(readFileSync(host('new'), 'utf8')).toBe('');
  });

  it('makes and removes directories and links', () => {
    expect(vfs.mkdirAt(caller, caller.root, '/d', 0o755)).toBe(0);
    expect(vfs.symlinkAt(caller, 'd/target', caller.root, '/l')).toBe(0);
    expect(readlinkSync(host('l'))).toBe('d/target');
    expect(vfs.open(caller, '/l', O_RDONLY | O_NOFOLLOW)).toBe(-ELOOP);
    writeFileSync(host('d/x'), '');
    expect(vfs.rmdirAt(caller, caller.root, '/d')).toBe(-ENOTEMPTY);
    expect(vfs.unlinkAt(caller, caller.root, '/d/x')).toBe(0);
    expect(vfs.rmdirAt(caller, caller.root, '/d')).toBe(0);
    expect(vfs.unlinkAt(caller, caller.root, '/l')).toBe(0);
    expect(readdirSync(dir + '/root')).toEqual([]);
  });

  it('renames over a file that is open', () => {
    writeFileSync(host('old'), 'old');
    writeFileSync(host('new'), 'new');
    const file = open('/old');
    expect(vfs.renameAt(caller, caller.root, '/new', caller.root, '/old')).toBe(0);
    const bytes = new Uint8Array(8);
    expect(file.read(new MemoryIo(bytes), caller)).toBe(3);
    expect(String.fromCharCode(...bytes.subarray(0, 3))).toBe('old');
    file.decRef();
    expect([readAll('/old'), existsSync(host('new'))]).toEqual(['new', false]);
  });

  it('has nothing at offsets that are not exact, and takes nothing there', () => {
    writeFileSync(host('short'), 'x');
    const file = open('/short', O_RDWR);
    for (const offset of [2 ** 53, 19091808235552790, 2 ** 63]) {
      const results = [0, 1].map((isWrite) => {
        const io = new MemoryIo(new Uint8Array(8));
        return isWrite ? file.writeAt(io, offset, caller) : file.readAt(io, offset, caller);
      });
      expect(results).toEqual([0, -EFBIG]);
      expect([SEEK_END, SEEK_DATA, SEEK_HOLE].map((whence) => file.seek(offset + 2, whence, caller))).toEqual([
        -EINVAL,
        -ENXIO,
        -ENXIO,
      ]);
      file.advise(offset, 8, 4);
      expect(file.truncate(offset, caller)).toBe(-EFBIG);
    }
    file.decRef();
  });

  it('reads a file whose name was removed', () => {
    writeFileSync(host('gone'), 'still');
    const file = open('/gone', O_RDWR);
    expect(vfs.unlinkAt(caller, caller.root, '/gone')).toBe(0);
    const bytes = new Uint8Array(8);
    expect(file.read(new MemoryIo(bytes), caller)).toBe(5);
    file.inode.refresh();
    expect(file.inode.nlink).toBe(0);
    file.decRef();
  });

  it('lists a large directory in pieces, each name once', () => {
    const names = Array.from({ length: 3000 }, (_, i) => `file-${i}`);
    mkdirSync(host('many'));
    for (const name of names) writeFileSync(host(`many/${name}`), '');
    const file = open('/many');
    const seen: string[] = [];
    for (let full = true; full;) {
      let room = 100;
      full = false;
      file.readDirents(
        {
          add: (name) => {
            if (room-- === 0) {
              full = true;
              return false;
            }
            seen.push(name);
            return true;
          },
        },
        caller,
      );
    }
    file.decRef();
    expect(seen.sort()).toEqual(['.', '..', ...names].sort());
  });

  it('knows two names of one file as one inode', () => {
    writeFileSync(host('one'), '');
    linkSync(host('one'), host('two'));
    const [one, two] = [open('/one'), open('/two')];
    expect(one.inode).toBe(two.inode);
    one.decRef();
    two.decRef();
  });

  it('keeps names that are no UTF-8', () => {
    const name = Buffer.concat([Buffer.from(dir + '/root/'), Buffer.from([0xff, 0xfe])]);
    writeFileSync(name, 'bytes');
    expect(readAll('/\xff\xfe')).toBe('bytes');
  });

  it('sees what others change only when it is shared', () => {
    writeFileSync(host('f'), 'one');
    open('/f').decRef();
    unlinkSync(host('f'));
    mount(true);
    writeFileSync(host('f'), 'one');
    open('/f').decRef();
    unlinkSync(host('f'));
    expect(vfs.open(caller, '/f', O_RDONLY)).toBe(-ENOENT);
  });

  it('writes out what the host has not written yet', () => {
    const file = open('/f', O_CREAT | O_RDWR);
    write(file, 'x');
    file.decRef();
    expect(caller.root.mount.fs.sync()).toBe(0);
  });

  it('is a single file too, and not what is not there', () => {
    const options = { dev: 1, isShared: false, setsOwner: false };
    const single = HostFileSystem.open(join(dir, 'outside'), options);
    if (typeof single === 'number') throw new Error(`errno ${-single}`);
    expect([single.root.isDirectory, single.root.isRegular, single.sync()]).toEqual([false, true, 0]);
    single.destroy();
    expect(HostFileSystem.open(join(dir, 'nothing'), options)).toBe(-ENOENT);
  });

  it('opens a file that is or was open for reading without asking the host, unless others may change it', () => {
    writeFileSync(host('f'), 'text');
    const ino = inoOf('f');
    for (const [isShared, count] of [
      [true, 2],
      [false, 1],
    ] as const) {
      mount(isShared);
      const [a, b] = [open('/f'), open('/f')];
      expect(openCount(ino)).toBe(count);
      a.decRef();
      b.decRef();
      expect(openCount(ino)).toBe(isShared ? 0 : 1);
    }
  });

  it('has a descriptor of its own for each open file that may write', () => {
    writeFileSync(host('f'), 'text');
    const ino = inoOf('f');
    const files = [open('/f', O_RDWR), open('/f', O_RDWR), open('/f', O_RDONLY)];
    expect(openCount(ino)).toBe(3);
    for (const file of files) file.decRef();
    expect(readAll('/f')).toBe('text');
  });

  it('keeps descriptors of no more than IDLE_HANDLES_MAX files that nobody has open', () => {
    const names = Array.from({ length: IDLE_HANDLES_MAX + 1 }, (_, i) => `f${i}`);
    for (const name of names) writeFileSync(host(name), name);
    for (const name of names) expect(readAll(`/${name}`)).toBe(name);
    expect([openCount(inoOf('f0')), openCount(inoOf('f1'))]).toEqual([0, 1]);
    expect(readAll('/f0')).toBe('f0');
  });

  it.each`
    what              | remove
    ${'removed'}      | ${() => vfs.unlinkAt(caller, caller.root, '/f')}
    ${'renamed over'} | ${() => vfs.renameAt(caller, caller.root, '/g', caller.root, '/f', 0)}
  `('keeps no descriptor of a file that was $what', ({ remove }: { remove: () => number }) => {
    writeFileSync(host('f'), 'text');
    writeFileSync(host('g'), '');
    const ino = inoOf('f');
    expect(readAll('/f')).toBe('text');
    expect(openCount(ino)).toBe(1);
    expect(remove()).toBe(0);
    expect(openCount(ino)).toBe(0);
  });

  it('gives its descriptors back', () => {
    const before = readdirSync('/proc/self/fd').length;
    mount(false);
    mkdirSync(host('a/b/c'), { recursive: true });
    writeFileSync(host('a/b/c/f'), '');
    open('/a/b/c/f').decRef();
    const { namespace } = caller.root.mount;
    caller.root.decRef();
    namespace?.decRef();
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    mount(false);
  });
});
