import {
  EACCES,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
  EXDEV,
  MS_NOSYMFOLLOW,
  NAME_MAX,
  PATH_MAX,
  RESOLVE_BENEATH,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
  type Errno,
} from '@tsv/abi';
import type { Caller } from '../caller.js';
import type { DentryCache } from '../dentry/dentry-cache.js';
import type { Dentry } from '../dentry/dentry.js';
import type { Mount } from '../mount/mount.js';
import { VfsPath } from './vfs-path.js';

/** Follow a symbolic link that is the last component. */
export const LOOKUP_FOLLOW = 1;
/** The result must be a directory. */
export const LOOKUP_DIRECTORY = 2;
/** An empty path is the start itself, AT_EMPTY_PATH. */
export const LOOKUP_EMPTY = 4;

/** Symbolic links followed in one walk, path_resolution(7). */
export const SYMLINKS_MAX = 40;

const SLASH = 0x2f;
const DOT = 0x2e;
const X_OK = 1;

/** What the last component of a walk to a parent is. */
export const LastType = { NAME: 0, DOT: 1, DOT_DOT: 2, ROOT: 3 } as const;
export type LastType = (typeof LastType)[keyof typeof LastType];

/** Walks that are done, for those to come: as many as there ever were at a time. */
export class IdleWalks {
  #first: PathWalk | null = null;

  take(): PathWalk | null {
    const walk = this.#first;
    if (walk !== null) this.#first = walk.nextIdle;
    return walk;
  }

  add(walk: PathWalk): void {
    walk.nextIdle = this.#first;
    this.#first = walk;
  }
}

/**
 * One path resolution, path_resolution(7): a cursor of mount and dentry that goes through the file tree. It holds no
 * references while it moves; {@link hold} makes a path of where it is. When it is {@link done}, the next one may use it.
 */
export class PathWalk {
  readonly #dentries: DentryCache;
  readonly #idle: IdleWalks;
  /** Written by {@link IdleWalks}. */
  nextIdle: PathWalk | null = null;
  #caller: Caller;
  /** RESOLVE_* of openat2(2). */
  #resolve: number;
  mount: Mount;
  dentry: Dentry;
  /** After {@link toParent}: the last component, and whether slashes follow it. */
  lastName = '';
  lastType: LastType = LastType.NAME;
  hasTrailingSlash = false;
  /** After {@link followLast}: whether the walk has arrived at the file itself. */
  isAtMagicTarget = false;
  /** `..` does not go above this. */
  #rootMount: Mount;
  #rootDentry: Dentry;
  #linkCount = 0;
  /** Path that a magic link led to; held until the walk is done. */
  #magic: VfsPath | null = null;

  /** It is added to `idle` when it is done. */
  constructor(dentries: DentryCache, idle: IdleWalks, caller: Caller, start: VfsPath, resolve: number) {
    this.#dentries = dentries;
    this.#idle = idle;
    this.#caller = caller;
    this.#resolve = resolve;
    this.mount = start.mount;
    this.dentry = start.dentry;
    this.#rootMount = start.mount;
    this.#rootDentry = start.dentry;
    this.begin(caller, start, resolve);
  }

  /** Starts anew. Preconditions: it is done. */
  begin(caller: Caller, start: VfsPath, resolve: number): void {
    this.#caller = caller;
    this.#resolve = resolve;
    this.mount = start.mount;
    this.dentry = start.dentry;
    const root = (resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0 ? start : caller.root;
    this.#rootMount = root.mount;
    this.#rootDentry = root.dentry;
    this.isAtMagicTarget = false;
    this.#linkCount = 0;
  }

  /** The path of where the walk is, with references for the caller. */
  hold(): VfsPath {
    const path = new VfsPath(this.mount, this.dentry);
    path.incRef();
    return path;
  }

  /** Gives back what the walk holds itself; call it once when nothing of the walk is needed any more. */
  done(): void {
    this.#magic?.decRef();
    this.#magic = null;
    this.#idle.add(this);
  }

  /** Goes to the file at `path`. Returns 0. Errors: those of path_resolution(7). */
  toFile(path: string, flags: number): 0 | Errno {
    if (path.length === 0) return (flags & LOOKUP_EMPTY) !== 0 ? this.#checkDirectory(flags) : -ENOENT;
    let rest: string | null = path;
    while (rest !== null) {
      const error = this.toParent(rest);
      if (error < 0) return error;
      rest = null;
      if (this.lastType === LastType.NAME) {
        const dentry = this.lookup(this.lastName);
        if (typeof dentry === 'number') return dentry;
        if (dentry.inode === null) return -ENOENT;
        const next = this.#enter(dentry, (flags & LOOKUP_FOLLOW) !== 0 || this.hasTrailingSlash);
        if (typeof next === 'number') {
          if (next < 0) return next;
        } else {
          rest = this.hasTrailingSlash ? next + '/' : next;
        }
      }
    }
    return this.#checkDirectory(this.hasTrailingSlash ? flags | LOOKUP_DIRECTORY : flags);
  }

  /**
   * Goes to the directory that holds the last component of `path`, and tells that component in {@link lastName}. For
   * `.`, `..` and `/` it has gone there already. Errors: ENOENT for an empty path, and those of path_resolution(7).
   */
  toParent(path: string): 0 | Errno {
    if (path.length >= PATH_MAX) return -ENAMETOOLONG;
    if (path.length === 0) return -ENOENT;
    let rest = path;
    for (;;) {
      const link = this.#walkToLast(rest);
      if (typeof link === 'number') return link;
      rest = link;
    }
  }

  /**
   * After {@link toParent}: follows the last component, the symbolic link `dentry`, to the parent of what it names, or
   * to the end of a magic link (then {@link isAtMagicTarget}).
   */
  followLast(dentry: Dentry): 0 | Errno {
    const hadSlash = this.hasTrailingSlash;
    const next = this.#enter(dentry, true);
    if (typeof next !== 'number') return this.toParent(hadSlash ? next + '/' : next);
    this.isAtMagicTarget = next === 0;
    return next;
  }

  /** Finds the child `name` of the current directory, which may be negative. Errors: EACCES, ENAMETOOLONG, ENOTDIR. */
  lookup(name: string): Dentry | Errno {
    const dir = this.dentry.inode;
    if (dir === null) return -ENOENT;
    if (!dir.isDirectory) return -ENOTDIR;
    const error = dir.checkAccess(X_OK, this.#caller.creds);
    if (error < 0) return error;
    return lookupChild(this.#dentries, this.dentry, name);
  }

  /** Moves onto `dentry`, a child of the current directory, and through the mounts on it. */
  descend(dentry: Dentry): 0 | Errno {
    this.dentry = dentry;
    return this.#crossMounts();
  }

  /** Returns 0 at the last component, the path to go on with after a symbolic link, or an error. */
  #walkToLast(path: string): 0 | Errno | string {
    let at = 0;
    const len = path.length;
    if (path.charCodeAt(0) === SLASH) {
      const error = this.#toRoot();
      if (error < 0) return error;
      while (at < len && path.charCodeAt(at) === SLASH) at++;
      if (at === len) return this.#setLast('', LastType.ROOT, false);
    }
    for (;;) {
      const nameAt = at;
      while (at < len && path.charCodeAt(at) !== SLASH) at++;
      const nameEnd = at;
      while (at < len && path.charCodeAt(at) === SLASH) at++;
      const isLast = at === len;
      const nameLen = nameEnd - nameAt;
      const isDot = path.charCodeAt(nameAt) === DOT;
      if (isDot && (nameLen === 1 || (nameLen === 2 && path.charCodeAt(nameAt + 1) === DOT))) {
        const error = nameLen === 2 ? this.#dotDot() : this.#checkSearch();
        if (error < 0) return error;
        if (!isLast) continue;
        return this.#setLast(nameLen === 2 ? '..' : '.', nameLen === 2 ? LastType.DOT_DOT : LastType.DOT, at > nameEnd);
      }
      const name = path.slice(nameAt, nameEnd);
      if (isLast) return this.#setLast(name, LastType.NAME, at > nameEnd);
      const dentry = this.lookup(name);
      if (typeof dentry === 'number') return dentry;
      if (dentry.inode === null) return -ENOENT;
      const next = this.#enter(dentry, true);
      if (typeof next !== 'number') return next + '/' + path.slice(at);
      if (next < 0) return next;
      if (!this.dentry.inode!.isDirectory) return -ENOTDIR;
    }
  }

  #setLast(name: string, type: LastType, hasTrailingSlash: boolean): 0 | Errno {
    this.lastName = name;
    this.lastType = type;
    this.hasTrailingSlash = hasTrailingSlash;
    return 0;
  }

  /** Moves onto `dentry`; returns 0 there, the target if it is a symbolic link to follow, or an error. */
  #enter(dentry: Dentry, mayFollow: boolean): 0 | Errno | string {
    if (!dentry.inode!.isSymlink) return this.descend(dentry);
    if (!mayFollow) {
      this.dentry = dentry;
      return 0;
    }
    return this.#followLink(dentry);
  }

  #followLink(dentry: Dentry): 0 | Errno | string {
    if (++this.#linkCount > SYMLINKS_MAX) return -ELOOP;
    if ((this.#resolve & RESOLVE_NO_SYMLINKS) !== 0 || (this.mount.flags & MS_NOSYMFOLLOW) !== 0) return -ELOOP;
    const inode = dentry.inode!;
    const magic = inode.followMagic(this.#caller);
    if (magic !== null) return typeof magic === 'number' ? magic : this.#jump(magic);
    const target = inode.readlink(this.#caller);
    if (typeof target === 'number') return target;
    return target.length === 0 ? -ENOENT : target;
  }

  /** Goes where a magic link leads; `path` carries a reference. */
  #jump(path: VfsPath): 0 | Errno {
    this.#magic?.decRef();
    this.#magic = path;
    if ((this.#resolve & RESOLVE_NO_MAGICLINKS) !== 0) return -ELOOP;
    if ((this.#resolve & (RESOLVE_BENEATH | RESOLVE_IN_ROOT)) !== 0) return -EXDEV;
    if ((this.#resolve & RESOLVE_NO_XDEV) !== 0 && path.mount !== this.mount) return -EXDEV;
    this.mount = path.mount;
    this.dentry = path.dentry;
    return 0;
  }

  #toRoot(): 0 | Errno {
    if ((this.#resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
    if ((this.#resolve & RESOLVE_NO_XDEV) !== 0 && this.mount !== this.#rootMount) return -EXDEV;
    this.mount = this.#rootMount;
    this.dentry = this.#rootDentry;
    return 0;
  }

  #dotDot(): 0 | Errno {
    const error = this.#checkSearch();
    if (error < 0) return error;
    for (;;) {
      if (this.mount === this.#rootMount && this.dentry === this.#rootDentry) {
        return (this.#resolve & RESOLVE_BENEATH) !== 0 ? -EXDEV : 0;
      }
      if (this.dentry !== this.mount.root) {
        // A directory that was removed is where it was; one that never had a name stays.
        this.dentry = this.dentry.parent ?? this.dentry;
        return this.#crossMounts();
      }
      const { parent, mountpoint } = this.mount;
      if (parent === null || mountpoint === null) return 0;
      if ((this.#resolve & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      this.mount = parent;
      this.dentry = mountpoint;
    }
  }

  #crossMounts(): 0 | Errno {
    while (this.dentry.mounts !== null) {
      const child = this.mount.childAt(this.dentry);
      if (child === null) break;
      if ((this.#resolve & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      this.mount = child;
      this.dentry = child.root;
    }
    return 0;
  }

  #checkSearch(): 0 | Errno {
    const dir = this.dentry.inode;
    if (dir === null) return -ENOENT;
    if (!dir.isDirectory) return -ENOTDIR;
    return dir.checkAccess(X_OK, this.#caller.creds) < 0 ? -EACCES : 0;
  }

  #checkDirectory(flags: number): 0 | Errno {
    return (flags & LOOKUP_DIRECTORY) !== 0 && !this.dentry.inode!.isDirectory ? -ENOTDIR : 0;
  }
}

/** Finds the child `name` of `dir` in the cache or the filesystem; it may be negative. Nothing is checked. */
export function lookupChild(dentries: DentryCache, dir: Dentry, name: string): Dentry | Errno {
  if (name.length > NAME_MAX) return -ENAMETOOLONG;
  const { fs } = dir;
  // Below a directory that was removed nothing is found, and nothing is cached that would keep it.
  if (dir.isUnlinked && !fs.mustRevalidate) return -ENOENT;
  const dirInode = dir.inode!;
  let cached = dentries.find(dir, name);
  if (cached !== undefined && cached.inode !== null) {
    if (!fs.mustRevalidate || dirInode.isCurrent(name, cached.inode)) return cached;
    dentries.drop(cached);
    cached = undefined;
  } else if (cached !== undefined && fs.cachesNegatives && !fs.mustRevalidate) {
    return cached;
  }
  const inode = dirInode.lookup(name);
  if (typeof inode === 'number') {
    if (inode !== -ENOENT) return inode;
    return cached ?? dentries.add(dir, name, null);
  }
  if (cached === undefined) return dentries.add(dir, name, inode);
  dentries.instantiate(cached, inode);
  return cached;
}
