import { EACCES, EINVAL, EISDIR, EPERM, ETXTBSY, S_ISGID, S_ISUID, type Errno } from '@tsv/abi';
import type { Caller, FsCredentials } from '../caller.js';
import { hasCapOver, type Inode, type SetAttributes, type TimeValue } from '../inode.js';
import { IN_ATTRIB, IN_MODIFY, notifyDentry } from '../notify/file-watch.js';
import { MAY_WRITE, checkMountWritable, isOwnerOrCapable } from '../path/permission.js';
import type { VfsPath } from '../path/vfs-path.js';

const CAP_CHOWN = 0;
const CAP_FSETID = 4;
const S_IXGRP = 0o010;

/** chmod(2). Errors: EPERM, EROFS, and what the filesystem says. */
export function chmodPath(caller: Caller, path: VfsPath, mode: number): 0 | Errno {
  const inode = path.inode;
  const error = checkMountWritable(path.mount) || inode.refresh();
  if (error < 0) return error;
  if (!isOwnerOrCapable(inode, caller.creds)) return -EPERM;
  let bits = mode & 0o7777;
  if (!caller.creds.inGroup(inode.gid) && !hasCapOver(inode, caller.creds, CAP_FSETID)) bits &= ~S_ISGID;
  return change(path, { mode: bits }, caller, IN_ATTRIB);
}

/** chown(2); -1 leaves the user or group. Errors: EPERM, EROFS, and what the filesystem says. */
export function chownPath(caller: Caller, path: VfsPath, uid: number, gid: number): 0 | Errno {
  const inode = path.inode;
  const error = checkMountWritable(path.mount) || inode.refresh();
  if (error < 0) return error;
  const { creds } = caller;
  const isOwner = creds.fsuid === inode.uid;
  if (uid !== -1 && !(isOwner && uid === inode.uid) && !hasCapOver(inode, creds, CAP_CHOWN)) return -EPERM;
  if (gid !== -1 && !(isOwner && (gid === inode.gid || creds.inGroup(gid))) && !hasCapOver(inode, creds, CAP_CHOWN))
    return -EPERM;
  const changes: SetAttributes = {};
  if (uid !== -1) changes.uid = uid;
  if (gid !== -1) changes.gid = gid;
  const mode = inode.isDirectory ? inode.mode : withoutPrivileges(inode, creds);
  if (mode !== inode.mode) changes.mode = mode & 0o7777;
  return change(path, changes, caller, IN_ATTRIB);
}

/** utimensat(2); null leaves a time. Errors: EACCES, EPERM, EROFS, and what the filesystem says. */
export function setPathTimes(
  caller: Caller,
  path: VfsPath,
  atime: TimeValue | 'now' | null,
  mtime: TimeValue | 'now' | null,
): 0 | Errno {
  if (atime === null && mtime === null) return 0;
  const inode = path.inode;
  const error = checkMountWritable(path.mount) || inode.refresh();
  if (error < 0) return error;
  if (!isOwnerOrCapable(inode, caller.creds)) {
    if (atime !== 'now' || mtime !== 'now') return -EPERM;
    if (inode.checkAccess(MAY_WRITE, caller.creds) < 0) return -EACCES;
  }
  const changes: SetAttributes = {};
  if (atime !== null) changes.atime = atime;
  if (mtime !== null) changes.mtime = mtime;
  return change(path, changes, caller, IN_ATTRIB);
}

/** truncate(2). Errors: EISDIR, EINVAL, EACCES, EROFS, ETXTBSY, and what the filesystem says. */
export function truncatePath(caller: Caller, path: VfsPath, lenBytes: number): 0 | Errno {
  const inode = path.inode;
  if (inode.isDirectory) return -EISDIR;
  if (!inode.isRegular) return -EINVAL;
  const error = checkMountWritable(path.mount) || inode.checkAccess(MAY_WRITE, caller.creds);
  if (error < 0) return error;
  if (inode.executionCount > 0) return -ETXTBSY;
  const changes: SetAttributes = { sizeBytes: lenBytes };
  const mode = caller.creds.hasCap(CAP_FSETID) ? inode.mode : withoutPrivileges(inode, caller.creds);
  if (mode !== inode.mode) changes.mode = mode & 0o7777;
  return change(path, changes, caller, IN_MODIFY);
}

/** The mode of `inode` after a change of owner or content: set-ID bits that would give rights away are cleared. */
export function withoutPrivileges(inode: Inode, creds: FsCredentials): number {
  let { mode } = inode;
  mode &= ~S_ISUID;
  if ((mode & S_ISGID) === 0) return mode;
  if ((mode & S_IXGRP) !== 0 || (!creds.inGroup(inode.gid) && !hasCapOver(inode, creds, CAP_FSETID))) mode &= ~S_ISGID;
  return mode;
}

/** Sets the access time after a read, as the mount's and the file's options say: relatime of mount(8). */
export function isAtimeDue(inode: Inode, nowSec: number): boolean {
  const { atime, mtime, ctime } = inode;
  if (atime.sec < mtime.sec || (atime.sec === mtime.sec && atime.nsec <= mtime.nsec)) return true;
  if (atime.sec < ctime.sec || (atime.sec === ctime.sec && atime.nsec <= ctime.nsec)) return true;
  return nowSec - atime.sec >= 24 * 60 * 60;
}

function change(path: VfsPath, changes: SetAttributes, caller: Caller, event: number): 0 | Errno {
  const error = path.inode.setAttributes(changes, caller);
  if (error === 0) notifyDentry(path.dentry, event);
  return error;
}
