import { EINVAL, type Errno } from '@tsv/abi';
import { parseMountOptions, type FileSystemType, type MountRequest } from '../../file-system-type.js';
import type { FileSystem } from '../../file-system.js';
import { PAGE_BYTES, type PagePool } from '../../page/page-pool.js';
import type { VirtualFileSystem } from '../../virtual-file-system.js';
import { TMPFS_PAGES_MAX, TmpfsFileSystem } from './tmpfs-file-system.js';

interface Parsed {
  pageCountMax?: number;
  inodeCountMax?: number;
  mode?: number;
  uid?: number;
  gid?: number;
}

const SUFFIX_SHIFT: Readonly<Record<string, number>> = { k: 10, m: 20, g: 30, t: 40 };

/**
 * The tmpfs type for mount(2): options size, nr_blocks, nr_inodes, mode, uid, gid of tmpfs(5). A size in percent is of
 * `memoryPageCount`, half of which is the size without one; a size of 0 is all of it.
 */
export function tmpfsType(
  vfs: VirtualFileSystem,
  pool: PagePool,
  memoryPageCount = 2 * TMPFS_PAGES_MAX,
): FileSystemType {
  return {
    name: 'tmpfs',
    isNodev: true,
    create(request: MountRequest): FileSystem | Errno {
      const parsed = parseTmpfsOptions(request.data, memoryPageCount);
      if (parsed === null) return -EINVAL;
      return new TmpfsFileSystem({
        pool,
        clock: vfs.clock,
        dev: vfs.allocateDev(),
        pageCountMax: Math.floor(memoryPageCount / 2),
        uid: request.caller.creds.fsuid,
        gid: request.caller.creds.fsgid,
        optionsText: request.data,
        ...parsed,
      });
    },
  };
}

/** Null for an option that does not exist or has no sensible value. */
function parseTmpfsOptions(data: string, memoryPageCount: number): Parsed | null {
  const parsed: Parsed = {};
  for (const { name, value } of parseMountOptions(data)) {
    if (name === 'noswap' || name === 'huge' || name === 'mpol' || name.startsWith('inode')) continue;
    const number = value === null ? NaN : name === 'mode' ? parseOctal(value) : parseBytes(value, memoryPageCount);
    if (Number.isNaN(number)) return null;
    if (name === 'size') parsed.pageCountMax = Math.ceil(number / PAGE_BYTES) || memoryPageCount;
    else if (name === 'nr_blocks') parsed.pageCountMax = number || memoryPageCount;
    else if (name === 'nr_inodes') parsed.inodeCountMax = number;
    else if (name === 'mode') parsed.mode = number & 0o7777;
    else if (name === 'uid') parsed.uid = number;
    else if (name === 'gid') parsed.gid = number;
    else return null;
  }
  return parsed;
}

function parseOctal(text: string): number {
  return /^[0-7]+$/.test(text) ? parseInt(text, 8) : NaN;
}

/** `4096`, `64k`, `1G`, or `50%` of the memory. */
function parseBytes(text: string, memoryPageCount: number): number {
  const match = /^(\d+)([kmgt%]?)$/i.exec(text);
  if (match === null) return NaN;
  const suffix = match[2]!.toLowerCase();
  const number = Number(match[1]);
  if (suffix === '%') return Math.floor((number / 100) * memoryPageCount) * PAGE_BYTES;
  return number * 2 ** (SUFFIX_SHIFT[suffix] ?? 0);
}
