import { CAP_SETGID, CAP_SETUID, CAP_SYS_ADMIN, EINVAL, EPERM, type Errno } from '@tsv/abi';
import type { Credentials } from '../cred/credentials.js';
import type { IdRange, UserNamespace } from './user-namespace.js';

/** Lines that a map may have. */
const RANGES_MAX = 340;
const ID_MAX = 0xffff_fffe;

/** Sets the user ID map of `ns`, /proc/PID/uid_map of user_namespaces(7). Returns 0. Errors: EINVAL, EPERM. */
export function writeUidMap(ns: UserNamespace, text: string, writer: Credentials): 0 | Errno {
  const map = checkedMap(ns, text, writer, ns.uidMap, ns.parent?.uidMap ?? null);
  if (typeof map === 'number') return map;
  if (!maySet(ns, map, writer, CAP_SETUID, writer.euid, true)) return -EPERM;
  ns.uidMap = map;
  return 0;
}

/** Sets the group ID map of `ns`, /proc/PID/gid_map of user_namespaces(7). Returns 0. Errors: EINVAL, EPERM. */
export function writeGidMap(ns: UserNamespace, text: string, writer: Credentials): 0 | Errno {
  const map = checkedMap(ns, text, writer, ns.gidMap, ns.parent?.gidMap ?? null);
  if (typeof map === 'number') return map;
  if (!maySet(ns, map, writer, CAP_SETGID, writer.egid, !ns.isSetgroupsAllowed)) return -EPERM;
  ns.gidMap = map;
  return 0;
}

/** Allows or denies setgroups(2) in `ns`, /proc/PID/setgroups. Returns 0. Errors: EINVAL, EPERM. */
export function writeSetgroups(ns: UserNamespace, text: string, writer: Credentials): 0 | Errno {
  if (!writer.hasCapIn(ns, CAP_SYS_ADMIN)) return -EPERM;
  if (text === 'allow') return ns.isSetgroupsAllowed ? 0 : -EPERM;
  if (text !== 'deny') return -EINVAL;
  if (ns.gidMap !== null) return -EPERM;
  ns.isSetgroupsAllowed = false;
  return 0;
}

/** The map that `text` says, in the kernel's IDs, if `writer` may write one at all: once, from inside or the parent. */
function checkedMap(
  ns: UserNamespace,
  text: string,
  writer: Credentials,
  present: readonly IdRange[] | null,
  parentMap: readonly IdRange[] | null,
): IdRange[] | Errno {
  if (present !== null || parentMap === null) return -EPERM;
  if (writer.userNs !== ns && writer.userNs !== ns.parent) return -EPERM;
  if (!writer.hasCapIn(ns, CAP_SYS_ADMIN)) return -EPERM;
  const lines = text.split('\n');
  if (lines.length > RANGES_MAX) return -EINVAL;
  const map: IdRange[] = [];
  for (const line of lines) {
    const range = parseRange(line);
    if (range === null || map.some((other) => overlaps(other, range))) return -EINVAL;
    map.push(range);
  }
  for (const [i, range] of map.entries()) {
    const firstKernel = throughParent(parentMap, range);
    if (firstKernel < 0) return -EPERM;
    map[i] = { ...range, firstKernel };
  }
  return map;
}

/** One's own ID may be mapped by the owner of the namespace; more takes the capability in the parent. */
function maySet(
  ns: UserNamespace,
  map: readonly IdRange[],
  writer: Credentials,
  cap: number,
  ownId: number,
  mayMapOwn: boolean,
): boolean {
  const [first] = map;
  const isOwnOnly = map.length === 1 && first!.count === 1 && first!.firstKernel === ownId;
  if (isOwnOnly && mayMapOwn && ns.ownerUid === writer.euid) return true;
  return ns.parent !== null && writer.hasCapIn(ns.parent, cap);
}

/** `FIRST-INSIDE FIRST-OUTSIDE COUNT`; null for anything else. */
function parseRange(line: string): IdRange | null {
  const match = /^\s*(\d{1,10})\s+(\d{1,10})\s+(\d{1,10})\s*$/.exec(line);
  if (match === null) return null;
  const [firstInside, firstKernel, count] = match.slice(1).map(Number) as [number, number, number];
  if (count === 0 || firstInside + count - 1 > ID_MAX || firstKernel + count - 1 > ID_MAX) return null;
  return { firstInside, firstKernel, count };
}

function overlaps(a: IdRange, b: IdRange): boolean {
  const meets = (x: number, y: number): boolean => x < y + b.count && y < x + a.count;
  return meets(a.firstInside, b.firstInside) || meets(a.firstKernel, b.firstKernel);
}

/** The kernel's first ID of a range of the parent's IDs, or -1 when the parent does not map all of it. */
function throughParent(parentMap: readonly IdRange[], range: IdRange): number {
  for (const p of parentMap) {
    const from = range.firstKernel - p.firstInside;
    if (from >= 0 && from + range.count <= p.count) return p.firstKernel + from;
  }
  return -1;
}
