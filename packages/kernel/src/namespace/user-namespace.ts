/** A range of user or group IDs and where it lies in the kernel's own numbering, user_namespaces(7). */
export interface IdRange {
  readonly firstInside: number;
  readonly firstKernel: number;
  readonly count: number;
}

/** The ID that stands for those without a mapping. */
export const OVERFLOW_ID = 65534;
/** An ID that no mapping gives: (uid_t)-1. */
export const INVALID_ID = 0xffffffff;

/** user_namespaces(7). Credentials hold the kernel's IDs; guests see what {@link uidInside} and kin make of them. */
export class UserNamespace {
  readonly parent: UserNamespace | null;
  readonly level: number;
  /** The kernel's ID of the user who created it. */
  readonly ownerUid: number;
  readonly ownerGid: number;
  /** /proc/PID/uid_map; null until it is written. */
  uidMap: readonly IdRange[] | null;
  gidMap: readonly IdRange[] | null;
  /** /proc/PID/setgroups. */
  isSetgroupsAllowed: boolean;

  constructor(parent: UserNamespace | null, ownerUid: number, ownerGid: number) {
    this.parent = parent;
    this.level = parent === null ? 0 : parent.level + 1;
    this.ownerUid = ownerUid;
    this.ownerGid = ownerGid;
    this.uidMap = parent === null ? IDENTITY : null;
    this.gidMap = parent === null ? IDENTITY : null;
    this.isSetgroupsAllowed = parent === null || parent.isSetgroupsAllowed;
  }

  /** Kernel's ID of the namespace's `uid`, or INVALID_ID. */
  uidToKernel(uid: number): number {
    return toKernel(this.uidMap, uid);
  }
  gidToKernel(gid: number): number {
    return toKernel(this.gidMap, gid);
  }

  /** The namespace's ID of the kernel's `uid`, OVERFLOW_ID when it has none. */
  uidInside(uid: number): number {
    return toInside(this.uidMap, uid);
  }
  gidInside(gid: number): number {
    return toInside(this.gidMap, gid);
  }

  hasUid(uid: number): boolean {
    return this.uidMap !== null && this.uidMap.some((r) => uid >= r.firstKernel && uid - r.firstKernel < r.count);
  }
  hasGid(gid: number): boolean {
    return this.gidMap !== null && this.gidMap.some((r) => gid >= r.firstKernel && gid - r.firstKernel < r.count);
  }

  /** Whether this is `other` or one of its ancestors. */
  contains(other: UserNamespace): boolean {
    let ns: UserNamespace | null = other;
    while (ns !== null && ns.level > this.level) ns = ns.parent;
    return ns === this;
  }
}

const IDENTITY: readonly IdRange[] = [{ firstInside: 0, firstKernel: 0, count: 0xffffffff }];

function toKernel(map: readonly IdRange[] | null, id: number): number {
  if (map === IDENTITY) return id;
  if (map === null) return INVALID_ID;
  for (const r of map)
    if (id >= r.firstInside && id - r.firstInside < r.count) return r.firstKernel + id - r.firstInside;
  return INVALID_ID;
}

function toInside(map: readonly IdRange[] | null, id: number): number {
  if (map === IDENTITY) return id;
  if (map === null) return OVERFLOW_ID;
  for (const r of map)
    if (id >= r.firstKernel && id - r.firstKernel < r.count) return r.firstInside + id - r.firstKernel;
  return OVERFLOW_ID;
}
