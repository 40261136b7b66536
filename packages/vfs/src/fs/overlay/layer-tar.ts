import { S_IFBLK, S_IFCHR, S_IFIFO, S_IFMT, major, minor } from '@tsv/abi';
import { MemoryIo } from '../../file/io-buffer.js';
import type { Inode } from '../../inode.js';
import { TmpfsDirectory } from '../tmpfs/tmpfs-directory.js';
import { TmpfsFile } from '../tmpfs/tmpfs-file.js';
import { KERNEL_CALLER, isOpaque, isWhiteout, shownRdev, shownXattr } from './copy-up.js';
import { TarType, paddingBytes, tarEnd, tarHeader, type TarEntry } from './tar-entry.js';

const PIECE_BYTES = 256 * 1024;
/** Names of the OCI image specification, layer.md "Whiteouts". */
const WHITEOUT_PREFIX = '.wh.';
const OPAQUE_NAME = '.wh..wh..opq';
const SPECIAL_TYPES: ReadonlyMap<number, TarType> = new Map([
  [S_IFCHR, TarType.CHARACTER],
  [S_IFBLK, TarType.BLOCK],
  [S_IFIFO, TarType.FIFO],
]);

/**
 * What is in the upper layer of an overlay as a layer of an OCI image (layer.md, an archive as tar(1) reads it), piece by
 * piece; a piece is valid until the next one. Sockets are left out, and so is what is named `exceptName` at the root. Files
 * that change meanwhile have the length that they had.
 */
export function* layerTar(root: TmpfsDirectory, exceptName: string | null): Generator<Uint8Array, void> {
  const linked = new Map<Inode, string>();
  const pending: { name: string; directory: TmpfsDirectory }[] = [{ name: '', directory: root }];
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    for (const [entryName, { inode }] of [...next.directory.entries]) {
      if (next.directory === root && entryName === exceptName) continue;
      const name = `${next.name}${entryName}`;
      if (inode instanceof TmpfsDirectory) {
        yield tarHeader(entryOf(inode, `${name}/`, TarType.DIRECTORY));
        if (isOpaque(inode)) yield tarHeader(whiteout(inode, `${name}/${OPAQUE_NAME}`));
        pending.push({ name: `${name}/`, directory: inode });
      } else if (isWhiteout(inode)) {
        yield tarHeader(whiteout(inode, `${next.name}${WHITEOUT_PREFIX}${entryName}`));
      } else {
        yield* fileTar(inode, name, linked, buffer);
      }
    }
  }
  yield tarEnd();
}

function* fileTar(
  inode: Inode,
  name: string,
  linked: Map<Inode, string>,
  buffer: Uint8Array,
): Generator<Uint8Array, void> {
  const first = linked.get(inode);
  if (first !== undefined) {
    yield tarHeader({ ...entryOf(inode, name, TarType.LINK), target: first });
    return;
  }
  if (inode.nlink > 1) linked.set(inode, name);
  const target = inode.readlink(KERNEL_CALLER);
  if (inode instanceof TmpfsFile) yield* contentTar(inode, name, buffer);
  else if (typeof target === 'string') yield tarHeader({ ...entryOf(inode, name, TarType.SYMLINK), target });
  else {
    const type = SPECIAL_TYPES.get(inode.mode & S_IFMT);
    if (type === undefined) return;
    const rdev = shownRdev(inode.rdev);
    yield tarHeader({ ...entryOf(inode, name, type), major: major(rdev), minor: minor(rdev) });
  }
}

function* contentTar(file: TmpfsFile, name: string, buffer: Uint8Array): Generator<Uint8Array, void> {
  const { sizeBytes } = file.content;
  yield tarHeader({ ...entryOf(file, name, TarType.FILE), sizeBytes });
  const io = new MemoryIo(buffer);
  for (let at = 0; at < sizeBytes;) {
    const len = Math.min(buffer.length, sizeBytes - at);
    io.reset(buffer, 0, len);
    const got = Math.max(0, file.content.read(io, at));
    buffer.fill(0, got, len); // It was cut, or could not be read.
    yield buffer.subarray(0, len);
    at += len;
  }
  yield new Uint8Array(paddingBytes(sizeBytes));
}

function whiteout(inode: Inode, name: string): TarEntry {
  return { ...entryOf(inode, name, TarType.FILE), mode: 0, xattrs: [] };
}

function entryOf(inode: Inode, name: string, type: TarType): TarEntry {
  const { uid, gid, mode, mtime } = inode;
  const base = { name, type, mode: mode & 0o7777, uid, gid, mtimeSec: mtime.sec };
  return { ...base, sizeBytes: 0, target: '', major: 0, minor: 0, xattrs: xattrsOf(inode) };
}

function xattrsOf(inode: Inode): [name: string, value: string][] {
  const names = inode.listXattrs();
  if (typeof names === 'number') return [];
  return names.flatMap((name): [string, string][] => {
    const shown = shownXattr(name);
    const value = inode.getXattr(name);
    if (shown === null || typeof value === 'number') return [];
    return [[shown, String.fromCharCode(...value)]];
  });
}
