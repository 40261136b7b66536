import { Timer } from '@tsv/clock';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold } from '../checksum/checksum.js';
import type { Stack } from '../stack.js';
import { loadU16 } from '../wire/byte-order.js';
import { IPV4_ALL_SYSTEMS, IPV6_ALL_NODES, IpAddress } from '../wire/ip-address.js';
import {
  ALLOW_NEW_SOURCES,
  BLOCK_OLD_SOURCES,
  CHANGE_TO_EXCLUDE,
  CHANGE_TO_INCLUDE,
  MODE_IS_EXCLUDE,
  MODE_IS_INCLUDE,
  OlderVersion,
  sendGroupRecord,
  sendOlderReport,
} from './group-report.js';
import type { Nic } from './nic.js';
import { type SourceFilter, sourcesThatDiffer } from './source-filter.js';

const IGMP_QUERY = 0x11;
/** Queries of version 1 and 2 (IGMP) and 1 (MLD) have this length, later ones are longer. */
const IGMP_QUERY_BYTES = 8;
const MLD_QUERY_BYTES = 24;
/** Where the group and the sources of a query of version 3 (IGMP) and 2 (MLD) are. */
const IGMP_GROUP = 4;
const IGMP_SOURCE_COUNT = 10;
const IGMP_SOURCES = 12;
const MLD_GROUP = 8;
const MLD_SOURCE_COUNT = 26;
const MLD_SOURCES = 28;

/** Robustness variable and unsolicited report interval, RFC 3376 section 8. */
const ROBUSTNESS = 2;
const UNSOLICITED_INTERVAL_MS = 1_000;
/** Older Version Querier Present Timeout, RFC 3376 section 8.12: twice the query interval, and a response interval. */
const OLDER_QUERIER_MS = 260_000;
/** What a querier of version 1 allows, RFC 3376 section 7.2.1. */
const IGMPV1_RESPONSE_MS = 10_000;
/** Groups with changes that wait to be repeated; further ones are told once. */
const CHANGE_COUNT_MAX = 64;
/** Sources of one group whose change waits to be repeated; for more the first are not. */
const SOURCE_COUNT_MAX = 64;
/** Queries for groups that wait for their answer; further ones are not answered. */
const QUERY_COUNT_MAX = 64;

/** What is still to be told of one group: how often that its mode changed, and how often of each source. */
interface Change {
  readonly group: IpAddress;
  modeLeft: number;
  sources: { readonly address: IpAddress; left: number }[];
}

/** A query for one group, and if `sources` are not null for those of its sources. */
interface Query {
  readonly group: IpAddress;
  sources: readonly IpAddress[] | null;
}

/** What one interface still has to report. */
class Reporter extends Timer {
  readonly nic: Nic;
  readonly changes: Change[] = [];
  readonly queries: Query[] = [];
  /** Whether a query for all groups of the family is to be answered. */
  answersIpv4 = false;
  answersIpv6 = false;
  readonly #keeper: MulticastGroups;

  constructor(keeper: MulticastGroups, nic: Nic) {
    super();
    this.#keeper = keeper;
    this.nic = nic;
  }

  fired(nowMs: number): void {
    this.#keeper.report(this, nowMs);
  }
}

/** Until when an interface reports as queriers of older versions understand it. */
class OlderQueriers {
  igmpV1UntilMs = -Infinity;
  igmpV2UntilMs = -Infinity;
  mldV1UntilMs = -Infinity;
}

/**
 * Tells routers what of which groups the interfaces want: IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), and to queriers of
 * older versions as those do (sections 7.2 and 8.2).
 */
export class MulticastGroups {
  readonly #stack: Stack;
  readonly #reporters = new Map<number, Reporter>();
  readonly #older = new WeakMap<Nic, OlderQueriers>();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** An interface wanted `before` of a group, and wants `after` now: RFC 3376 section 5.1. */
  changed(nic: Nic, group: IpAddress, before: SourceFilter, after: SourceFilter): void {
    if (!isReported(nic, group)) return;
    const hasMode = before.isExclude !== after.isExclude;
    const sources = hasMode ? [] : sourcesThatDiffer(before, after);
    if (!hasMode && sources.length === 0) return;
    const reporter = this.#reporterOf(nic);
    let change = reporter.changes.find((entry) => entry.group.equals(group));
    if (change === undefined) {
      change = { group: group.clone(), modeLeft: 0, sources: [] };
      if (reporter.changes.length < CHANGE_COUNT_MAX) reporter.changes.push(change);
    }
    if (hasMode) {
      change.modeLeft = ROBUSTNESS;
      change.sources = [];
    }
    for (const address of sources) {
      const entry = change.sources.find((other) => other.address.equals(address));
      if (entry === undefined) change.sources.push({ address, left: ROBUSTNESS });
      else entry.left = ROBUSTNESS;
      if (change.sources.length > SOURCE_COUNT_MAX) change.sources.shift();
    }
    this.#sendChange(nic, change);
    if (this.#olderVersion(nic, group.isIpv4) !== null && !isMember(nic, group)) {
      // RFC 2236 section 3: that a group is left is said once.
      change.modeLeft = 0;
      change.sources = [];
    }
    this.#armBy(reporter, this.#stack.nowMs + this.#stack.random.below(UNSOLICITED_INTERVAL_MS));
  }

  /** Takes an IGMP message at `packet.at`, and releases the packet. */
  inputIgmp(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at, len } = packet;
    const isQuery = len >= IGMP_QUERY_BYTES && bytes[at] === IGMP_QUERY;
    if (isQuery && checksumFold(checksumAdd(0, bytes, at, len)) === 0) this.queried(nic, packet);
    packet.release();
  }

  /** Takes a membership query of either family: answers it after a random part of the delay it allows. */
  queried(nic: Nic, packet: PacketBuffer): void {
    const isIpv4 = packet.src.isIpv4;
    if (!isIpv4 && (packet.len < MLD_QUERY_BYTES || packet.hopLimit !== 1 || !packet.src.isLinkLocal)) return;
    const maxMs = isIpv4 ? this.#igmpDelayMs(nic, packet) : this.#mldDelayMs(nic, packet);
    if (maxMs < 0) return;
    const query = loadQuery(packet, isIpv4);
    const reporter = this.#reporterOf(nic);
    if (!query.group.isUnspecified) addQuery(reporter.queries, query);
    else if (isIpv4) reporter.answersIpv4 = true;
    else reporter.answersIpv6 = true;
    this.#armBy(reporter, this.#stack.nowMs + this.#stack.random.below(Math.max(maxMs, 1)));
  }

  /** Sends what is due of an interface's reports. */
  report(reporter: Reporter, nowMs: number): void {
    const { nic } = reporter;
    for (const group of nic.groups()) {
      const isWanted = group.isIpv4 ? reporter.answersIpv4 : reporter.answersIpv6;
      if (isWanted) this.#answer(nic, { group, sources: null });
    }
    reporter.answersIpv4 = false;
    reporter.answersIpv6 = false;
    for (const query of reporter.queries.splice(0)) this.#answer(nic, query);
    for (const change of reporter.changes.splice(0)) {
      this.#sendChange(nic, change);
      if (change.modeLeft > 0 || change.sources.length > 0) reporter.changes.push(change);
    }
    if (reporter.changes.length > 0) this.#stack.timers.arm(reporter, nowMs + UNSOLICITED_INTERVAL_MS);
    else this.#reporters.delete(nic.id);
  }

  /** How long the answer to a query may take; -1 if it is of no version (RFC 3376 section 7.1). Notes older queriers. */
  #igmpDelayMs(nic: Nic, packet: PacketBuffer): number {
    const code = packet.bytes[packet.at + 1]!;
    if (packet.len >= IGMP_SOURCES) return 100 * Math.max(delayOf(code, 4), 1);
    if (packet.len !== IGMP_QUERY_BYTES) return -1;
    const older = this.#olderOf(nic, true);
    const untilMs = this.#stack.nowMs + OLDER_QUERIER_MS;
    if (code === 0) older.igmpV1UntilMs = untilMs;
    else older.igmpV2UntilMs = untilMs;
    return code === 0 ? IGMPV1_RESPONSE_MS : 100 * code;
  }

  /** As {@link MulticastGroups.#igmpDelayMs}: RFC 3810 section 8.1. */
  #mldDelayMs(nic: Nic, packet: PacketBuffer): number {
    const code = loadU16(packet.bytes, packet.at + 4);
    if (packet.len >= MLD_SOURCES) return delayOf(code, 12);
    if (packet.len !== MLD_QUERY_BYTES) return -1;
    this.#olderOf(nic, false).mldV1UntilMs = this.#stack.nowMs + OLDER_QUERIER_MS;
    return code;
  }

  /** What an interface knows of older queriers. What was to be repeated is void now: RFC 3376 section 7.2.1. */
  #olderOf(nic: Nic, isIpv4: boolean): OlderQueriers {
    for (const change of this.#reporters.get(nic.id)?.changes ?? []) {
      if (change.group.isIpv4 !== isIpv4) continue;
      change.modeLeft = 0;
      change.sources = [];
    }
    let older = this.#older.get(nic);
    if (older === undefined) {
      older = new OlderQueriers();
      this.#older.set(nic, older);
    }
    return older;
  }

  /** The oldest version that a querier on the interface has; null if all have the newest. */
  #olderVersion(nic: Nic, isIpv4: boolean): OlderVersion | null {
    const older = this.#older.get(nic);
    if (older === undefined) return null;
    const { nowMs } = this.#stack;
    if (!isIpv4) return nowMs < older.mldV1UntilMs ? OlderVersion.MLD_1 : null;
    if (nowMs < older.igmpV1UntilMs) return OlderVersion.IGMP_1;
    return nowMs < older.igmpV2UntilMs ? OlderVersion.IGMP_2 : null;
  }

  #reporterOf(nic: Nic): Reporter {
    let reporter = this.#reporters.get(nic.id);
    if (reporter === undefined) {
      reporter = new Reporter(this, nic);
      this.#reporters.set(nic.id, reporter);
    }
    return reporter;
  }

  #armBy(reporter: Reporter, atMs: number): void {
    if (!reporter.isArmed || reporter.deadlineMs > atMs) this.#stack.timers.arm(reporter, atMs);
  }

  /** Tells of a change once more: with the sources of now, of which those whose own change is told are a part. */
  #sendChange(nic: Nic, change: Change): void {
    const wanted = nic.groupFilter(change.group);
    if (change.modeLeft > 0) {
      change.modeLeft--;
      this.#send(nic, change.group, wanted.isExclude ? CHANGE_TO_EXCLUDE : CHANGE_TO_INCLUDE, wanted.sources);
    } else {
      const changed = change.sources.map(({ address }) => address);
      const allowed = changed.filter((address) => wanted.accepts(address));
      const blocked = changed.filter((address) => !wanted.accepts(address));
      if (allowed.length > 0) this.#send(nic, change.group, ALLOW_NEW_SOURCES, allowed);
      if (blocked.length > 0) this.#send(nic, change.group, BLOCK_OLD_SOURCES, blocked);
    }
    for (const source of change.sources) source.left--;
    change.sources = change.sources.filter(({ left }) => left > 0);
  }

  /** Answers a query with what is wanted of the group, or of the sources asked for: RFC 3376 section 5.2. */
  #answer(nic: Nic, { group, sources }: Query): void {
    if (!isReported(nic, group) || !isMember(nic, group)) return;
    const wanted = nic.groupFilter(group);
    if (sources === null) {
      return this.#send(nic, group, wanted.isExclude ? MODE_IS_EXCLUDE : MODE_IS_INCLUDE, wanted.sources);
    }
    const accepted = sources.filter((source) => wanted.accepts(source));
    if (accepted.length > 0) this.#send(nic, group, MODE_IS_INCLUDE, accepted);
  }

  #send(nic: Nic, group: IpAddress, type: number, sources: readonly IpAddress[]): void {
    const version = this.#olderVersion(nic, group.isIpv4);
    if (version !== null) sendOlderReport(this.#stack, nic, group, version, isMember(nic, group));
    else sendGroupRecord(this.#stack, nic, group, type, sources);
  }
}

/** The group and sources that a query names. Preconditions: it is as long as the least query of its protocol. */
function loadQuery(packet: PacketBuffer, isIpv4: boolean): Query {
  const { bytes, at } = packet;
  const bytesOfEach = isIpv4 ? 4 : 16;
  const group = IpAddress.fromBytes(bytes, at + (isIpv4 ? IGMP_GROUP : MLD_GROUP), bytesOfEach);
  const sourcesAt = isIpv4 ? IGMP_SOURCES : MLD_SOURCES;
  if (packet.len < sourcesAt) return { group, sources: null };
  const told = loadU16(bytes, at + (isIpv4 ? IGMP_SOURCE_COUNT : MLD_SOURCE_COUNT));
  const count = Math.min(told, Math.floor((packet.len - sourcesAt) / bytesOfEach));
  if (count === 0) return { group, sources: null };
  const sources = Array.from({ length: count }, (_, index) =>
    IpAddress.fromBytes(bytes, at + sourcesAt + index * bytesOfEach, bytesOfEach),
  );
  return { group, sources };
}

/** Adds a query to those that wait: of two for one group the answer is of the sources of both, or of all. */
function addQuery(queries: Query[], query: Query): void {
  const other = queries.find(({ group }) => group.equals(query.group));
  if (other === undefined) {
    if (queries.length < QUERY_COUNT_MAX) queries.push(query);
    return;
  }
  const [known, added] = [other.sources, query.sources];
  other.sources = known === null || added === null || known.length >= QUERY_COUNT_MAX ? null : [...known, ...added];
}

/** A delay that is a floating-point number from half of its range on: RFC 3376 section 4.1.1, RFC 3810 section 5.1.3. */
function delayOf(code: number, mantissaBits: number): number {
  if (code < 1 << (mantissaBits + 3)) return code;
  const mantissa = code & ((1 << mantissaBits) - 1);
  return (mantissa | (1 << mantissaBits)) << (((code >>> mantissaBits) & 7) + 3);
}

/** Whether anything of the group is wanted. */
function isMember(nic: Nic, group: IpAddress): boolean {
  const { isExclude, sources } = nic.groupFilter(group);
  return isExclude || sources.length > 0;
}

/** The groups of all nodes, and those that do not leave the machine, are never reported. */
function isReported(nic: Nic, group: IpAddress): boolean {
  if (nic.isLoopback || group.equals(IPV4_ALL_SYSTEMS) || group.equals(IPV6_ALL_NODES)) return false;
  return group.isIpv4 || ((group.w0 >>> 16) & 0xf) > 1;
}
