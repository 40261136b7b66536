import type { FsCredentials } from '@tsv/vfs';
import type { UserNamespace } from '../namespace/user-namespace.js';
import { CapSet } from './cap-set.js';

/** The fields of {@link Credentials}. IDs are the kernel's, before the mapping of a user namespace. */
export interface CredentialFields {
  readonly uid: number;
  readonly euid: number;
  readonly suid: number;
  readonly fsuid: number;
  readonly gid: number;
  readonly egid: number;
  readonly sgid: number;
  readonly fsgid: number;
  /** Supplementary groups, sorted. */
  readonly groups: readonly number[];
  readonly permitted: CapSet;
  readonly effective: CapSet;
  readonly inheritable: CapSet;
  readonly bounding: CapSet;
  readonly ambient: CapSet;
  readonly securebits: number;
  readonly userNs: UserNamespace;
}

/** credentials(7) and capabilities(7) of a task. Immutable: a change makes new ones. */
export class Credentials implements FsCredentials, CredentialFields {
  readonly uid: number;
  readonly euid: number;
  readonly suid: number;
  readonly fsuid: number;
  readonly gid: number;
  readonly egid: number;
  readonly sgid: number;
  readonly fsgid: number;
  readonly groups: readonly number[];
  readonly permitted: CapSet;
  readonly effective: CapSet;
  readonly inheritable: CapSet;
  readonly bounding: CapSet;
  readonly ambient: CapSet;
  readonly securebits: number;
  readonly userNs: UserNamespace;

  constructor(f: CredentialFields) {
    this.uid = f.uid;
    this.euid = f.euid;
    this.suid = f.suid;
    this.fsuid = f.fsuid;
    this.gid = f.gid;
    this.egid = f.egid;
    this.sgid = f.sgid;
    this.fsgid = f.fsgid;
    this.groups = f.groups;
    this.permitted = f.permitted;
    this.effective = f.effective;
    this.inheritable = f.inheritable;
    this.bounding = f.bounding;
    this.ambient = f.ambient;
    this.securebits = f.securebits;
    this.userNs = f.userNs;
  }

  /** A process of user `uid` and group `gid`: with every capability if that is root, with none otherwise. */
  static forUser(userNs: UserNamespace, uid: number, gid: number, groups: readonly number[] = []): Credentials {
    const caps = uid === 0 ? CapSet.FULL : CapSet.EMPTY;
    return new Credentials({
      uid,
      euid: uid,
      suid: uid,
      fsuid: uid,
      gid,
      egid: gid,
      sgid: gid,
      fsgid: gid,
      groups: [...groups].sort((a, b) => a - b),
      permitted: caps,
      effective: caps,
      inheritable: CapSet.EMPTY,
      bounding: CapSet.FULL,
      ambient: CapSet.EMPTY,
      securebits: 0,
      userNs,
    });
  }

  /** A copy with some fields changed. */
  with(changes: Partial<CredentialFields>): Credentials {
    const fields: CredentialFields = Object.assign({}, this, changes);
    return new Credentials(fields);
  }

  inGroup(gid: number): boolean {
    return gid === this.fsgid || this.groups.includes(gid);
  }

  /** Whether `gid` is the effective group or a supplementary one. */
  inEffectiveGroup(gid: number): boolean {
    return gid === this.egid || this.groups.includes(gid);
  }

  /** Whether `cap` is effective in the task's own user namespace. */
  hasCap(cap: number): boolean {
    return this.effective.has(cap);
  }

  hasInitialCap(cap: number): boolean {
    return this.userNs.level === 0 && this.effective.has(cap);
  }

  mapsIds(uid: number, gid: number): boolean {
    const { userNs } = this;
    return userNs.level === 0 || (userNs.hasUid(uid) && userNs.hasGid(gid));
  }

  /** Whether `cap` is effective towards what belongs to `ns`, user_namespaces(7). */
  hasCapIn(ns: UserNamespace, cap: number): boolean {
    for (let target: UserNamespace | null = ns; target !== null; target = target.parent) {
      if (target === this.userNs) return this.effective.has(cap);
      if (target.level <= this.userNs.level) return false;
      if (target.parent === this.userNs && target.ownerUid === this.euid) return true;
    }
    return false;
  }
}
