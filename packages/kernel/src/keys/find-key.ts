import {
  EACCES,
  EINVAL,
  EKEYEXPIRED,
  EKEYREVOKED,
  ENOKEY,
  KEY_SEARCH,
  KEY_SPEC_PROCESS_KEYRING,
  KEY_SPEC_REQKEY_AUTH_KEY,
  KEY_SPEC_REQUESTOR_KEYRING,
  KEY_SPEC_SESSION_KEYRING,
  KEY_SPEC_THREAD_KEYRING,
  KEY_SPEC_USER_KEYRING,
  KEY_SPEC_USER_SESSION_KEYRING,
  type Errno,
} from '@tsv/abi';
import type { Task } from '../task/task.js';
import type { Key, KeyType } from './key.js';
import { TaskKeyrings, replaceKeyring } from './task-keyrings.js';

/** Keyrings within one another that a search goes into. */
const SEARCH_DEPTH_MAX = 6;

/** A key as a caller sees it. */
export interface KeyRef {
  readonly key: Key;
  /** Whether it is found by searching the caller's keyrings: the possessor's rights count. */
  readonly isPossessed: boolean;
}

/** Bits that say how to look a key up. */
export const LOOKUP_CREATE = 1;
/** Keys that were revoked or have expired are found, too. */
export const LOOKUP_DEAD = 2;

/**
 * The key that `id` means, a serial number or KEY_SPEC_*, on which the caller has the rights in `wanted`. Errors: EACCES,
 * EDQUOT, EINVAL, EKEYEXPIRED, EKEYREVOKED, ENOKEY.
 */
export function findKey(t: Task, id: number, flags: number, wanted: number): KeyRef | Errno {
  const found = id < 0 ? specialKeyring(t, id, (flags & LOOKUP_CREATE) !== 0) : numberedKey(t, id);
  if (typeof found === 'number') return found;
  if ((flags & LOOKUP_DEAD) === 0) {
    const status = found.key.validate(t.kernel.clock.realtimeMs());
    if (status < 0) return status;
  }
  return found.key.checkAccess(t.creds, found.isPossessed, wanted) || found;
}

function numberedKey(t: Task, id: number): KeyRef | Errno {
  if (id < 1) return -EINVAL;
  const key = t.kernel.keys.get(id);
  if (key === undefined || key.isInvalidated) return -ENOKEY;
  const isPossessed = startKeyrings(t).some((keyring) => keyring === key || leadsTo(t, keyring, key));
  return { key, isPossessed };
}

function specialKeyring(t: Task, id: number, mayCreate: boolean): KeyRef | Errno {
  let key: Key | Errno;
  switch (id) {
    case KEY_SPEC_THREAD_KEYRING:
      key = t.keyrings?.thread ?? (mayCreate ? createOwn(t, 'thread', '_tid') : -ENOKEY);
      break;
    case KEY_SPEC_PROCESS_KEYRING:
      key = t.keyrings?.process ?? (mayCreate ? createOwn(t, 'process', '_pid') : -ENOKEY);
      break;
    case KEY_SPEC_SESSION_KEYRING:
      key = sessionKeyring(t, mayCreate);
      break;
    case KEY_SPEC_USER_KEYRING:
    case KEY_SPEC_USER_SESSION_KEYRING: {
      const keyrings = t.kernel.keys.keyringsOf(t.creds);
      if (typeof keyrings === 'number') return keyrings;
      key = id === KEY_SPEC_USER_KEYRING ? keyrings.user : keyrings.session;
      break;
    }
    case KEY_SPEC_REQKEY_AUTH_KEY:
    case KEY_SPEC_REQUESTOR_KEYRING:
      return -ENOKEY;
    default:
      return -EINVAL;
  }
  return typeof key === 'number' ? key : { key, isPossessed: true };
}

function createOwn(t: Task, which: 'thread' | 'process', description: string): Key | Errno {
  const key = t.kernel.keys.createOwnKeyring(description, t.creds);
  if (typeof key === 'number') return key;
  const holders = which === 'thread' ? [t] : t.threadGroup.tasks.filter((task) => !task.hasExited);
  for (const task of holders) replaceKeyring(t.kernel, (task.keyrings ??= new TaskKeyrings()), which, key);
  return key;
}

/** The session keyring. A process that has none gets its user's, or a new one where keys are to be put into it. */
function sessionKeyring(t: Task, mayCreate: boolean): Key | Errno {
  const ofUser = t.kernel.keys.keyringsOf(t.creds);
  if (typeof ofUser === 'number') return ofUser;
  const session = t.keyrings?.session ?? ofUser.session;
  if (mayCreate && session === ofUser.session) return joinSessionKeyring(t, null);
  if (t.keyrings?.session == null) replaceKeyring(t.kernel, (t.keyrings ??= new TaskKeyrings()), 'session', session);
  return session;
}

/** KEYCTL_JOIN_SESSION_KEYRING: the keyring called `name`, new if there is none, or a new one without a name. */
export function joinSessionKeyring(t: Task, name: string | null): Key | Errno {
  const { keys, clock } = t.kernel;
  const known = name === null ? undefined : keys.keyringNamed(name, t.creds, clock.realtimeMs());
  const key = known ?? keys.createSessionKeyring(name, t.creds);
  if (typeof key === 'number') return key;
  replaceKeyring(t.kernel, (t.keyrings ??= new TaskKeyrings()), 'session', key);
  return key;
}

/** The keyrings at which searches of the caller begin, keyrings(7) "Possession". */
export function startKeyrings(t: Task): Key[] {
  const { thread, process, session } = t.keyrings ?? NONE;
  const last = session ?? userSessionKeyring(t);
  return [thread, process, last].filter((key) => key !== null);
}

const NONE = new TaskKeyrings();

function userSessionKeyring(t: Task): Key | null {
  const keyrings = t.kernel.keys.keyringsOf(t.creds);
  return typeof keyrings === 'number' ? null : keyrings.session;
}

/** Whether a search in `keyring`, which is possessed, comes to `target`. */
function leadsTo(t: Task, keyring: Key, target: Key): boolean {
  if (target.checkAccess(t.creds, true, KEY_SEARCH) < 0) return false;
  const depths = new Map([[keyring, 0]]);
  for (const [next, depth] of depths) {
    if (next.links.get(target.serial) === target) return next.checkAccess(t.creds, true, KEY_SEARCH) === 0;
    if (depth >= SEARCH_DEPTH_MAX || next.checkAccess(t.creds, true, KEY_SEARCH) < 0) continue;
    for (const key of next.links.values()) if (key.isKeyring && !depths.has(key)) depths.set(key, depth + 1);
  }
  return false;
}

/**
 * Looks for a key by type and description in `keyring` and those that it links to. Errors: ENOKEY, or that of a key that
 * was found but cannot be used: EACCES, EKEYEXPIRED, EKEYREVOKED.
 */
export function searchKeyring(
  t: Task,
  { key: keyring, isPossessed }: KeyRef,
  type: KeyType,
  description: string,
): Key | Errno {
  const nowMs = t.kernel.clock.realtimeMs();
  let error = -ENOKEY;
  const pending = [keyring];
  const seen = new Set<Key>();
  for (let next = pending.shift(); next !== undefined; next = pending.shift()) {
    if (seen.has(next) || next.checkAccess(t.creds, isPossessed, KEY_SEARCH) < 0) continue;
    seen.add(next);
    for (const key of next.links.values()) {
      if (key.isKeyring && key.validate(nowMs) === 0) pending.push(key);
      if (key.type !== type || key.description !== description) continue;
      const status = key.validate(nowMs) || key.checkAccess(t.creds, isPossessed, KEY_SEARCH);
      if (status === 0) return key;
      if (status === -EACCES || status === -EKEYEXPIRED || status === -EKEYREVOKED) error = status;
    }
  }
  return error;
}

/** Looks for a key in all keyrings of the caller, request_key(2). Errors: ENOKEY. */
export function searchAll(t: Task, type: KeyType, description: string): Key | Errno {
  for (const keyring of startKeyrings(t)) {
    const found = searchKeyring(t, { key: keyring, isPossessed: true }, type, description);
    if (typeof found !== 'number') return found;
  }
  return -ENOKEY;
}
