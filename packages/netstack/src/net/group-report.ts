import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold } from '../checksum/checksum.js';
import { storeU16, storeU32 } from '../wire/byte-order.js';
import { ICMPV6_MLD2_REPORT } from '../wire/icmpv6.js';
import { IpAddress, IPV4_ANY, IPV6_ANY } from '../wire/ip-address.js';
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

const IGMPV3_REPORT = 0x22;
const REPORT_BYTES = 8;
const RECORD_BYTES = 4;
const ROUTER_ALERT_BYTES = 4;
const HOP_BY_HOP_BYTES = 8;

const IGMPV3_ROUTERS = IpAddress.ipv4(0xe0000016);
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
    const some = sources.slice(from, from + countMax);
    if (group.isIpv4) sendIgmp(stack, nic, group, type, some);
    else sendMld(stack, nic, group, type, some);
    from += countMax;
  } while (from < sources.length && type !== MODE_IS_EXCLUDE && type !== CHANGE_TO_EXCLUDE);
}

function sendIgmp(stack: Stack, nic: Nic, group: IpAddress, type: number, sources: readonly IpAddress[]): void {
  const headerLen = IPV4_HEADER_BYTES + ROUTER_ALERT_BYTES;
  const messageLen = REPORT_BYTES + RECORD_BYTES + 4 * (1 + sources.length);
  const packet = PacketBuffer.allocate(headerLen + messageLen);
  const at = packet.extend(headerLen + messageLen);
  const { bytes } = packet;
  bytes.fill(0, at, packet.end);
  const source = stack.sourceFor(nic, IGMPV3_ROUTERS) ?? IPV4_ANY;
  bytes[at + IPV4_HEADER_BYTES] = IPOPT_RA;
  bytes[at + IPV4_HEADER_BYTES + 1] = ROUTER_ALERT_BYTES;
  storeIpv4(bytes, at, headerLen, packet.len, 0xc0, 0, 0x4000, 1, IPPROTO_IGMP, source, IGMPV3_ROUTERS);
  const messageAt = at + headerLen;
  storeReport(bytes, messageAt, IGMPV3_REPORT, type, sources.length);
  [group, ...sources].forEach((address, index) => {
    address.storeIpv4(bytes, messageAt + REPORT_BYTES + RECORD_BYTES + 4 * index);
  });
  storeU16(bytes, messageAt + 2, checksumFold(checksumAdd(0, bytes, messageAt, messageLen)));
  const path = new Path(source, IGMPV3_ROUTERS, nic, IGMPV3_ROUTERS, nic.mtu, 0);
  stack.ipv4.sendWithHeader(packet, path);
}

function sendMld(stack: Stack, nic: Nic, group: IpAddress, type: number, sources: readonly IpAddress[]): void {
  const messageLen = REPORT_BYTES + RECORD_BYTES + 16 * (1 + sources.length);
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
  storeReport(bytes, messageAt, ICMPV6_MLD2_REPORT, type, sources.length);
  [group, ...sources].forEach((address, index) => {
    address.storeIpv6(bytes, messageAt + REPORT_BYTES + RECORD_BYTES + 16 * index);
  });
  packet.flags |= PacketFlag.CHECKSUM_PARTIAL | PacketFlag.NO_LOOP;
  const path = new Path(source, MLDV2_ROUTERS, nic, MLDV2_ROUTERS, nic.mtu, 0);
  stack.ipv6.sendWithHeader(packet, path);
}

/** A report with one record, whose addresses are left to the caller. */
function storeReport(bytes: Uint8Array, at: number, type: number, recordType: number, sourceCount: number): void {
  bytes[at] = type;
  storeU16(bytes, at + 6, 1);
  bytes[at + REPORT_BYTES] = recordType;
  storeU16(bytes, at + REPORT_BYTES + 2, sourceCount);
}
