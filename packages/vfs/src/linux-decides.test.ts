import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { OverlayFileSystem } from './fs/overlay/overlay-file-system.js';
import { mountFileSystem } from './mount/mount-operations.js';
import { HostOperations } from './testing/host-operations.js';
import { SeededRandom, randomOperation } from './testing/random-operations.js';
import { TestTree } from './testing/test-tree.js';
import { TreeOperations } from './testing/tree-operations.js';

const OPERATIONS = 1500;

describe('random operations', () => {
  it.each([1, 2, 3, 4])('on tmpfs end as they do on Linux, seed %d', (seed) => {
    const dir = mkdtempSync(`${tmpdir()}/vfs-`);
    const t = new TestTree(64);
    t.mkdir('/base');
    const ours = new TreeOperations(t, t.at('/base'));
    const linux = new HostOperations(dir);
    const [random, randomAgain] = [new SeededRandom(seed), new SeededRandom(seed)];
    const log: string[] = [];
    for (let i = 0; i < OPERATIONS; i++) {
      const expected = randomOperation(randomAgain, linux, { renamesDirectories: true });
      const got = randomOperation(random, ours, { renamesDirectories: true });
      log.push(got);
      if (got !== expected) throw new Error(`Linux: ${expected}\n  here: ${got}\nafter:\n${log.slice(-12).join('\n')}`);
    }
    rmSync(dir, { recursive: true });
    expect(log.length).toBe(OPERATIONS);
  });

  it.each([11, 12, 13, 14, 15, 16])('on an overlay end as on tmpfs, seed %d', (seed) => {
    const t = new TestTree(64);
    for (const dir of ['/plain', '/low', '/low2', '/up', '/merged']) t.mkdir(dir);
    // The lower tree and the plain one begin with the same names.
    for (const dir of ['/plain', '/low']) fill(t, dir, seed);
    const overlay = new OverlayFileSystem({
      upper: t.at('/up').inode,
      lowers: [t.at('/low').inode, t.at('/low2').inode],
      dev: t.vfs.allocateDev(),
      clock: t.clock,
    });
    mountFileSystem(t.vfs, overlay, 'overlay', t.at('/merged'), 0);
    const plain = new TreeOperations(t, t.at('/plain'));
    const merged = new TreeOperations(t, t.at('/merged'));
    const [random, randomAgain] = [new SeededRandom(seed), new SeededRandom(seed)];
    const log: string[] = [];
    for (let i = 0; i < OPERATIONS; i++) {
      const expected = randomOperation(randomAgain, plain, { renamesDirectories: false });
      const got = randomOperation(random, merged, { renamesDirectories: false });
      log.push(got);
      if (got !== expected) throw new Error(`tmpfs: ${expected}\n  here: ${got}\nafter:\n${log.slice(-12).join('\n')}`);
    }
    expect(log.length).toBe(OPERATIONS);
  });
});

function fill(t: TestTree, dir: string, seed: number): void {
  const random = new SeededRandom(seed + 1000);
  const operations = new TreeOperations(t, t.at(dir));
  for (let i = 0; i < 200; i++) randomOperation(random, operations, { renamesDirectories: true });
}
