import { S_IFCHR, makedev, type Errno } from '@tsv/abi';
import type { FileSystemType } from '../../file-system-type.js';
import type { FileSystem } from '../../file-system.js';
import type { PagePool } from '../../page/page-pool.js';
import { superuser } from '../../superuser.js';
import type { VirtualFileSystem } from '../../virtual-file-system.js';
import { TmpfsFileSystem } from '../tmpfs/tmpfs-file-system.js';

/** The device files that every system has: name, mode, major, minor. */
const NODES: readonly (readonly [name: string, mode: number, major: number, minor: number])[] = [
  ['null', 0o666, 1, 3],
  ['zero', 0o666, 1, 5],
  ['full', 0o666, 1, 7],
  ['random', 0o666, 1, 8],
  ['urandom', 0o666, 1, 9],
  ['tty', 0o666, 5, 0],
];
const LINKS: readonly (readonly [name: string, target: string])[] = [
  ['fd', '/proc/self/fd'],
  ['stdin', '/proc/self/fd/0'],
  ['stdout', '/proc/self/fd/1'],
  ['stderr', '/proc/self/fd/2'],
  ['ptmx', 'pts/ptmx'],
];
const DIRECTORIES = ['pts', 'shm', 'mqueue'];

/** A tmpfs with the usual device files, links and mount points in it: a /dev. */
export function createDevtmpfs(vfs: VirtualFileSystem, pool: PagePool): TmpfsFileSystem {
  const fs = new TmpfsFileSystem({ pool, clock: vfs.clock, dev: vfs.allocateDev(), typeName: 'devtmpfs', mode: 0o755 });
  const root = vfs.anonymousPath(fs.root);
  const { root: dir } = fs;
  const me = { ...superuser(root), umask: 0 };
  for (const [name, mode, major, minor] of NODES) made(dir.mknod(name, S_IFCHR | mode, makedev(major, minor), me));
  for (const [name, target] of LINKS) made(dir.symlink(name, target, me));
  for (const name of DIRECTORIES) made(dir.mkdir(name, 0o755, me));
  root.decRef();
  return fs;
}

/** The devtmpfs type for mount(2): one filesystem, whoever mounts it. */
export function devtmpfsType(vfs: VirtualFileSystem, pool: PagePool): FileSystemType {
  let only: FileSystem | null = null;
  return {
    name: 'devtmpfs',
    isNodev: true,
    create(): FileSystem {
      // The mount that `anonymousPath` has made keeps it when nobody else does.
      only ??= createDevtmpfs(vfs, pool);
      return only;
    },
  };
}

function made(inode: { decRef(): void } | Errno): void {
  if (typeof inode === 'number') throw new Error(`createDevtmpfs: errno ${-inode}`);
  inode.decRef();
}
