import { EINVAL, ENOTDIR, type Errno } from '@tsv/abi';
import { parseMountOptions, type FileSystemType, type MountRequest } from '../../file-system-type.js';
import type { FileSystem } from '../../file-system.js';
import type { VfsPath } from '../../path/vfs-path.js';
import type { VirtualFileSystem } from '../../virtual-file-system.js';
import { OverlayFileSystem } from './overlay-file-system.js';

/** Layers that an overlay can have, as in Linux (OVL_MAX_STACK). */
export const OVERLAY_LOWERS_MAX = 500;

/** Options that change what we do not do anyway. */
const IGNORED = new Set(['index', 'xino', 'redirect_dir', 'metacopy', 'nfs_export', 'userxattr', 'volatile', 'uuid']);

/** The overlay type for mount(2): lowerdir, upperdir and workdir of overlayfs.rst. */
export function overlayType(vfs: VirtualFileSystem): FileSystemType {
  return {
    name: 'overlay',
    isNodev: true,
    create(request: MountRequest): FileSystem | Errno {
      let lowerdir: string | null = null;
      let upperdir: string | null = null;
      for (const { name, value } of parseMountOptions(request.data)) {
        if (name === 'lowerdir') lowerdir = value;
        else if (name === 'upperdir') upperdir = value;
        else if (name !== 'workdir' && !IGNORED.has(name)) return -EINVAL;
      }
      if (lowerdir === null) return -EINVAL;
      const names = splitLowers(lowerdir);
      if (names.length > OVERLAY_LOWERS_MAX || names.includes('')) return -EINVAL;
      return create(vfs, request, upperdir, names);
    },
  };
}

function create(
  vfs: VirtualFileSystem,
  { caller, data }: MountRequest,
  upperdir: string | null,
  lowerNames: readonly string[],
): FileSystem | Errno {
  const paths: VfsPath[] = [];
  const release = (): void => {
    for (const path of paths) path.decRef();
  };
  for (const name of upperdir === null ? lowerNames : [upperdir, ...lowerNames]) {
    const path = vfs.resolve(caller, caller.cwd, name);
    if (typeof path === 'number') {
      release();
      return path;
    }
    paths.push(path);
    if (!path.inode.isDirectory) {
      release();
      return -ENOTDIR;
    }
  }
  const layers = paths.map((path) => path.inode);
  const upper = upperdir === null || paths[0]!.mount.isReadOnly ? null : layers[0]!;
  return new OverlayFileSystem({
    upper,
    lowers: upper === null ? layers : layers.slice(1),
    dev: vfs.allocateDev(),
    clock: vfs.clock,
    optionsText: data,
    onDestroy: release,
  });
}

/** The directories between colons; a backslash keeps a colon in a name. */
function splitLowers(lowerdir: string): string[] {
  const names: string[] = [];
  let name = '';
  for (let i = 0; i < lowerdir.length; i++) {
    const char = lowerdir.charAt(i);
    if (char === '\\' && i + 1 < lowerdir.length) name += lowerdir.charAt(++i);
    else if (char === ':') {
      names.push(name);
      name = '';
    } else {
      name += char;
    }
  }
  names.push(name);
  return names;
}
