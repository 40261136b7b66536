import {
  E2BIG,
  EACCES,
  ENODATA,
  EOPNOTSUPP,
  EPERM,
  ERANGE,
  S_ISVTX,
  XATTR_NAME_MAX,
  XATTR_SECURITY_PREFIX,
  XATTR_SIZE_MAX,
  XATTR_TRUSTED_PREFIX,
  XATTR_USER_PREFIX,
  type Errno,
} from '@tsv/abi';
import type { Caller } from '../caller.js';
import type { Inode } from '../inode.js';
import { IN_ATTRIB, notifyDentry } from '../notify/file-watch.js';
import { MAY_READ, MAY_WRITE, checkMountWritable, isOwnerOrCapable } from '../path/permission.js';
import type { VfsPath } from '../path/vfs-path.js';

const CAP_SYS_ADMIN = 21;
const CAP_SETFCAP = 31;
const SECURITY_CAPABILITY = 'security.capability';

/** getxattr(2). Errors: ENODATA, EOPNOTSUPP, ERANGE for a bad name, EACCES. */
export function getPathXattr(caller: Caller, path: VfsPath, name: string): Uint8Array | Errno {
  const inode = path.inode;
  const error = checkName(name) || checkRead(inode, name, caller);
  return error < 0 ? error : inode.getXattr(name);
}

/** setxattr(2). Errors: E2BIG, EEXIST, ENODATA, ENOSPC, EOPNOTSUPP, EPERM, ERANGE, EROFS. */
export function setPathXattr(caller: Caller, path: VfsPath, name: string, value: Uint8Array, flags: number): 0 | Errno {
  if (value.length > XATTR_SIZE_MAX) return -E2BIG;
  const inode = path.inode;
  const error = checkName(name) || checkMountWritable(path.mount) || checkChange(inode, name, caller);
  if (error < 0) return error;
  return told(path, inode.setXattr(name, value, flags));
}

/** removexattr(2). Errors: ENODATA, EOPNOTSUPP, EPERM, ERANGE, EROFS. */
export function removePathXattr(caller: Caller, path: VfsPath, name: string): 0 | Errno {
  const inode = path.inode;
  const error = checkName(name) || checkMountWritable(path.mount) || checkChange(inode, name, caller);
  if (error < 0) return error;
  return told(path, inode.removeXattr(name));
}

/** listxattr(2): names, without those that `caller` may not know of. */
export function listPathXattrs(caller: Caller, path: VfsPath): string[] | Errno {
  const names = path.inode.listXattrs();
  if (typeof names === 'number' || caller.creds.hasCap(CAP_SYS_ADMIN)) return names;
  return names.filter((name) => !name.startsWith(XATTR_TRUSTED_PREFIX));
}

function told(path: VfsPath, result: number): 0 | Errno {
  if (result < 0) return result;
  notifyDentry(path.dentry, IN_ATTRIB);
  return 0;
}

function checkName(name: string): 0 | Errno {
  if (name.length === 0 || name.length > XATTR_NAME_MAX) return -ERANGE;
  const isKnown =
    name.startsWith(XATTR_USER_PREFIX) ||
    name.startsWith(XATTR_TRUSTED_PREFIX) ||
    name.startsWith(XATTR_SECURITY_PREFIX);
  return isKnown ? 0 : -EOPNOTSUPP;
}

function checkRead(inode: Inode, name: string, caller: Caller): 0 | Errno {
  if (name.startsWith(XATTR_TRUSTED_PREFIX)) return caller.creds.hasCap(CAP_SYS_ADMIN) ? 0 : -ENODATA;
  if (!name.startsWith(XATTR_USER_PREFIX)) return 0;
  if (!inode.isRegular && !inode.isDirectory) return -ENODATA;
  return inode.checkAccess(MAY_READ, caller.creds) < 0 ? -EACCES : 0;
}

function checkChange(inode: Inode, name: string, caller: Caller): 0 | Errno {
  const { creds } = caller;
  if (name.startsWith(XATTR_TRUSTED_PREFIX)) return creds.hasCap(CAP_SYS_ADMIN) ? 0 : -EPERM;
  if (name.startsWith(XATTR_SECURITY_PREFIX)) {
    return creds.hasCap(name === SECURITY_CAPABILITY ? CAP_SETFCAP : CAP_SYS_ADMIN) ? 0 : -EPERM;
  }
  if (!inode.isRegular && !inode.isDirectory) return -EPERM;
  if (inode.isDirectory && (inode.mode & S_ISVTX) !== 0 && !isOwnerOrCapable(inode, creds)) return -EPERM;
  return inode.checkAccess(MAY_WRITE, creds) < 0 ? -EACCES : 0;
}
