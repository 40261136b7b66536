import * as host from '@tsv/host';
import { EACCES, EIO, ENOENT, EPERM, O_CLOEXEC, O_NOFOLLOW, O_PATH } from '@tsv/abi';
import { reopenLink } from './descriptor-links.js';
import { GoferOperation, type GoferClient } from './gofer-client.js';

/**
 * The calls by which host files are reached: made by this process itself where it may (directfs), and by the gofer where
 * it may not, since a sentry has no capabilities and its gofer has those that concern files. They take and return what
 * the functions of the same name in `@tsv/host` do.
 */

let gofer: GoferClient | null = null;
/** This process makes none of the calls that name files itself. */
let isGoferOnly = false;

/** Lets `client` do what this process may not; with `isOnly`, everything that names files (`--directfs=false`). */
export function useGofer(client: GoferClient | null, isOnly: boolean): void {
  gofer = client;
  isGoferOnly = client !== null && isOnly;
}

/** Whether the gofer should try what the host refused us. */
function isRefused(result: number): boolean {
  return gofer !== null && (result === -EACCES || result === -EPERM);
}

export function openat2(dirFd: number, name: string, flags: number, mode: number, resolve: number): number {
  const fd = isGoferOnly ? -EACCES : host.openat2(dirFd, name, flags, mode, resolve);
  return isRefused(fd) ? gofer!.call(GoferOperation.OPEN, { flags, mode }, dirFd, name) : fd;
}

/** Opens the file of an O_PATH descriptor. Errors: those of open(2). */
export function reopen(fd: number, flags: number): number {
  const opened = isGoferOnly ? -EACCES : reopenLink(fd, flags);
  return isRefused(opened) ? gofer!.call(GoferOperation.REOPEN, { flags }, fd, '') : opened;
}

export function statx(dirFd: number, name: string, flags: number, mask: number, fields: Float64Array): number {
  const error = host.statx(dirFd, name, flags, mask, fields);
  if (!isRefused(error)) return error;
  return withFile(dirFd, name, (fd) => host.statx(fd, '', flags | AT_EMPTY_PATH, mask, fields));
}

export function readlinkat(dirFd: number, name: string, buffer: Uint8Array): number {
  const len = host.readlinkat(dirFd, name, buffer);
  return isRefused(len) ? withFile(dirFd, name, (fd) => host.readlinkat(fd, '', buffer)) : len;
}

export function mkdirat(dirFd: number, name: string, mode: number): number {
  const error = isGoferOnly ? -EACCES : host.mkdirat(dirFd, name, mode);
  return isRefused(error) ? gofer!.call(GoferOperation.MAKE_DIRECTORY, { mode }, dirFd, name) : error;
}

/** Regular files, FIFOs and sockets only. */
export function mknodat(dirFd: number, name: string, mode: number): number {
  const error = isGoferOnly ? -EACCES : host.mknodat(dirFd, name, mode, 0, 0);
  return isRefused(error) ? gofer!.call(GoferOperation.MAKE_NODE, { mode }, dirFd, name) : error;
}

export function symlinkat(target: string, dirFd: number, name: string): number {
  const error = isGoferOnly ? -EACCES : host.symlinkat(target, dirFd, name);
  return isRefused(error) ? gofer!.call(GoferOperation.MAKE_LINK, {}, dirFd, target, -1, name) : error;
}

export function linkat(dirFd: number, name: string, newDirFd: number, newName: string, flags: number): number {
  let error = isGoferOnly ? -EACCES : host.linkat(dirFd, name, newDirFd, newName, flags);
  // AT_EMPTY_PATH without CAP_DAC_READ_SEARCH says ENOENT.
  if (error === -ENOENT && (flags & AT_EMPTY_PATH) !== 0 && gofer !== null) error = -EACCES;
  return isRefused(error) ? gofer!.call(GoferOperation.LINK, { flags }, dirFd, name, newDirFd, newName) : error;
}

export function unlinkat(dirFd: number, name: string, flags: number): number {
  const error = isGoferOnly ? -EACCES : host.unlinkat(dirFd, name, flags);
  return isRefused(error) ? gofer!.call(GoferOperation.UNLINK, { flags }, dirFd, name) : error;
}

export function renameat2(dirFd: number, name: string, newDirFd: number, newName: string, flags: number): number {
  const error = isGoferOnly ? -EACCES : host.renameat2(dirFd, name, newDirFd, newName, flags);
  return isRefused(error) ? gofer!.call(GoferOperation.RENAME, { flags }, dirFd, name, newDirFd, newName) : error;
}

export function fchownat(dirFd: number, name: string, uid: number, gid: number, flags: number): number {
  const error = isGoferOnly ? -EACCES : host.fchownat(dirFd, name, uid, gid, flags);
  return isRefused(error) ? gofer!.call(GoferOperation.CHANGE_OWNER, { flags, uid, gid }, dirFd, name) : error;
}

export function fchmodat(dirFd: number, name: string, mode: number, flags: number): number {
  const error = isGoferOnly ? -EACCES : host.fchmodat(dirFd, name, mode, flags);
  return isRefused(error) ? gofer!.call(GoferOperation.CHANGE_MODE, { flags, mode }, dirFd, name) : error;
}

export function utimensat(
  dirFd: number,
  name: string,
  atimeSec: number,
  atimeNsec: number,
  mtimeSec: number,
  mtimeNsec: number,
  flags: number,
): number {
  const error = isGoferOnly ? -EACCES : host.utimensat(dirFd, name, atimeSec, atimeNsec, mtimeSec, mtimeNsec, flags);
  if (!isRefused(error)) return error;
  const times = [atimeSec, atimeNsec, mtimeSec, mtimeNsec] as const;
  return gofer!.call(GoferOperation.CHANGE_TIMES, { flags, times }, dirFd, name);
}

/**
 * A new socket of `type` that is connected to the one of an O_PATH descriptor: the gofer makes it, who alone may. Errors:
 * EAGAIN when its queue is full, EIO without a gofer, and those of connect(2).
 */
export function connectSocket(fd: number, type: number): number {
  return gofer?.call(GoferOperation.CONNECT_SOCKET, { flags: type }, fd, '') ?? -EIO;
}

/** A new socket of `type` that is bound to a name; `mode` are its permissions. Errors: EIO, and those of bind(2). */
export function bindSocket(dirFd: number, name: string, type: number, mode: number): number {
  return gofer?.call(GoferOperation.BIND_SOCKET, { flags: type, mode }, dirFd, name) ?? -EIO;
}

const AT_EMPTY_PATH = 0x1000;

/** Calls `use` with an O_PATH descriptor that the gofer opens. */
function withFile(dirFd: number, name: string, use: (fd: number) => number): number {
  const flags = O_PATH | O_NOFOLLOW | O_CLOEXEC;
  const fd = gofer!.call(GoferOperation.OPEN, { flags }, dirFd, name);
  if (fd < 0) return fd;
  const result = use(fd);
  host.close(fd);
  return result;
}
