import { EACCES, EINVAL, EKEYEXPIRED, EKEYREVOKED, ENOKEY, type Errno } from '@tsv/abi';
import type { Credentials } from '../cred/credentials.js';

/** What a type of keys does with the payload, keyrings(7) "Key types". */
export interface KeyType {
  readonly name: string;
  /** The most bytes of payload; null for keyrings, which have none. */
  readonly payloadBytesMax: number | null;
  readonly isReadable: boolean;
  /** Whether `description` can be that of such a key. */
  isDescription(description: string): boolean;
}

const USER_BYTES_MAX = 32767;

export const KEYRING: KeyType = { name: 'keyring', payloadBytesMax: null, isReadable: true, isDescription: () => true };
const KEY_TYPES: readonly KeyType[] = [
  KEYRING,
  { name: 'user', payloadBytesMax: USER_BYTES_MAX, isReadable: true, isDescription: () => true },
  // The part before the colon says which service the key is for.
  { name: 'logon', payloadBytesMax: USER_BYTES_MAX, isReadable: false, isDescription: (text) => text.indexOf(':') > 0 },
];

export function keyTypeNamed(name: string): KeyType | undefined {
  return KEY_TYPES.find((type) => type.name === name);
}

/** A key or a keyring, keyrings(7). */
export class Key {
  readonly serial: number;
  readonly type: KeyType;
  readonly description: string;
  uid: number;
  gid: number;
  /** Rights by class, KEY_*. */
  permissions: number;
  payload: Uint8Array;
  /** Of a keyring: what it links to, by serial number, in the order in which it was linked. */
  readonly links = new Map<number, Key>();
  /** Realtime milliseconds; Infinity for never. */
  expiresAtMs = Infinity;
  isRevoked = false;
  isInvalidated = false;
  /** Keyrings that link to it, and tasks that have it as one of theirs. Written by {@link Keys}. */
  holdCount = 0;

  constructor(serial: number, type: KeyType, description: string, owner: Credentials, permissions: number) {
    this.serial = serial;
    this.type = type;
    this.description = description;
    this.uid = owner.fsuid;
    this.gid = owner.fsgid;
    this.permissions = permissions;
    this.payload = NO_BYTES;
  }

  get isKeyring(): boolean {
    return this.type === KEYRING;
  }

  /** What counts against the quota of its owner. */
  get byteCount(): number {
    return this.description.length + 1 + (this.isKeyring ? 0 : this.payload.length);
  }

  /** Errors: EKEYREVOKED, EKEYEXPIRED, ENOKEY for one that was invalidated. */
  validate(nowMs: number): 0 | Errno {
    if (this.isInvalidated) return -ENOKEY;
    if (this.isRevoked) return -EKEYREVOKED;
    return this.expiresAtMs <= nowMs ? -EKEYEXPIRED : 0;
  }

  /** Whether `creds` have all rights in `wanted`, as possessor too if they are. Errors: EACCES. */
  checkAccess(creds: Credentials, isPossessed: boolean, wanted: number): 0 | Errno {
    let granted = this.permissions;
    if (this.uid === creds.fsuid) granted = this.permissions >>> 16;
    else if ((this.permissions & GROUP_ALL) !== 0 && creds.inGroup(this.gid)) granted = this.permissions >>> 8;
    if (isPossessed) granted |= this.permissions >>> 24;
    return (wanted & ~granted) === 0 ? 0 : -EACCES;
  }

  /** Whether `payload` can be that of such a key. Errors: EINVAL. */
  checkPayload(payload: Uint8Array): 0 | Errno {
    return checkPayload(this.type, payload);
  }

  /** The link of a keyring to a key of this type and description, or undefined. */
  linkTo(type: KeyType, description: string): Key | undefined {
    for (const key of this.links.values()) if (key.type === type && key.description === description) return key;
    return undefined;
  }
}

/** Whether `payload` can be that of a key of type `type`. Errors: EINVAL. */
export function checkPayload({ payloadBytesMax }: KeyType, payload: Uint8Array): 0 | Errno {
  if (payloadBytesMax === null) return payload.length === 0 ? 0 : -EINVAL;
  return payload.length > 0 && payload.length <= payloadBytesMax ? 0 : -EINVAL;
}

const NO_BYTES = new Uint8Array(0);
const GROUP_ALL = 0x3f00;
