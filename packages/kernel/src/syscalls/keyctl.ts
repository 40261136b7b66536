import {
  CAP_SYS_ADMIN,
  EACCES,
  EEXIST,
  EFAULT,
  EINVAL,
  EKEYEXPIRED,
  EKEYREVOKED,
  ENODEV,
  ENOENT,
  ENOKEY,
  ENOTDIR,
  EOPNOTSUPP,
  EPERM,
  KEYCTL_ASSUME_AUTHORITY,
  KEYCTL_CAPABILITIES,
  KEYCTL_CAPS0_CAPABILITIES,
  KEYCTL_CAPS0_INVALIDATE,
  KEYCTL_CAPS0_MOVE,
  KEYCTL_CHOWN,
  KEYCTL_CLEAR,
  KEYCTL_DESCRIBE,
  KEYCTL_GET_KEYRING_ID,
  KEYCTL_GET_SECURITY,
  KEYCTL_INSTANTIATE,
  KEYCTL_INSTANTIATE_IOV,
  KEYCTL_INVALIDATE,
  KEYCTL_JOIN_SESSION_KEYRING,
  KEYCTL_LINK,
  KEYCTL_MOVE,
  KEYCTL_MOVE_EXCL,
  KEYCTL_NEGATE,
  KEYCTL_READ,
  KEYCTL_REJECT,
  KEYCTL_REVOKE,
  KEYCTL_SEARCH,
  KEYCTL_SETPERM,
  KEYCTL_SET_REQKEY_KEYRING,
  KEYCTL_SET_TIMEOUT,
  KEYCTL_UNLINK,
  KEYCTL_UPDATE,
  KEY_ALL,
  KEY_LINK,
  KEY_READ,
  KEY_REQKEY_DEFL_NO_CHANGE,
  KEY_REQKEY_DEFL_USER_SESSION_KEYRING,
  KEY_SEARCH,
  KEY_SETATTR,
  KEY_VIEW,
  KEY_WRITE,
  type Errno,
  type SysResult,
} from '@tsv/abi';
import { LOOKUP_CREATE, LOOKUP_DEAD, findKey, joinSessionKeyring, searchAll, searchKeyring } from '../keys/find-key.js';
import { KEYRING, checkPayload, keyTypeNamed, type Key } from '../keys/key.js';
import { TaskKeyrings } from '../keys/task-keyrings.js';
import { INVALID_ID } from '../namespace/user-namespace.js';
import type { Task } from '../task/task.js';
import type { SyscallArgs } from './syscall-args.js';

const TYPE_BYTES_MAX = 32;
const DESCRIPTION_BYTES_MAX = 4096;
const PAYLOAD_BYTES_MAX = 1024 * 1024 - 1;
const PERMISSIONS = KEY_ALL * 0x0101_0101;
const UNCHANGED_ID = 0xffff_ffff;
/** The group of a user's keyrings, and how it is shown. */
const NO_GROUP = 0xffff_ffff;
const OVERFLOW_ID = 65534;
/** Rights on a key that add_key(2) makes: all for the possessor, and the owner sees it. */
const NEW_KEY = (KEY_ALL << 24) | (KEY_VIEW << 16);
const UNREADABLE_NEW_KEY = ((KEY_ALL & ~KEY_READ) << 24) | (KEY_VIEW << 16);
const CAPABILITIES = Uint8Array.of(KEYCTL_CAPS0_CAPABILITIES | KEYCTL_CAPS0_INVALIDATE | KEYCTL_CAPS0_MOVE, 0);

/** add_key(2). Errors: EACCES, EDQUOT, EFAULT, EINVAL, EKEYEXPIRED, EKEYREVOKED, ENODEV, ENOKEY, ENOTDIR, EPERM. */
export function sysAddKey(t: Task, a: SyscallArgs): SysResult {
  const typeAddr = a.u64(0);
  const descriptionAddr = a.u64(1);
  const payloadAddr = a.u64(2);
  const plen = a.u64(3);
  const ringId = a.i32(4);

  if (plen > PAYLOAD_BYTES_MAX) return -EINVAL;
  const typeName = typeNameAt(t, typeAddr);
  if (typeof typeName === 'number') return typeName;
  const description = descriptionAddr === 0 ? '' : descriptionAt(t, descriptionAddr);
  if (typeof description === 'number') return description;
  if (description.startsWith('.') && typeName.startsWith('keyring')) return -EPERM;
  const payload = payloadAt(t, payloadAddr, plen);
  if (typeof payload === 'number') return payload;
  const ring = findKey(t, ringId, LOOKUP_CREATE, KEY_WRITE);
  if (typeof ring === 'number') return ring;
  const type = keyTypeNamed(typeName);
  if (type === undefined) return -ENODEV;
  if (!ring.key.isKeyring) return -ENOTDIR;
  const invalid = checkPayload(type, payload);
  if (invalid < 0) return invalid;
  if (description === '' || !type.isDescription(description)) return -EINVAL;
  const known = type === KEYRING ? undefined : ring.key.linkTo(type, description);
  if (known !== undefined) {
    const denied = known.checkAccess(t.creds, ring.isPossessed, KEY_WRITE);
    return denied || t.kernel.keys.update(known, payload) || known.serial;
  }
  const { keys } = t.kernel;
  const permissions = type.isReadable ? NEW_KEY : UNREADABLE_NEW_KEY;
  const key = keys.create(type, description, t.creds, permissions, payload);
  if (typeof key === 'number') return key;
  keys.hold(key);
  const linked = keys.link(ring.key, key);
  keys.drop(key);
  return linked || key.serial;
}

/** request_key(2). Errors: those of add_key(2). Differs: there is nobody to ask for keys that are not there: ENOKEY. */
export function sysRequestKey(t: Task, a: SyscallArgs): SysResult {
  const typeAddr = a.u64(0);
  const descriptionAddr = a.u64(1);
  const calloutAddr = a.u64(2);
  const destinationId = a.i32(3);

  const typeName = typeNameAt(t, typeAddr);
  if (typeof typeName === 'number') return typeName;
  const description = descriptionAt(t, descriptionAddr);
  if (typeof description === 'number') return description;
  const callout = calloutAddr === 0 ? '' : descriptionAt(t, calloutAddr);
  if (typeof callout === 'number') return callout;
  const destination = destinationId === 0 ? null : findKey(t, destinationId, LOOKUP_CREATE, KEY_WRITE);
  if (typeof destination === 'number') return destination;
  const type = keyTypeNamed(typeName);
  if (type === undefined) return -ENOKEY;
  const key = searchAll(t, type, description);
  if (typeof key === 'number') return key;
  return (destination === null ? 0 : t.kernel.keys.link(destination.key, key)) || key.serial;
}

/** keyctl(2). Errors: those of the operation; EOPNOTSUPP for one that is not there. */
export function sysKeyctl(t: Task, a: SyscallArgs): SysResult {
  const operation = OPERATIONS[a.i32(0)];
  return operation === undefined ? -EOPNOTSUPP : operation(t, a);
}

type Operation = (t: Task, a: SyscallArgs) => SysResult;

const OPERATIONS: Readonly<Record<number, Operation>> = {
  [KEYCTL_GET_KEYRING_ID]: getKeyringId,
  [KEYCTL_JOIN_SESSION_KEYRING]: joinSession,
  [KEYCTL_UPDATE]: update,
  [KEYCTL_REVOKE]: revoke,
  [KEYCTL_CHOWN]: chown,
  [KEYCTL_SETPERM]: setPermissions,
  [KEYCTL_DESCRIBE]: describe,
  [KEYCTL_CLEAR]: clear,
  [KEYCTL_LINK]: link,
  [KEYCTL_UNLINK]: unlink,
  [KEYCTL_SEARCH]: search,
  [KEYCTL_READ]: read,
  [KEYCTL_INSTANTIATE]: withoutAuthority,
  [KEYCTL_NEGATE]: withoutAuthority,
  [KEYCTL_REJECT]: withoutAuthority,
  [KEYCTL_INSTANTIATE_IOV]: withoutAuthority,
  [KEYCTL_SET_REQKEY_KEYRING]: setRequestKeyKeyring,
  [KEYCTL_SET_TIMEOUT]: setTimeout,
  [KEYCTL_ASSUME_AUTHORITY]: assumeAuthority,
  [KEYCTL_GET_SECURITY]: getSecurity,
  [KEYCTL_INVALIDATE]: invalidate,
  [KEYCTL_MOVE]: move,
  [KEYCTL_CAPABILITIES]: capabilities,
};

function getKeyringId(t: Task, a: SyscallArgs): SysResult {
  const found = findKey(t, a.i32(1), a.i32(2) !== 0 ? LOOKUP_CREATE : 0, KEY_SEARCH);
  return typeof found === 'number' ? found : found.key.serial;
}

function joinSession(t: Task, a: SyscallArgs): SysResult {
  const nameAddr = a.u64(1);
  const name = nameAddr === 0 ? null : descriptionAt(t, nameAddr);
  if (typeof name === 'number') return name;
  if (name?.startsWith('.') === true) return -EPERM;
  const key = joinSessionKeyring(t, name);
  return typeof key === 'number' ? key : key.serial;
}

function update(t: Task, a: SyscallArgs): SysResult {
  const plen = a.u64(3);
  if (plen > PAYLOAD_BYTES_MAX) return -EINVAL;
  const payload = payloadAt(t, a.u64(2), plen);
  if (typeof payload === 'number') return payload;
  const found = findKey(t, a.i32(1), 0, KEY_WRITE);
  if (typeof found === 'number') return found;
  if (found.key.isKeyring) return -EOPNOTSUPP;
  return found.key.checkPayload(payload) || t.kernel.keys.update(found.key, payload);
}

function revoke(t: Task, a: SyscallArgs): SysResult {
  let found = findKey(t, a.i32(1), 0, KEY_WRITE);
  if (found === -EACCES) found = findKey(t, a.i32(1), 0, KEY_SETATTR);
  if (typeof found === 'number') return found;
  found.key.isRevoked = true;
  return 0;
}

function chown(t: Task, a: SyscallArgs): SysResult {
  const user = a.u32(2);
  const group = a.u32(3);
  const { userNs } = t.creds;
  const uid = user === UNCHANGED_ID ? UNCHANGED_ID : userNs.uidToKernel(user);
  const gid = group === UNCHANGED_ID ? UNCHANGED_ID : userNs.gidToKernel(group);
  if ((user !== UNCHANGED_ID && uid === INVALID_ID) || (group !== UNCHANGED_ID && gid === INVALID_ID)) return -EINVAL;
  const found = findKey(t, a.i32(1), LOOKUP_CREATE, KEY_SETATTR);
  if (typeof found === 'number') return found;
  const { key } = found;
  if (!t.creds.hasCap(CAP_SYS_ADMIN)) {
    if (uid !== UNCHANGED_ID && uid !== key.uid) return -EACCES;
    if (gid !== UNCHANGED_ID && gid !== key.gid && !t.creds.inGroup(gid)) return -EACCES;
  }
  const full = uid === UNCHANGED_ID ? 0 : t.kernel.keys.changeOwner(key, uid);
  if (full === 0 && gid !== UNCHANGED_ID) key.gid = gid;
  return full;
}

function setPermissions(t: Task, a: SyscallArgs): SysResult {
  const permissions = a.u32(2);
  if ((permissions & ~PERMISSIONS) !== 0) return -EINVAL;
  const found = findKey(t, a.i32(1), LOOKUP_CREATE, KEY_SETATTR);
  if (typeof found === 'number') return found;
  if (found.key.uid !== t.creds.fsuid && !t.creds.hasCap(CAP_SYS_ADMIN)) return -EACCES;
  found.key.permissions = permissions;
  return 0;
}

/** `TYPE;UID;GID;PERMISSIONS;DESCRIPTION`. */
function describe(t: Task, a: SyscallArgs): SysResult {
  const found = findKey(t, a.i32(1), 0, KEY_VIEW);
  if (typeof found === 'number') return found;
  const { type, uid, gid, permissions, description } = found.key;
  const { userNs } = t.creds;
  const ids = `${userNs.uidInside(uid)};${gid === NO_GROUP ? OVERFLOW_ID : userNs.gidInside(gid)}`;
  const text = `${type.name};${ids};${(permissions >>> 0).toString(16).padStart(8, '0')};${description}\0`;
  return giveWhole(
    t,
    a,
    Uint8Array.from(text, (char) => char.charCodeAt(0)),
  );
}

function clear(t: Task, a: SyscallArgs): SysResult {
  const found = findKey(t, a.i32(1), LOOKUP_CREATE, KEY_WRITE);
  if (typeof found === 'number') return found;
  if (!found.key.isKeyring) return -ENOTDIR;
  for (const key of [...found.key.links.values()]) t.kernel.keys.unlink(found.key, key);
  return 0;
}

function link(t: Task, a: SyscallArgs): SysResult {
  const ring = findKey(t, a.i32(2), LOOKUP_CREATE, KEY_WRITE);
  if (typeof ring === 'number') return ring;
  const found = findKey(t, a.i32(1), LOOKUP_CREATE, KEY_LINK);
  return typeof found === 'number' ? found : t.kernel.keys.link(ring.key, found.key);
}

function unlink(t: Task, a: SyscallArgs): SysResult {
  const ring = findKey(t, a.i32(2), 0, KEY_WRITE);
  if (typeof ring === 'number') return ring;
  const found = findKey(t, a.i32(1), LOOKUP_DEAD, 0);
  if (typeof found === 'number') return found;
  if (!ring.key.isKeyring) return -ENOTDIR;
  if (!ring.key.links.has(found.key.serial)) return -ENOENT;
  t.kernel.keys.unlink(ring.key, found.key);
  return 0;
}

function search(t: Task, a: SyscallArgs): SysResult {
  const typeName = typeNameAt(t, a.u64(2));
  if (typeof typeName === 'number') return typeName;
  const description = descriptionAt(t, a.u64(3));
  if (typeof description === 'number') return description;
  const ring = findKey(t, a.i32(1), 0, KEY_SEARCH);
  if (typeof ring === 'number') return ring;
  const destinationId = a.i32(4);
  const destination = destinationId === 0 ? null : findKey(t, destinationId, LOOKUP_CREATE, KEY_WRITE);
  if (typeof destination === 'number') return destination;
  const type = keyTypeNamed(typeName);
  if (type === undefined) return -ENOKEY;
  if (!ring.key.isKeyring) return -ENOTDIR;
  const key = searchKeyring(t, ring, type, description);
  if (typeof key === 'number') return key;
  if (destination === null) return key.serial;
  const denied = key.checkAccess(t.creds, ring.isPossessed, KEY_LINK);
  return denied || t.kernel.keys.link(destination.key, key) || key.serial;
}

/** The payload, or the serial numbers that a keyring links to: what is found by searching can be read too. */
function read(t: Task, a: SyscallArgs): SysResult {
  const found = findKey(t, a.i32(1), 0, 0);
  if (typeof found === 'number') return found === -EKEYREVOKED || found === -EKEYEXPIRED ? found : -ENOKEY;
  const { key, isPossessed } = found;
  const denied = key.checkAccess(t.creds, isPossessed, KEY_READ);
  if (denied < 0 && !isPossessed) return denied;
  if (!key.type.isReadable) return -EOPNOTSUPP;
  return giveWhole(t, a, key.isKeyring ? serialsOf(key) : key.payload);
}

function serialsOf(keyring: Key): Uint8Array {
  return new Uint8Array(Uint32Array.from(keyring.links.keys()).buffer);
}

/** No key is waiting to be made for anybody. */
function withoutAuthority(): SysResult {
  return -EPERM;
}

function setRequestKeyKeyring(t: Task, a: SyscallArgs): SysResult {
  const destination = a.i32(1);
  const old = t.keyrings?.requestKeyDestination ?? 0;
  if (destination === KEY_REQKEY_DEFL_NO_CHANGE) return old;
  if (destination < 0 || destination > KEY_REQKEY_DEFL_USER_SESSION_KEYRING) return -EINVAL;
  (t.keyrings ??= new TaskKeyrings()).requestKeyDestination = destination;
  return old;
}

function setTimeout(t: Task, a: SyscallArgs): SysResult {
  const seconds = a.u32(2);
  const found = findKey(t, a.i32(1), LOOKUP_CREATE, KEY_SETATTR);
  if (typeof found === 'number') return found;
  found.key.expiresAtMs = seconds === 0 ? Infinity : t.kernel.clock.realtimeMs() + seconds * 1000;
  return 0;
}

function assumeAuthority(_t: Task, a: SyscallArgs): SysResult {
  const id = a.i32(1);
  if (id < 0) return -EINVAL;
  return id === 0 ? 0 : -ENOKEY;
}

/** There are no security modules: the label is empty. */
function getSecurity(t: Task, a: SyscallArgs): SysResult {
  const found = findKey(t, a.i32(1), 0, KEY_VIEW);
  return typeof found === 'number' ? found : giveWhole(t, a, Uint8Array.of(0));
}

function invalidate(t: Task, a: SyscallArgs): SysResult {
  const found = findKey(t, a.i32(1), 0, KEY_SEARCH);
  if (typeof found === 'number') return found;
  t.kernel.keys.invalidate(found.key);
  return 0;
}

function move(t: Task, a: SyscallArgs): SysResult {
  const flags = a.u32(4);
  if ((flags & ~KEYCTL_MOVE_EXCL) !== 0) return -EINVAL;
  const found = findKey(t, a.i32(1), LOOKUP_CREATE, KEY_LINK);
  if (typeof found === 'number') return found;
  const from = findKey(t, a.i32(2), 0, KEY_WRITE);
  if (typeof from === 'number') return from;
  const to = findKey(t, a.i32(3), LOOKUP_CREATE, KEY_WRITE);
  if (typeof to === 'number') return to;
  const { key } = found;
  if (!from.key.isKeyring || !to.key.isKeyring) return -ENOTDIR;
  if (from.key === to.key) return 0;
  if (!from.key.links.has(key.serial)) return -ENOENT;
  if ((flags & KEYCTL_MOVE_EXCL) !== 0 && to.key.linkTo(key.type, key.description) !== undefined) return -EEXIST;
  const linked = t.kernel.keys.link(to.key, key);
  if (linked === 0) t.kernel.keys.unlink(from.key, key);
  return linked;
}

function capabilities(t: Task, a: SyscallArgs): SysResult {
  const bufAddr = a.u64(1);
  const len = Math.min(a.u64(2), CAPABILITIES.length);
  if (len > 0 && t.mm.copyOut(bufAddr, CAPABILITIES, 0, len) < 0) return -EFAULT;
  return CAPABILITIES.length;
}

/** Gives `bytes` to the buffer of arguments 2 and 3 if they have room there. Returns how many there are. */
function giveWhole(t: Task, a: SyscallArgs, bytes: Uint8Array): SysResult {
  const bufAddr = a.u64(2);
  const len = a.u64(3);
  if (bufAddr === 0 || len < bytes.length) return bytes.length;
  return t.mm.copyOut(bufAddr, bytes, 0, bytes.length) < 0 ? -EFAULT : bytes.length;
}

/** The name of a type of keys. Errors: EFAULT, EINVAL, EPERM for one of the kernel's own. */
function typeNameAt(t: Task, addr: number): string | Errno {
  const name = t.mm.copyInString(addr, TYPE_BYTES_MAX);
  if (typeof name === 'number') return name === -EFAULT ? -EFAULT : -EINVAL;
  if (name === '') return -EINVAL;
  return name.startsWith('.') ? -EPERM : name;
}

function descriptionAt(t: Task, addr: number): string | Errno {
  const text = t.mm.copyInString(addr, DESCRIPTION_BYTES_MAX);
  return typeof text === 'string' || text === -EFAULT ? text : -EINVAL;
}

function payloadAt(t: Task, addr: number, len: number): Uint8Array | Errno {
  const payload = new Uint8Array(addr === 0 ? 0 : len);
  return t.mm.copyIn(payload, 0, addr, payload.length) < 0 ? -EFAULT : payload;
}
