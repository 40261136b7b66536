import { EPERM, SECBIT_KEEP_CAPS, SECBIT_NOROOT, S_ISGID, S_ISUID, type Errno } from '@tsv/abi';
import type { Inode } from '@tsv/vfs';
import { CapSet } from './cap-set.js';
import type { Credentials } from './credentials.js';
import { loadFileCapabilities, type FileCapabilities } from './file-capabilities.js';

const S_IXGRP = 0o010;

/**
 * The credentials of a program after execve(2): set-user-ID and set-group-ID bits and file capabilities unless
 * `mayGainPrivileges` is false (nosuid mount, no_new_privs), and the rules of capabilities(7). Errors: EPERM when a
 * program that does not know of capabilities cannot have all that its file gives.
 */
export function credentialsForExec(old: Credentials, inode: Inode, mayGainPrivileges: boolean): Credentials | Errno {
  let { euid, egid } = old;
  const { userNs } = old;
  if (mayGainPrivileges && userNs.hasUid(inode.uid) && userNs.hasGid(inode.gid)) {
    if ((inode.mode & S_ISUID) !== 0) euid = inode.uid;
    if ((inode.mode & (S_ISGID | S_IXGRP)) === (S_ISGID | S_IXGRP)) egid = inode.gid;
  }
  const file = mayGainPrivileges ? loadFileCapabilities(inode) : null;
  return withExecCapabilities(old, euid, egid, file);
}

/** Whether the program runs with more rights than its caller had: AT_SECURE, getauxval(3). */
export function isPrivilegedChange(old: Credentials, creds: Credentials): boolean {
  if (creds.euid !== old.euid || creds.egid !== old.egid) return true;
  if (creds.uid !== creds.euid || creds.gid !== creds.egid) return true;
  return creds.uid !== rootUid(creds) && !creds.permitted.isSubsetOf(creds.ambient.or(old.permitted));
}

function rootUid(creds: Credentials): number {
  return creds.userNs.uidToKernel(0);
}

function withExecCapabilities(
  old: Credentials,
  euid: number,
  egid: number,
  file: FileCapabilities | null,
): Credentials | Errno {
  const root = rootUid(old);
  const isGainingId = euid !== old.euid || egid !== old.egid;
  const ambient = isGainingId || file !== null ? CapSet.EMPTY : old.ambient;
  let permitted = CapSet.EMPTY;
  let hasEffectiveBit = false;
  if (file !== null) {
    permitted = file.permitted.and(old.bounding).or(file.inheritable.and(old.inheritable));
    hasEffectiveBit = file.isEffective;
    if (hasEffectiveBit && !file.permitted.isSubsetOf(permitted)) return -EPERM;
  }
  if ((old.securebits & SECBIT_NOROOT) === 0 && (euid === root || old.uid === root)) {
    permitted = old.inheritable.or(old.bounding);
    hasEffectiveBit ||= euid === root;
  }
  permitted = permitted.or(ambient);
  return old.with({
    euid,
    egid,
    suid: euid,
    sgid: egid,
    fsuid: euid,
    fsgid: egid,
    permitted,
    effective: hasEffectiveBit ? permitted : ambient,
    ambient,
    securebits: old.securebits & ~SECBIT_KEEP_CAPS,
  });
}
