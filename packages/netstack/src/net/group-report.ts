import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold } from '../checksum/checksum.js';
import { storeU16, storeU32 } from '../wire/byte-order.js';
import { ICMPV6_MGM_REDUCTION, ICMPV6_MGM_REPORT, ICMPV6_MLD2_REPORT } from '../wire/icmpv6.js';
import { IpAddress, IPV4_ANY, IPV6_ALL_ROUTERS, IPV6_ANY } from '../wire/ip-address.js';
import { IPOPT_RA, IPV4_HEADER_BYTES, storeIpv4 } from '../wire/ipv4.js';
import { IPV6_HEADER_BYTES, storeIpv6 } from '../wire/ipv6.js';
import { IPPROTO_HOPOPTS, IPPROTO_ICMPV6, IPPROTO_IGMP } from '../wire/protocol.js';
import type { Stack } from '../stack.js';
import type { Nic } from './nic.js';
import { Path } from './path.js';

/** Group record types, RFC 3376 section 4.2.12 and RFC 3810 section 5.2.12. */
export const MODE_IS_INCLUDE = 1;
export const MODE_IS_EXCLUDE = 2;
export const CHANGE_TO_INCLUDE = 3;
export const CHANGE_TO_EXCLUDE = 4;
export const ALLOW_NEW_SOURCES = 5;
export const BLOCK_OLD_SOURCES = 6;

/** Versions that tell of one group a message, without sources: RFC 1112, RFC 2236, RFC 2710. */
export const OlderVersion = { IGMP_1: 1, IGMP_2: 2, MLD_1: 3 } as const;
export type OlderVersion = (typeof OlderVersion)[keyof typeof OlderVersion];

const IGMPV1_REPORT = 0x12;
const IGMPV2_REPORT = 0x16;
const IGMPV2_LEAVE = 0x17;
const IGMPV3_REPORT = 0x22;
const IGMP_BYTES = 8;
const MLDV1_BYTES = 24;
const REPORT_BYTES = 8;
const RECORD_BYTES = 4;
const ROUTER_ALERT_BYTES = 4;
const HOP_BY_HOP_BYTES = 8;

const IGMPV3_ROUTERS = IpAddress.ipv4(0xe0000016);
const IPV4_ALL_ROUTERS = IpAddress.ipv4(0xe0000002);
const MLDV2_ROUTERS = new IpAddress(0xff020000, 0, 0, 0x16);

/**
 * Sends one group record, in as many reports as its sources need; of a filter that excludes, only those of the first
 * fit in: RFC 3376 section 4.2.16, RFC 3810 section 5.2.15.
 */
export function sendGroupRecord(
  stack: Stack,
  nic: Nic,
  group: IpAddress,
  type: number,
  sources: readonly IpAddress[],
): void {
  if (!nic.isUp) return;
  const headerLen = group.isIpv4 ? IPV4_HEADER_BYTES + ROUTER_ALERT_BYTES : IPV6_HEADER_BYTES + HOP_BY_HOP_BYTES;
  const fixedLen = headerLen + REPORT_BYTES + RECORD_BYTES + group.byteCount;
  const countMax = Math.max(1, Math.floor((nic.mtu - fixedLen) / group.byteCount));
  let from = 0;
  do {
    const message = recordOf(group, type, sources.slice(from, from + countMax));
    if (group.isIpv4) sendIgmp(stack, nic, IGMPV3_ROUTERS, message);
    else sendMld(stack, nic, MLDV2_ROUTERS, message);
    from += countMax;
  } while (from < sources.length && type !== MODE_IS_EXCLUDE && type !== CHANGE_TO_EXCLUDE);
}

/** Tells a querier of an older version that the interface wants a group, or does not any more. */
export function sendOlderReport(
  stack: Stack,
  nic: Nic,
  group: IpAddress,
  version: OlderVersion,
  isMember: boolean,
): void {
  if (!nic.isUp) return;
  switch (version) {
    case OlderVersion.IGMP_1:
      // Leaving is not said.
      if (isMember) sendIgmp(stack, nic, group, olderMessage(group, IGMPV1_REPORT));
      return;
    case OlderVersion.IGMP_2:
      if (isMember) sendIgmp(stack, nic, group, olderMessage(group, IGMPV2_REPORT));
      else sendIgmp(stack, nic, IPV4_ALL_ROUTERS, olderMessage(group, IGMPV2_LEAVE));
      return;
    case OlderVersion.MLD_1:
      if (isMember) sendMld(stack, nic, group, olderMessage(group, ICMPV6_MGM_REPORT));
      else sendMld(stack, nic, IPV6_ALL_ROUTERS, olderMessage(group, ICMPV6_MGM_REDUCTION));
  }
}

/** A report with one record, without its checksum. */
function recordOf(group: IpAddress, recordType: number, sources: readonly IpAddress[]): Uint8Array {
  const { byteCount } = group;
  const message = new Uint8Array(REPORT_BYTES + RECORD_BYTES + byteCount * (1 + sources.length));
  message[0] = group.isIpv4 ? IGMPV3_REPORT : ICMPV6_MLD2_REPORT;
  storeU16(message, 6, 1);
  message[REPORT_BYTES] = recordType;
  storeU16(message, REPORT_BYTES + 2, sources.length);
  [group, ...sources].forEach((address, index) => {
    storeAddress(message, REPORT_BYTES + RECORD_BYTES + byteCount * index, address);
  });
  return message;
}

/** A message of an older version, without its checksum: the group is at its end. */
function olderMessage(group: IpAddress, type: number): Uint8Array {
  const message = new Uint8Array(group.isIpv4 ? IGMP_BYTES : MLDV1_BYTES);
  message[0] = type;
  storeAddress(message, message.length - group.byteCount, group);
  return message;
}

function storeAddress(bytes: Uint8Array, at: number, address: IpAddress): void {
  if (address.isIpv4) address.storeIpv4(bytes, at);
  else address.storeIpv6(bytes, at);
}

function sendIgmp(stack: Stack, nic: Nic, to: IpAddress, message: Uint8Array): void {
  const headerLen = IPV4_HEADER_BYTES + ROUTER_ALERT_BYTES;
  const packet = PacketBuffer.allocate(headerLen + message.length);
  const at = packet.extend(headerLen + message.length);
  const { bytes } = packet;
  bytes.fill(0, at, at + headerLen);
  const source = stack.sourceFor(nic, to) ?? IPV4_ANY;
  bytes[at + IPV4_HEADER_BYTES] = IPOPT_RA;
  bytes[at + IPV4_HEADER_BYTES + 1] = ROUTER_ALERT_BYTES;
  storeIpv4(bytes, at, headerLen, packet.len, 0xc0, 0, 0x4000, 1, IPPROTO_IGMP, source, to);
  storeU16(message, 2, checksumFold(checksumAdd(0, message, 0, message.length)));
  bytes.set(message, at + headerLen);
  packet.flags |= PacketFlag.NO_LOOP;
  stack.ipv4.sendWithHeader(packet, new Path(source, to, nic, to, nic.mtu, 0));
}

function sendMld(stack: Stack, nic: Nic, to: IpAddress, message: Uint8Array): void {
  const headerLen = IPV6_HEADER_BYTES + HOP_BY_HOP_BYTES;
  const packet = PacketBuffer.allocate(headerLen + message.length);
  const at = packet.extend(headerLen + message.length);
  const { bytes } = packet;
  bytes.fill(0, at, at + headerLen);
  // RFC 3590: from the unspecified address while the link-local one is tentative.
  const own = nic.addresses.find((entry) => entry.address.isLinkLocal && !entry.address.isIpv4 && entry.isAssigned);
  const source = own === undefined ? IPV6_ANY : own.address;
  storeIpv6(bytes, at, 0, 0, HOP_BY_HOP_BYTES + message.length, IPPROTO_HOPOPTS, 1, source, to);
  const optionsAt = at + IPV6_HEADER_BYTES;
  bytes[optionsAt] = IPPROTO_ICMPV6;
  storeU32(bytes, optionsAt + 2, 0x05020000); // Router alert, RFC 2711: a multicast listener message.
  bytes[optionsAt + 6] = 1; // PadN without data.
  bytes.set(message, at + headerLen);
  packet.flags |= PacketFlag.CHECKSUM_PARTIAL | PacketFlag.NO_LOOP;
  stack.ipv6.sendWithHeader(packet, new Path(source, to, nic, to, nic.mtu, 0));
}
