import {
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_LINUX_IMMUTABLE,
  CAP_MAC_OVERRIDE,
  CAP_MKNOD,
  SECBIT_KEEP_CAPS,
  SECBIT_NO_SETUID_FIXUP,
} from '@tsv/abi';
import { CapSet } from './cap-set.js';
import type { Credentials } from './credentials.js';

/** Capabilities that follow the filesystem user ID, capabilities(7). */
const FS_CAPS = CapSet.of([
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_LINUX_IMMUTABLE,
  CAP_MAC_OVERRIDE,
  CAP_MKNOD,
]);

/** `old` with other user IDs; capabilities follow as "Effect of user ID changes" of capabilities(7) says. */
export function withUids(old: Credentials, uid: number, euid: number, suid: number, fsuid: number): Credentials {
  const creds = old.with({ uid, euid, suid, fsuid });
  if ((old.securebits & SECBIT_NO_SETUID_FIXUP) !== 0) return creds;
  const root = old.userNs.uidToKernel(0);
  let { permitted, effective, ambient } = creds;
  const wasRoot = old.uid === root || old.euid === root || old.suid === root;
  const isRoot = uid === root || euid === root || suid === root;
  if (wasRoot && !isRoot) {
    if ((old.securebits & SECBIT_KEEP_CAPS) === 0) permitted = CapSet.EMPTY;
    effective = permitted.isEmpty ? CapSet.EMPTY : effective;
    ambient = CapSet.EMPTY;
  }
  if (old.euid === root && euid !== root) effective = CapSet.EMPTY;
  if (old.euid !== root && euid === root) effective = permitted;
  return creds.with({ permitted, effective, ambient });
}

/** `old` with another filesystem user ID, setfsuid(2). */
export function withFsuid(old: Credentials, fsuid: number): Credentials {
  const creds = old.with({ fsuid });
  if ((old.securebits & SECBIT_NO_SETUID_FIXUP) !== 0) return creds;
  const { effective, permitted } = creds;
  const root = old.userNs.uidToKernel(0);
  if (old.fsuid === root && fsuid !== root) return creds.with({ effective: effective.without(FS_CAPS) });
  if (old.fsuid !== root && fsuid === root) return creds.with({ effective: effective.or(FS_CAPS.and(permitted)) });
  return creds;
}
