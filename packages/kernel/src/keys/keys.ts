import {
  EDEADLK,
  EDQUOT,
  ELOOP,
  ENOTDIR,
  KEY_ALL,
  KEY_LINK,
  KEY_READ,
  KEY_SEARCH,
  KEY_SETATTR,
  KEY_VIEW,
  type Errno,
} from '@tsv/abi';
import type { Credentials } from '../cred/credentials.js';
import { KEYRING, Key, type KeyType } from './key.js';

/** Keys and bytes that a user may have, and that root may, keyrings(7). Differs: root may have 1,000,000 on Linux. */
const QUOTA = { keyCount: 200, byteCount: 20_000 } as const;
const ROOT_QUOTA = { keyCount: 20_000, byteCount: 25_000_000 } as const;
/** Keyrings that may lie within one another, keyctl(2) ELOOP. */
const NESTING_MAX = 6;
const SERIAL_MIN = 3;
const SERIAL_MAX = 0x7fff_ffff;

const POSSESSOR_ALL = KEY_ALL << 24;
/** Rights on the keyrings that the kernel makes. */
const OWN_KEYRING = POSSESSOR_ALL | (KEY_VIEW << 16);
const SESSION_KEYRING = POSSESSOR_ALL | ((KEY_VIEW | KEY_READ) << 16);
const NAMED_SESSION_KEYRING = SESSION_KEYRING | (KEY_LINK << 16);
const USER_KEYRING = (POSSESSOR_ALL & ~(KEY_SETATTR << 24)) | (KEY_ALL << 16);

/** The keyrings of a user, which come into being when somebody asks for them and stay. */
interface UserKeyrings {
  readonly user: Key;
  readonly session: Key;
}

/** Every key of a kernel, keyrings(7). */
export class Keys {
  readonly #bySerial = new Map<number, Key>();
  readonly #ofUsers = new Map<string, UserKeyrings>();
  readonly #random: (dst: Uint8Array) => void;
  readonly #serialBytes = new Uint8Array(4);

  constructor(random: (dst: Uint8Array) => void) {
    this.#random = random;
  }

  /** The key with this serial number, or undefined. */
  get(serial: number): Key | undefined {
    return this.#bySerial.get(serial);
  }

  /** All keys. */
  values(): IterableIterator<Key> {
    return this.#bySerial.values();
  }

  /** A new key that nobody holds yet. Errors: EDQUOT. */
  create(
    type: KeyType,
    description: string,
    owner: Credentials,
    permissions: number,
    payload: Uint8Array,
  ): Key | Errno {
    const key = new Key(this.#freeSerial(), type, description, owner, permissions);
    key.payload = payload;
    const full = this.#checkQuota(key.uid, 1, key.byteCount);
    if (full < 0) return full;
    this.#bySerial.set(key.serial, key);
    return key;
  }

  /** Gives `key` another payload. Errors: EDQUOT. */
  update(key: Key, payload: Uint8Array): 0 | Errno {
    const full = this.#checkQuota(key.uid, 0, payload.length - key.payload.length);
    if (full < 0) return full;
    key.payload = payload;
    return 0;
  }

  /** Gives `key` another owner. Errors: EDQUOT. */
  changeOwner(key: Key, uid: number): 0 | Errno {
    if (uid === key.uid) return 0;
    const full = this.#checkQuota(uid, 1, key.byteCount);
    if (full < 0) return full;
    key.uid = uid;
    return 0;
  }

  /** The keyring `_tid` or `_pid` of a thread or process. Errors: EDQUOT. */
  createOwnKeyring(description: string, owner: Credentials): Key | Errno {
    return this.create(KEYRING, description, owner, OWN_KEYRING, NO_BYTES);
  }

  /** A session keyring; `name` is null for one without. Errors: EDQUOT. */
  createSessionKeyring(name: string | null, owner: Credentials): Key | Errno {
    const permissions = name === null ? SESSION_KEYRING : NAMED_SESSION_KEYRING;
    return this.create(KEYRING, name ?? '_ses', owner, permissions, NO_BYTES);
  }

  /** The keyring called `name` that `creds` may find, for KEYCTL_JOIN_SESSION_KEYRING. */
  keyringNamed(name: string, creds: Credentials, nowMs: number): Key | undefined {
    for (const key of this.#bySerial.values()) {
      if (!key.isKeyring || key.description !== name || key.validate(nowMs) < 0) continue;
      if (key.checkAccess(creds, false, KEY_SEARCH) === 0) return key;
    }
    return undefined;
  }

  /** The keyrings of the real user of `creds`. Errors: EDQUOT. */
  keyringsOf(creds: Credentials): UserKeyrings | Errno {
    const uid = creds.userNs.uidInside(creds.uid);
    const name = `${creds.userNs.level}:${creds.uid}`;
    const known = this.#ofUsers.get(name);
    if (known !== undefined) return known;
    const owner = creds.with({ fsuid: creds.uid, fsgid: 0xffff_ffff });
    const user = this.create(KEYRING, `_uid.${uid}`, owner, USER_KEYRING, NO_BYTES);
    if (typeof user === 'number') return user;
    this.hold(user);
    const session = this.create(KEYRING, `_uid_ses.${uid}`, owner, USER_KEYRING, NO_BYTES);
    if (typeof session === 'number') {
      this.drop(user);
      return session;
    }
    this.hold(session);
    this.link(session, user);
    const made = { user, session };
    this.#ofUsers.set(name, made);
    return made;
  }

  hold(key: Key): void {
    key.holdCount++;
  }

  /** Gives up a hold: a key that nobody holds is gone, and what it links to may be. */
  drop(key: Key): void {
    const dropped = [key];
    for (let next = dropped.pop(); next !== undefined; next = dropped.pop()) {
      next.holdCount--;
      if (next.holdCount > 0) continue;
      this.#bySerial.delete(next.serial);
      dropped.push(...next.links.values());
      next.links.clear();
    }
  }

  /** Links `key` into `keyring` in place of one of its type and description. Errors: EDEADLK, ELOOP, ENOTDIR. */
  link(keyring: Key, key: Key): 0 | Errno {
    if (!keyring.isKeyring) return -ENOTDIR;
    if (key.isKeyring) {
      let deepest = 0;
      for (const [below, depth] of keyringsBelow(key)) {
        if (below === keyring) return -EDEADLK;
        deepest = depth;
      }
      if (deepest >= NESTING_MAX) return -ELOOP;
    }
    if (keyring.links.has(key.serial)) return 0;
    const displaced = keyring.linkTo(key.type, key.description);
    this.hold(key);
    keyring.links.set(key.serial, key);
    if (displaced !== undefined) this.unlink(keyring, displaced);
    return 0;
  }

  unlink(keyring: Key, key: Key): void {
    if (keyring.links.delete(key.serial)) this.drop(key);
  }

  /** KEYCTL_INVALIDATE: no keyring links to it any more. */
  invalidate(key: Key): void {
    key.isInvalidated = true;
    for (const other of [...this.#bySerial.values()]) this.unlink(other, key);
  }

  #checkQuota(uid: number, keyCount: number, byteCount: number): 0 | Errno {
    const quota = uid === 0 ? ROOT_QUOTA : QUOTA;
    let [keys, bytes] = [keyCount, byteCount];
    for (const key of this.#bySerial.values()) {
      if (key.uid !== uid) continue;
      keys++;
      bytes += key.byteCount;
    }
    return keys > quota.keyCount || bytes > quota.byteCount ? -EDQUOT : 0;
  }

  /** A number that cannot be guessed, as Linux's: keys cannot be found by trying. */
  #freeSerial(): number {
    for (;;) {
      this.#random(this.#serialBytes);
      const serial = new DataView(this.#serialBytes.buffer).getUint32(0, true) & SERIAL_MAX;
      if (serial >= SERIAL_MIN && !this.#bySerial.has(serial)) return serial;
      // What is random in a test may come round: the next free number is as good.
      for (let next = Math.max(serial, SERIAL_MIN); next <= SERIAL_MAX; next++) {
        if (!this.#bySerial.has(next)) return next;
      }
    }
  }
}

const NO_BYTES = new Uint8Array(0);

/** The keyrings that `from` leads to, itself first, with how deep they lie; each at its smallest depth. */
function keyringsBelow(from: Key): Map<Key, number> {
  const depths = new Map([[from, 0]]);
  for (const [keyring, depth] of depths) {
    for (const key of keyring.links.values()) if (key.isKeyring && !depths.has(key)) depths.set(key, depth + 1);
  }
  return depths;
}
