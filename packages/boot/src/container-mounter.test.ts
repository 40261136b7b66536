import * as abi from '@tsv/abi';
import type { Kernel } from '@tsv/kernel';
import { defaultConfig, type Spec } from '@tsv/oci';
import { createMemoryFile } from '@tsv/pgalloc';
import type { MemoryFile } from '@tsv/platform';
import { MemoryIo } from '@tsv/vfs';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RuntimeConfig } from './config.js';
import { ContainerMounter, type ContainerFiles } from './container-mounter.js';
import { createIdleKernel } from './testing/idle-kernel.js';

let dir: string;
let memoryFile: MemoryFile;
let kernel: Kernel;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'tsv-mounts-'));
  mkdirSync(join(dir, 'rootfs/etc'), { recursive: true });
  writeFileSync(join(dir, 'rootfs/etc/os-release'), 'made up');
  memoryFile = createMemoryFile();
  kernel = createIdleKernel(memoryFile);
});
afterEach(() => {
  memoryFile.close();
  rmSync(dir, { recursive: true, force: true });
});

/** The files of a container of the default configuration with some fields replaced. */
function setUp(change: Partial<Spec> & { overlay?: 'none' } = {}): ContainerFiles {
  const { overlay = 'root', linux, ...rest } = change;
  const base = defaultConfig();
  const spec: Spec = {
    ...base,
    root: { path: 'rootfs', readonly: false },
    ...rest,
    linux: { ...base.linux, ...linux },
  };
  const config = { overlay, overlayMedium: 'memory' } as RuntimeConfig;
  const place = { containerId: 'c', bundleDir: dir, donated: new Map<string, number>(), fifoWatcher: null };
  return new ContainerMounter(kernel, config, spec, place, kernel.ns).setUp();
}

function read({ caller, root }: ContainerFiles, path: string): string | number {
  const file = kernel.vfs.openAt(caller, root, path, abi.O_RDONLY, 0);
  if (typeof file === 'number') return file;
  const bytes = new Uint8Array(4096);
  const len = file.read(new MemoryIo(bytes, 0, bytes.length), caller);
  file.decRef();
  return len < 0 ? len : Buffer.from(bytes.subarray(0, len)).toString();
}

function write({ caller, root }: ContainerFiles, path: string, text: string): number {
  const file = kernel.vfs.openAt(caller, root, path, abi.O_WRONLY | abi.O_CREAT, 0o644);
  if (typeof file === 'number') return file;
  const bytes = new TextEncoder().encode(text);
  const len = file.write(new MemoryIo(bytes, 0, bytes.length), caller);
  file.decRef();
  return len;
}

describe('ContainerMounter, config.md "Mounts"', () => {
  it('"The runtime MUST mount entries in the listed order"', () => {
    const files = setUp({
      mounts: [
        { destination: '/a', type: 'tmpfs', source: 'first' },
        { destination: '/a/b', type: 'tmpfs', source: 'second' },
        { destination: '/a', type: 'tmpfs', source: 'third' },
      ],
    });
    expect(write(files, '/a/here', 'x')).toBe(1);
    expect(read(files, '/a/b/any')).toBe(-abi.ENOENT);
  });

  it('makes destinations, and writes nothing to the host through an overlay', () => {
    const files = setUp({ mounts: [{ destination: '/new/deep', type: 'tmpfs', source: 'x', options: ['mode=711'] }] });
    const at = kernel.vfs.resolve(files.caller, files.root, '/new/deep');
    expect(typeof at !== 'number' && at.inode.mode & 0o777).toBe(0o711);
    expect(write(files, '/etc/os-release', 'changed')).toBe(7);
    expect(readFileSync(join(dir, 'rootfs/etc/os-release'), 'utf8')).toBe('made up');
  });

  it('binds directories of the host, read-only where it says so', () => {
    mkdirSync(join(dir, 'data'));
    writeFileSync(join(dir, 'data/f'), 'text');
    const bind = (
      destination: string,
      options: string[],
    ): { destination: string; source: string; options: string[] } => ({
      destination,
      source: join(dir, 'data'),
      options: ['rbind', 'rprivate', ...options],
    });
    const files = setUp({ mounts: [bind('/ro', ['ro']), bind('/rro', ['rro']), bind('/rw', [])] });
    expect([read(files, '/ro/f'), write(files, '/ro/f', 'x'), write(files, '/rro/f', 'x')]).toEqual([
      'text',
      -abi.EROFS,
      -abi.EROFS,
    ]);
    expect(write(files, '/rw/g', 'new')).toBe(3);
    expect(readFileSync(join(dir, 'data/g'), 'utf8')).toBe('new');
  });

  it('shares a volume of the pod in memory, and writes nothing of it to the host', () => {
    mkdirSync(join(dir, 'volume'));
    const annotations = Object.fromEntries(
      Object.entries({ source: join(dir, 'volume'), type: 'tmpfs', share: 'pod', options: 'rw,mode=1777' }).map(
        ([field, value]) => [`dev.gvisor.spec.mount.v.${field}`, value],
      ),
    );
    const mount = { destination: '/v', type: 'bind', source: join(dir, 'volume'), options: ['rbind'] };
    const first = setUp({ annotations, mounts: [mount] });
    const second = setUp({ mounts: [{ ...mount, destination: '/w', options: ['bind', 'ro'] }] });
    expect(write(first, '/v/f', 'hello')).toBe(5);
    expect([read(second, '/w/f'), write(second, '/w/f', 'x')]).toEqual(['hello', -abi.EROFS]);
    expect(() => readFileSync(join(dir, 'volume/f'))).toThrow('ENOENT');
  });

  it.each`
    change                                                                         | message
    ${{ root: { path: 'absent' } }}                                                | ${'root.path'}
    ${{ root: { path: 'rootfs/etc/os-release' } }}                                 | ${'root.path'}
    ${{ mounts: [{ destination: '/x', type: 'nofs' }] }}                           | ${'mounts.0: there is no filesystem "nofs"'}
    ${{ mounts: [{ destination: '/x', type: 'bind', source: '/no/such/place' }] }} | ${'mounts.0.source "/no/such/place"'}
    ${{ mounts: [{ destination: '/x', options: ['bind', 'size=1'] }] }}            | ${'mounts.0.options'}
    ${{ linux: { sysctl: { 'no.such.parameter': '1' } } }}                         | ${'linux.sysctl "no.such.parameter"'}
  `('refuses $change', ({ change, message }: { change: Partial<Spec>; message: string }) => {
    expect(() => setUp(change)).toThrow(message);
  });
});

describe('ContainerMounter, config-linux.md', () => {
  it('"Default Devices" and "Devices"', () => {
    const devices = [
      { path: '/dev/fuse2', type: 'c' as const, major: 10, minor: 229, fileMode: 0o640, uid: 7, gid: 8 },
      { path: '/dev/disk', type: 'b' as const, major: 8, minor: 0 },
    ];
    const { caller, root } = setUp({ linux: { devices } });
    const inodeAt = (path: string): { mode: number; uid: number; gid: number; rdev: number } => {
      const at = kernel.vfs.resolve(caller, root, path);
      if (typeof at === 'number') throw new Error(`${path}: errno ${-at}`);
      return at.inode;
    };
    expect(inodeAt('/dev/null').mode).toBe(abi.S_IFCHR | 0o666);
    expect(inodeAt('/dev/fuse2')).toMatchObject({
      mode: abi.S_IFCHR | 0o640,
      uid: 7,
      gid: 8,
      rdev: abi.makedev(10, 229),
    });
    expect(inodeAt('/dev/disk').mode & abi.S_IFMT).toBe(abi.S_IFBLK);
  });

  it('"Default Devices" in a directory of the host, where no device can be made', () => {
    mkdirSync(join(dir, 'rootfs/dev'));
    writeFileSync(join(dir, 'rootfs/dev/zero'), 'a file of the host');
    const { caller, root } = setUp({ overlay: 'none', mounts: [] });
    const modes = ['null', 'zero', 'tty'].map((name) => {
      const at = kernel.vfs.resolve(caller, root, `/dev/${name}`);
      return typeof at === 'number' ? at : [at.inode.mode, at.inode.rdev];
    });
    expect(modes).toEqual([
      [abi.S_IFCHR | 0o666, abi.makedev(1, 3)],
      [abi.S_IFCHR | 0o666, abi.makedev(1, 5)],
      [abi.S_IFCHR | 0o666, abi.makedev(5, 0)],
    ]);
    expect(statSync(join(dir, 'rootfs/dev/null')).isFile()).toBe(true);
  });

  it('"Sysctl"', () => {
    const sysctl = {
      'kernel.domainname': 'example',
      'kernel/panic': '7',
      'net.ipv4.ping_group_range': '0 2147483647',
      'net.ipv4.ip_unprivileged_port_start': '0',
    };
    const files = setUp({ linux: { sysctl } });
    expect(read(files, '/proc/sys/kernel/domainname')).toBe('example\n');
    expect(read(files, '/proc/sys/kernel/panic')).toBe('7\n');
    expect(read(files, '/proc/sys/net/ipv4/ping_group_range')).toBe('0\t2147483647\n');
    expect(kernel.ns.net.unprivilegedPortStart).toBe(0);
    // One that is there but cannot be changed is refused, too.
    expect(() => setUp({ linux: { sysctl: { 'kernel.shmmni': '77' } } })).toThrow('linux.sysctl "kernel.shmmni"');
  });

  it('"Masked Paths": they cannot be read', () => {
    const files = setUp({ linux: { maskedPaths: ['/etc/os-release', '/proc/sys', '/no/such'] } });
    expect(read(files, '/etc/os-release')).toBe('');
    expect(read(files, '/proc/sys/kernel/hostname')).toBe(-abi.ENOENT);
  });

  it('"Readonly Paths"', () => {
    const files = setUp({ linux: { readonlyPaths: ['/etc'] } });
    expect([read(files, '/etc/os-release'), write(files, '/etc/os-release', 'x')]).toEqual(['made up', -abi.EROFS]);
  });

  it('root.readonly: "the root filesystem MUST be read-only inside the container"', () => {
    const files = setUp({ root: { path: 'rootfs', readonly: true } });
    expect(write(files, '/etc/os-release', 'x')).toBe(-abi.EROFS);
    expect(write(files, '/dev/shm/x', 'x')).toBe(1);
  });
});
