import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold } from '../checksum/checksum.js';
import { completeChecksum } from '../net/transport-checksum.js';
import { storeU16 } from '../wire/byte-order.js';
import { ICMP_HEADER_BYTES, storeIcmpChecksum } from '../wire/icmpv4.js';
import { ipv4DstAt, ipv4HeaderLen, ipv4SrcAt, storeIpv4Checksum } from '../wire/ipv4.js';
import { IPV6_HEADER_BYTES, ipv6DstAt, ipv6SrcAt } from '../wire/ipv6.js';
import { IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';
import type { Flow } from './flow.js';
import { rewriteAddress } from './packet-rewrite.js';
import type { Tuple } from './tuple.js';

/**
 * Makes an ICMP error about a packet of a translated flow one that its sender understands: it quotes what that sent,
 * and goes to it. RFC 5508 section 4.2. `isReply`: the error goes towards the flow's originator.
 */
export function translateError(packet: PacketBuffer, flow: Flow, isReply: boolean): void {
  const sent = isReply ? flow.original.tuple : flow.reply.tuple;
  const { bytes, networkAt, transportAt } = packet;
  const isIpv4 = packet.protocol === IPPROTO_ICMP;
  quote(packet, transportAt + ICMP_HEADER_BYTES, sent, isIpv4);
  // The peer's own address is hidden too; a router in between keeps its address.
  const peer = isReply ? flow.reply.tuple.src : flow.original.tuple.src;
  if (packet.src.equals(peer)) {
    rewriteAddress(packet, isIpv4 ? ipv4SrcAt(networkAt) : ipv6SrcAt(networkAt), sent.dst);
    packet.src.copyFrom(sent.dst);
  }
  rewriteAddress(packet, isIpv4 ? ipv4DstAt(networkAt) : ipv6DstAt(networkAt), sent.src);
  packet.dst.copyFrom(sent.src);
  if (!isIpv4) return completeChecksum(packet);
  storeIcmpChecksum(bytes, transportAt, 0);
  storeIcmpChecksum(bytes, transportAt, checksumFold(checksumAdd(0, bytes, transportAt, packet.end - transportAt)));
}

/** Stores addresses and ports of `sent` in the packet that is quoted at `at`. */
function quote(packet: PacketBuffer, at: number, sent: Tuple, isIpv4: boolean): void {
  const { bytes, end } = packet;
  const upperAt = at + (isIpv4 ? ipv4HeaderLen(bytes, at) : IPV6_HEADER_BYTES);
  if (isIpv4) {
    sent.src.storeIpv4(bytes, ipv4SrcAt(at));
    sent.dst.storeIpv4(bytes, ipv4DstAt(at));
    storeIpv4Checksum(bytes, at, ipv4HeaderLen(bytes, at));
  } else {
    sent.src.storeIpv6(bytes, ipv6SrcAt(at));
    sent.dst.storeIpv6(bytes, ipv6DstAt(at));
  }
  if (end - upperAt < 8) return;
  if (sent.protocol === IPPROTO_TCP || sent.protocol === IPPROTO_UDP) {
    storeU16(bytes, upperAt, sent.srcPort);
    storeU16(bytes, upperAt + 2, sent.dstPort);
  } else storeU16(bytes, upperAt + 4, sent.srcPort);
}
