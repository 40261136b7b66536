import { Timer } from '@tsv/clock';
import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold } from '../checksum/checksum.js';
import type { Stack } from '../stack.js';
import { storeU16, storeU32 } from '../wire/byte-order.js';
import { ICMPV6_MLD2_REPORT } from '../wire/icmpv6.js';
import { IPV4_ALL_SYSTEMS, IPV4_ANY, IPV6_ALL_NODES, IPV6_ANY, IpAddress } from '../wire/ip-address.js';
import { IPOPT_RA, IPV4_HEADER_BYTES, storeIpv4 } from '../wire/ipv4.js';
import { IPV6_HEADER_BYTES, storeIpv6 } from '../wire/ipv6.js';
import { IPPROTO_HOPOPTS, IPPROTO_ICMPV6, IPPROTO_IGMP } from '../wire/protocol.js';
import type { Nic } from './nic.js';
import { Path } from './path.js';

/** Group record types, RFC 3376 section 4.2.12 and RFC 3810 section 5.2.12. */
const MODE_IS_EXCLUDE = 2;
const CHANGE_TO_INCLUDE = 3;
const CHANGE_TO_EXCLUDE = 4;

const IGMP_QUERY = 0x11;
const IGMPV3_REPORT = 0x22;
const IGMP_QUERY_BYTES = 8;
const MLD_QUERY_BYTES = 24;
const REPORT_BYTES = 8;
const IPV4_RECORD_BYTES = 12;
const IPV6_RECORD_BYTES = 20;
const ROUTER_ALERT_BYTES = 4;
const HOP_BY_HOP_BYTES = 8;

/** Robustness variable and unsolicited report interval, RFC 3376 section 8. */
const ROBUSTNESS = 2;
const UNSOLICITED_INTERVAL_MS = 1_000;
/** Changes that wait to be repeated; further ones are told once. */
const CHANGE_COUNT_MAX = 64;

const IGMPV3_ROUTERS = IpAddress.ipv4(0xe0000016);
const MLDV2_ROUTERS = new IpAddress(0xff020000, 0, 0, 0x16);

/** What one interface still has to report. */
class Reporter extends Timer {
  readonly nic: Nic;
  readonly changes: { group: IpAddress; type: number; left: number }[] = [];
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

/** Tells routers which groups the interfaces have joined: IGMPv3 (RFC 3376) and MLDv2 (RFC 3810), any source. */
export class MulticastGroups {
  readonly #stack: Stack;
  readonly #reporters = new Map<number, Reporter>();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  joined(nic: Nic, group: IpAddress): void {
    this.#changed(nic, group, CHANGE_TO_EXCLUDE);
  }

  left(nic: Nic, group: IpAddress): void {
    this.#changed(nic, group, CHANGE_TO_INCLUDE);
  }

  /** Takes an IGMP message at `packet.at`, and releases the packet. */
  inputIgmp(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at, len } = packet;
    const isQuery = len >= IGMP_QUERY_BYTES && bytes[at] === IGMP_QUERY;
    if (isQuery && checksumFold(checksumAdd(0, bytes, at, len)) === 0) this.queried(nic, packet);
    packet.release();
  }

  /** Takes a membership query of either family: answers for all groups after a random part of the delay it allows. */
  queried(nic: Nic, packet: PacketBuffer): void {
    const { bytes, at } = packet;
    const isIpv4 = packet.src.isIpv4;
    if (!isIpv4 && (packet.len < MLD_QUERY_BYTES || packet.hopLimit !== 1 || !packet.src.isLinkLocal)) return;
    const maxMs = isIpv4 ? Math.max(bytes[at + 1]!, 1) * 100 : Math.max((bytes[at + 4]! << 8) | bytes[at + 5]!, 1);
    const reporter = this.#reporterOf(nic);
    if (isIpv4) reporter.answersIpv4 = true;
    else reporter.answersIpv6 = true;
    this.#armBy(reporter, this.#stack.nowMs + this.#stack.random.below(maxMs));
  }

  /** Sends what is due of an interface's reports. */
  report(reporter: Reporter, nowMs: number): void {
    const { nic } = reporter;
    for (const group of nic.groups()) {
      const isWanted = group.isIpv4 ? reporter.answersIpv4 : reporter.answersIpv6;
      if (isWanted && isReported(nic, group)) this.#send(nic, group, MODE_IS_EXCLUDE);
    }
    reporter.answersIpv4 = false;
    reporter.answersIpv6 = false;
    for (const change of reporter.changes.splice(0)) {
      this.#send(nic, change.group, change.type);
      if (change.left > 1) reporter.changes.push({ ...change, left: change.left - 1 });
    }
    if (reporter.changes.length > 0) this.#stack.timers.arm(reporter, nowMs + UNSOLICITED_INTERVAL_MS);
    else this.#reporters.delete(nic.id);
  }

  #changed(nic: Nic, group: IpAddress, type: number): void {
    if (!isReported(nic, group)) return;
    this.#send(nic, group, type);
    const reporter = this.#reporterOf(nic);
    const index = reporter.changes.findIndex((change) => change.group.equals(group));
    if (index >= 0) reporter.changes.splice(index, 1);
    if (reporter.changes.length < CHANGE_COUNT_MAX) {
      reporter.changes.push({ group: group.clone(), type, left: ROBUSTNESS - 1 });
    }
    this.#armBy(reporter, this.#stack.nowMs + this.#stack.random.below(UNSOLICITED_INTERVAL_MS));
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

  #send(nic: Nic, group: IpAddress, recordType: number): void {
    if (!nic.isUp) return;
    if (group.isIpv4) this.#sendIgmp(nic, group, recordType);
    else this.#sendMld(nic, group, recordType);
  }

  #sendIgmp(nic: Nic, group: IpAddress, recordType: number): void {
    const headerLen = IPV4_HEADER_BYTES + ROUTER_ALERT_BYTES;
    const messageLen = REPORT_BYTES + IPV4_RECORD_BYTES;
    const packet = PacketBuffer.allocate(headerLen + messageLen);
    const at = packet.extend(headerLen + messageLen);
    const { bytes } = packet;
    bytes.fill(0, at, packet.end);
    const source = this.#stack.sourceFor(nic, IGMPV3_ROUTERS) ?? IPV4_ANY;
    bytes[at + IPV4_HEADER_BYTES] = IPOPT_RA;
    bytes[at + IPV4_HEADER_BYTES + 1] = ROUTER_ALERT_BYTES;
    storeIpv4(bytes, at, headerLen, packet.len, 0xc0, 0, 0x4000, 1, IPPROTO_IGMP, source, IGMPV3_ROUTERS);
    const messageAt = at + headerLen;
    storeReport(bytes, messageAt, IGMPV3_REPORT, recordType);
    group.storeIpv4(bytes, messageAt + REPORT_BYTES + 4);
    storeU16(bytes, messageAt + 2, checksumFold(checksumAdd(0, bytes, messageAt, messageLen)));
    const path = new Path(source, IGMPV3_ROUTERS, nic, IGMPV3_ROUTERS, nic.mtu, 0);
    this.#stack.ipv4.sendWithHeader(packet, path);
  }

  #sendMld(nic: Nic, group: IpAddress, recordType: number): void {
    const messageLen = REPORT_BYTES + IPV6_RECORD_BYTES;
    const packet = PacketBuffer.allocate(IPV6_HEADER_BYTES + HOP_BY_HOP_BYTES + messageLen);
    const at = packet.extend(IPV6_HEADER_BYTES + HOP_BY_HOP_BYTES + messageLen);
    const { bytes } = packet;
    bytes.fill(0, at, packet.end);
    // RFC 3590: from the unspecified address while the link-local one is tentative.
    const own = nic.addresses.find((entry) => entry.address.isLinkLocal && !entry.address.isIpv4 && entry.isAssigned);
    const source = own === undefined ? IPV6_ANY : own.address;
    storeIpv6(bytes, at, 0, 0, HOP_BY_HOP_BYTES + messageLen, IPPROTO_HOPOPTS, 1, source, MLDV2_ROUTERS);
    const optionsAt = at + IPV6_HEADER_BYTES;
    bytes[optionsAt] = IPPROTO_ICMPV6;
    storeU32(bytes, optionsAt + 2, 0x05020000); // Router alert, RFC 2711: a multicast listener message.
    bytes[optionsAt + 6] = 1; // PadN without data.
    const messageAt = optionsAt + HOP_BY_HOP_BYTES;
    storeReport(bytes, messageAt, ICMPV6_MLD2_REPORT, recordType);
    group.storeIpv6(bytes, messageAt + REPORT_BYTES + 4);
    packet.flags |= PacketFlag.CHECKSUM_PARTIAL | PacketFlag.NO_LOOP;
    const path = new Path(source, MLDV2_ROUTERS, nic, MLDV2_ROUTERS, nic.mtu, 0);
    this.#stack.ipv6.sendWithHeader(packet, path);
  }
}

/** A report with one record, whose group is left to the caller. */
function storeReport(bytes: Uint8Array, at: number, type: number, recordType: number): void {
  bytes[at] = type;
  storeU16(bytes, at + 6, 1);
  bytes[at + REPORT_BYTES] = recordType;
}

/** The groups of all nodes, and those that do not leave the machine, are never reported. */
function isReported(nic: Nic, group: IpAddress): boolean {
  if (nic.isLoopback || group.equals(IPV4_ALL_SYSTEMS) || group.equals(IPV6_ALL_NODES)) return false;
  return group.isIpv4 || ((group.w0 >>> 16) & 0xf) > 1;
}
