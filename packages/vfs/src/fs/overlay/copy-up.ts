import { EFAULT, EOPNOTSUPP, O_RDONLY, O_WRONLY, S_IFCHR, S_IFMT, major, makedev, minor, type Errno } from '@tsv/abi';
import type { Caller } from '../../caller.js';
import { MemoryIo } from '../../file/io-buffer.js';
import type { Inode } from '../../inode.js';

/** Attributes of overlayfs itself; they are not shown. */
const OVERLAY_XATTR_PREFIX = 'trusted.overlay.';
const OPAQUE_XATTR = 'trusted.overlay.opaque';
/** What they are in the layer when a program sets them, as another overlay with its upper layer here does. */
const ESCAPED_XATTR_PREFIX = 'trusted.overlay.overlay.';
/** First and last of the device numbers that stand for whiteouts which are to be seen. */
const ESCAPED_WHITEOUT = makedev(0, 0xfff00);
const ESCAPED_WHITEOUT_LAST = makedev(0, 0xfffff);
const OPAQUE_VALUE = new Uint8Array([0x79]);

const COPY_BYTES = 256 * 1024;

/** Whose rights the layers see: the overlay has checked those of the real caller. It uses no paths. */
export const KERNEL_CALLER: Caller = {
  creds: { fsuid: 0, fsgid: 0, inGroup: () => true, hasCap: () => true },
  umask: 0,
  get root(): never {
    throw new Error('KERNEL_CALLER: layers do not walk paths');
  },
  get cwd(): never {
    throw new Error('KERNEL_CALLER: layers do not walk paths');
  },
  memory: { copyIn: () => -EFAULT, copyOut: () => -EFAULT },
};

/** The name in the layer of the attribute that is `name` here. */
export function layerXattr(name: string): string {
  if (!name.startsWith(OVERLAY_XATTR_PREFIX)) return name;
  return ESCAPED_XATTR_PREFIX + name.slice(OVERLAY_XATTR_PREFIX.length);
}

/** The name here of the attribute that is `name` in the layer; null for those of the overlay itself. */
export function shownXattr(name: string): string | null {
  if (name.startsWith(ESCAPED_XATTR_PREFIX)) return OVERLAY_XATTR_PREFIX + name.slice(ESCAPED_XATTR_PREFIX.length);
  return name.startsWith(OVERLAY_XATTR_PREFIX) ? null : name;
}

/** The device number in the layer of a character device that is `rdev` here: a whiteout must not be one there. */
export function layerRdev(rdev: number): number {
  if (rdev === 0) return ESCAPED_WHITEOUT;
  return isEscapedWhiteout(rdev) && rdev !== ESCAPED_WHITEOUT_LAST ? makedev(0, minor(rdev) + 1) : rdev;
}

/** The device number here of a device that is `rdev` in the layer. */
export function shownRdev(rdev: number): number {
  if (rdev === ESCAPED_WHITEOUT) return 0;
  return isEscapedWhiteout(rdev) ? makedev(0, minor(rdev) - 1) : rdev;
}

function isEscapedWhiteout(rdev: number): boolean {
  return major(rdev) === 0 && minor(rdev) >= minor(ESCAPED_WHITEOUT);
}

/** Whether `inode` says that a name is gone. */
export function isWhiteout(inode: Inode): boolean {
  return (inode.mode & S_IFMT) === S_IFCHR && inode.rdev === 0;
}

/** Whether the directory `inode` hides those of the layers below. */
export function isOpaque(inode: Inode): boolean {
  const value = inode.getXattr(OPAQUE_XATTR);
  return typeof value !== 'number' && value.length === 1 && value[0] === OPAQUE_VALUE[0];
}

export function makeOpaque(inode: Inode): 0 | Errno {
  const error = inode.setXattr(OPAQUE_XATTR, OPAQUE_VALUE, 0);
  return error < 0 ? error : 0;
}

/** Says in the upper layer's directory that `name` is gone. Errors: those of mknod(2). */
export function makeWhiteout(dir: Inode, name: string): 0 | Errno {
  const whiteout = dir.mknod(name, S_IFCHR, 0, KERNEL_CALLER);
  if (typeof whiteout === 'number') return whiteout;
  whiteout.decRef();
  dir.directoryDentry?.forgetChild(name);
  return 0;
}

/** Copies the first `len` bytes of `from`. Errors: what the layers say. */
export function copyContent(from: Inode, to: Inode, len: number): 0 | Errno {
  const source = from.open(null, O_RDONLY, KERNEL_CALLER);
  if (typeof source === 'number') return source;
  const target = to.open(null, O_WRONLY, KERNEL_CALLER);
  if (typeof target === 'number') {
    source.decRef();
    return target;
  }
  const buffer = new Uint8Array(Math.min(COPY_BYTES, Math.max(1, len)));
  const io = new MemoryIo(buffer);
  let at = 0;
  let error: 0 | Errno = 0;
  while (at < len) {
    io.reset(buffer, 0, Math.min(buffer.length, len - at));
    const got = source.readAt(io, at, KERNEL_CALLER);
    if (got <= 0) {
      error = got;
      break;
    }
    io.reset(buffer, 0, got);
    const put = target.writeAt(io, at, KERNEL_CALLER);
    if (put < 0) {
      error = put;
      break;
    }
    at += put;
  }
  target.decRef();
  source.decRef();
  return error;
}

/** Gives `to` the owner, mode, attributes and times of `from`. */
export function copyMetadata(from: Inode, to: Inode): 0 | Errno {
  const names = from.listXattrs();
  if (typeof names !== 'number') {
    for (const name of names) {
      if (shownXattr(name) === null) continue;
      const value = from.getXattr(name);
      if (typeof value === 'number') continue;
      const error = to.setXattr(name, value, 0);
      if (error < 0 && error !== -EOPNOTSUPP) return error;
    }
  }
  const error = to.setAttributes(
    {
      uid: from.uid,
      gid: from.gid,
      ...(from.isSymlink ? {} : { mode: from.mode & 0o7777 }),
      atime: { ...from.atime },
      mtime: { ...from.mtime },
    },
    KERNEL_CALLER,
  );
  return error < 0 ? error : 0;
}
