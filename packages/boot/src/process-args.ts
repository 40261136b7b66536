import * as abi from '@tsv/abi';
import { CapSet, Credentials, ResourceLimits, type UserNamespace } from '@tsv/kernel';
import type { Process } from '@tsv/oci';
import { toByteString } from './byte-string.js';
import { SandboxError } from './sandbox-error.js';

const RLIMITS: Readonly<Record<string, number>> = {
  RLIMIT_CPU: abi.RLIMIT_CPU,
  RLIMIT_FSIZE: abi.RLIMIT_FSIZE,
  RLIMIT_DATA: abi.RLIMIT_DATA,
  RLIMIT_STACK: abi.RLIMIT_STACK,
  RLIMIT_CORE: abi.RLIMIT_CORE,
  RLIMIT_RSS: abi.RLIMIT_RSS,
  RLIMIT_NPROC: abi.RLIMIT_NPROC,
  RLIMIT_NOFILE: abi.RLIMIT_NOFILE,
  RLIMIT_MEMLOCK: abi.RLIMIT_MEMLOCK,
  RLIMIT_AS: abi.RLIMIT_AS,
  RLIMIT_LOCKS: abi.RLIMIT_LOCKS,
  RLIMIT_SIGPENDING: abi.RLIMIT_SIGPENDING,
  RLIMIT_MSGQUEUE: abi.RLIMIT_MSGQUEUE,
  RLIMIT_NICE: abi.RLIMIT_NICE,
  RLIMIT_RTPRIO: abi.RLIMIT_RTPRIO,
  RLIMIT_RTTIME: abi.RLIMIT_RTTIME,
};

/** RLIM_INFINITY as JSON numbers hold it: from here on a limit means none. */
const UNLIMITED_FROM = 2 ** 63;

/** Limits of the container's process: Linux's defaults, then what config.json says, "POSIX process". */
export function createLimits(process: Process): ResourceLimits {
  const limits = ResourceLimits.defaults();
  const seen = new Set<string>();
  for (const [index, { type, soft, hard }] of (process.rlimits ?? []).entries()) {
    const resource = RLIMITS[type];
    const where = `process.rlimits.${index}`;
    if (resource === undefined) throw new SandboxError(`Cannot use ${where}: "${type}" is no limit`);
    if (seen.has(type)) throw new SandboxError(`Cannot use ${where}: "${type}" is there twice`);
    if (soft > hard) throw new SandboxError(`Cannot use ${where}: soft limit ${soft} is above hard limit ${hard}`);
    seen.add(type);
    const unlimited = (value: number): number => (value >= UNLIMITED_FROM ? abi.RLIM_INFINITY : value);
    limits.set(resource, unlimited(soft), unlimited(hard));
  }
  return limits;
}

/**
 * Credentials of the container's process, config.md "User" and "Linux Process" capabilities: one that cannot be had is
 * told to `warn`, and it goes on without.
 */
export function createCredentials(
  process: Process,
  userNs: UserNamespace,
  warn: (message: string) => void,
): Credentials {
  const uid = process.user?.uid ?? 0;
  const gid = process.user?.gid ?? 0;
  const base = Credentials.forUser(userNs, uid, gid, process.user?.additionalGids ?? []);
  const sets = process.capabilities;
  if (sets === undefined) return base.with({ permitted: CapSet.EMPTY, effective: CapSet.EMPTY });
  const known = (names: readonly string[] = []): CapSet =>
    CapSet.of(names.map((name) => abi.CAPABILITY_NAMES.indexOf(name)).filter((cap) => cap >= 0));
  for (const name of new Set(Object.values(sets).flat() as string[])) {
    if (!abi.CAPABILITY_NAMES.includes(name)) warn(`Cannot grant process.capabilities "${name}": there is none such`);
  }
  return base.with({
    bounding: known(sets.bounding),
    effective: known(sets.effective),
    permitted: known(sets.permitted),
    inheritable: known(sets.inheritable),
    ambient: known(sets.ambient),
  });
}

/** The process without CAP_NET_RAW, whatever is listed. */
export function withoutNetRaw(process: Process): Process {
  if (process.capabilities === undefined) return process;
  const sets = Object.entries(process.capabilities) as [string, readonly string[]][];
  const kept = sets.map(([set, names]) => [set, names.filter((name) => name !== 'CAP_NET_RAW')]);
  return { ...process, capabilities: Object.fromEntries(kept) as typeof process.capabilities };
}

/**
 * The environment as byte strings; of a variable that is there twice the last counts, as with runc. Throws on an entry
 * without `=`.
 */
export function createEnvironment(process: Process): string[] {
  const values = new Map<string, string>();
  for (const [index, entry] of (process.env ?? []).entries()) {
    const cut = entry.indexOf('=');
    if (cut <= 0 || entry.includes('\0'))
      throw new SandboxError(`Cannot use process.env.${index}: it is not NAME=VALUE`);
    const name = entry.slice(0, cut);
    values.delete(name);
    values.set(name, entry.slice(cut + 1));
  }
  return [...values].map(([name, value]) => toByteString(`${name}=${value}`));
}
