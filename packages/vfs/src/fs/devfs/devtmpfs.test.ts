import { ENOSPC, ENXIO, O_RDWR, SEEK_END, S_IFCHR } from '@tsv/abi';
import { registerMemoryDevices } from '../../device/memory-devices.js';
import { MemoryIo } from '../../file/io-buffer.js';
import type { Mappable } from '../../file/mappable.js';
import { mountFileSystem, unmount } from '../../mount/mount-operations.js';
import { TestTree } from '../../testing/test-tree.js';
import { devtmpfsType } from './devtmpfs.js';

function tree(): TestTree {
  const t = new TestTree();
  registerMemoryDevices(t.vfs.devices, { random: (dst) => dst.fill(0xa5), pool: t.pool });
  t.vfs.registerType(devtmpfsType(t.vfs, t.pool));
  t.mkdir('/dev');
  mount(t);
  return t;
}

function mount(t: TestTree): void {
  const at = t.at('/dev');
  const fs = t.vfs.typeNamed('devtmpfs')!.create({ source: 'none', data: '', caller: t.caller });
  if (typeof fs === 'number' || mountFileSystem(t.vfs, fs, 'none', at, 0) < 0) throw new Error('devtmpfs');
  at.decRef();
}

describe('devtmpfs and the memory devices', () => {
  it.each`
    name         | read                   | write
    ${'null'}    | ${[]}                  | ${4}
    ${'zero'}    | ${[0, 0, 0, 0]}        | ${4}
    ${'full'}    | ${[0, 0, 0, 0]}        | ${-ENOSPC}
    ${'random'}  | ${Array(4).fill(0xa5)} | ${4}
    ${'urandom'} | ${Array(4).fill(0xa5)} | ${4}
  `('/dev/$name', ({ name, read, write }: { name: string; read: number[]; write: number }) => {
    const t = tree();
    const file = t.open(`/dev/${name}`, O_RDWR);
    const buffer = new Uint8Array(4).fill(1);
    const n = file.read(new MemoryIo(buffer), t.caller);
    expect([...buffer.subarray(0, n)]).toEqual(read);
    expect(file.write(new MemoryIo(new Uint8Array(4)), t.caller)).toBe(write);
    expect(file.seek(100, SEEK_END, t.caller)).toBe(0);
  });

  it('has no driver for other numbers', () => {
    const t = tree();
    t.vfs.mknodAt(t.caller, t.root, '/dev/odd', S_IFCHR | 0o600, 0x6363);
    expect(t.vfs.open(t.caller, '/dev/odd', O_RDWR)).toBe(-ENXIO);
    expect(t.vfs.open(t.caller, '/dev/tty', O_RDWR)).toBe(-ENXIO);
  });

  it('is one filesystem for all mounts, and stays without any', () => {
    const t = tree();
    t.write('/dev/kept', 'x');
    const at = t.at('/dev');
    expect(unmount(at, 0)).toBe(0);
    at.decRef();
    expect(t.list('/dev')).toEqual([]);
    mount(t);
    expect(t.read('/dev/kept')).toBe('x');
  });

  it('maps /dev/zero as memory that goes with the mapping', () => {
    const t = tree();
    const before = t.pool.usedCount;
    const mappable = t.open('/dev/zero', O_RDWR).mappable() as Mappable;
    const observer = { invalidated: () => undefined };
    mappable.addMapping(observer);
    expect(mappable.pageRun(1000, 4, true)).toBeGreaterThanOrEqual(0);
    expect([mappable.runCount, t.pool.usedCount]).toEqual([4, before + 4]);
    mappable.removeMapping(observer);
    expect(t.pool.usedCount).toBe(before);
  });
});
