import { ESTALE, RLIMIT_NOFILE } from '@tsv/abi';
import { VirtualClock } from '@tsv/clock';
import { getrlimit, setrlimit } from '@tsv/host';
import { VirtualFileSystem, type Caller, type VfsPath } from '@tsv/vfs';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HostFileSystem } from './host-file-system.js';
import { pathDescriptors } from './path-descriptors.js';

const WIDE = pathDescriptors.max + 300;
const LEVELS = 60;

let dir: string;
let vfs: VirtualFileSystem;
let caller: Caller;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-gofer-'));
  for (let i = 0; i < WIDE; i++) {
    mkdirSync(join(dir, `wide/d${i}`), { recursive: true });
    writeFileSync(join(dir, `wide/d${i}/f`), `${i}`);
  }
  mkdirSync(join(dir, 'l/'.repeat(LEVELS)), { recursive: true });
  writeFileSync(join(dir, 'l/'.repeat(LEVELS), 'f'), 'inside');
  vfs = new VirtualFileSystem({ clock: new VirtualClock() });
  const opened = HostFileSystem.open(dir, { dev: vfs.allocateDev(), isShared: false, setsOwner: false });
  if (typeof opened === 'number') throw new Error(`open failed: ${opened}`);
  const root = vfs.rootOf(vfs.createNamespace(opened));
  const creds = { fsuid: 0, fsgid: 0, inGroup: () => true, hasCap: () => true };
  caller = { creds, umask: 0, root, cwd: root, memory: { copyIn: () => -14, copyOut: () => -14 } };
});
afterEach(() => {
  caller.root.decRef();
  caller.root.mount.namespace?.decRef();
  rmSync(dir, { recursive: true, force: true });
});

const at = (path: string): VfsPath => {
  const found = vfs.resolve(caller, caller.root, path);
  if (typeof found === 'number') throw new Error(`${path}: ${found}`);
  return found;
};
const exists = (path: string): boolean => {
  const found = vfs.resolve(caller, caller.root, path);
  if (typeof found !== 'number') found.decRef();
  return typeof found !== 'number';
};
const hostFdCount = (): number => readdirSync('/proc/self/fd').length;

/** Looks into every directory, so that no other keeps its descriptor. */
function walk(): void {
  for (let i = 0; i < WIDE; i++) if (!exists(`/wide/d${i}/f`)) throw new Error(`d${i}/f is gone`);
}

describe('PathDescriptors', () => {
  it('keeps a bounded number of them, whatever is walked', () => {
    const before = hostFdCount();
    walk();
    expect(pathDescriptors.count).toBe(pathDescriptors.max);
    expect(hostFdCount() - before).toBeLessThanOrEqual(pathDescriptors.max + 1);
  });

  it('opens a directory again, and none of those above for longer', () => {
    const innermost = at('/l'.repeat(LEVELS));
    walk();
    const before = hostFdCount();
    const file = vfs.openAt(caller, innermost, 'f', 0, 0);
    if (typeof file === 'number') throw new Error(`open: ${file}`);
    expect(hostFdCount() - before).toBeLessThanOrEqual(1);
    file.decRef();
    expect(vfs.mkdirAt(caller, innermost, 'made', 0o755)).toBe(0);
    expect(existsSync(join(dir, 'l/'.repeat(LEVELS), 'made'))).toBe(true);
    innermost.decRef();
  });

  it('finds a directory that was moved meanwhile', () => {
    const moved = at('/l/l');
    walk();
    expect(vfs.renameAt(caller, caller.root, '/l', caller.root, '/wide/d0/m')).toBe(0);
    walk();
    expect(vfs.mkdirAt(caller, moved, 'made', 0o755)).toBe(0);
    expect(existsSync(join(dir, 'wide/d0/m/l/made'))).toBe(true);
    moved.decRef();
  });

  it('is the only way to what was removed, and stays', () => {
    const file = at('/wide/d7/f');
    const directory = at('/wide/d7');
    expect(vfs.unlinkAt(caller, caller.root, '/wide/d7/f')).toBe(0);
    expect(vfs.rmdirAt(caller, caller.root, '/wide/d7')).toBe(0);
    expect(vfs.mkdirAt(caller, caller.root, '/wide/d7', 0o755)).toBe(0);
    const again = vfs.openAt(caller, caller.root, '/wide/d7/f', 0o101, 0o644);
    if (typeof again === 'number') throw new Error(`open: ${again}`);
    again.decRef();
    walk();
    file.inode.setAttributes({ mode: 0o600 }, caller);
    expect([file.inode.refresh(), file.inode.nlink, file.inode.mode & 0o777]).toEqual([0, 0, 0o600]);
    expect([directory.inode.refresh(), directory.inode.nlink]).toEqual([0, 0]);
    expect(readFileSync(join(dir, 'wide/d7/f'), 'utf8')).toBe('');
    file.decRef();
    directory.decRef();
  });

  it('is never that of another file by the name of one that could get none when it was removed', () => {
    const removed = at('/wide/d3/f');
    const limits = new Float64Array(2);
    getrlimit(RLIMIT_NOFILE, limits);
    setrlimit(RLIMIT_NOFILE, 0, limits[1]!);
    const result = vfs.unlinkAt(caller, caller.root, '/wide/d3/f');
    setrlimit(RLIMIT_NOFILE, limits[0]!, limits[1]!);
    expect(result).toBe(0);
    writeFileSync(join(dir, 'wide/d3/f'), 'another', { mode: 0o644 });
    expect(removed.inode.setAttributes({ mode: 0 }, caller)).toBeLessThan(0);
    expect(removed.inode.open(null, 0, caller)).toBe(-ESTALE);
    expect(statSync(join(dir, 'wide/d3/f')).mode & 0o777).toBe(0o644);
    removed.decRef();
  });

  it('is one of many again when a removed file has another name', () => {
    writeFileSync(join(dir, 'wide/d1/x'), '');
    const held = at('/wide/d1/x');
    expect(vfs.linkAt(caller, held, caller.root, '/wide/d2/g')).toBe(0);
    expect(vfs.unlinkAt(caller, caller.root, '/wide/d1/x')).toBe(0);
    vfs.dentries.prune(caller.root.dentry);
    const file = at('/wide/d2/g');
    expect(file.inode).toBe(held.inode);
    held.decRef();
    walk();
    expect([pathDescriptors.count, file.inode.refresh(), file.inode.nlink]).toEqual([pathDescriptors.max, 0, 1]);
    file.decRef();
  });
});
