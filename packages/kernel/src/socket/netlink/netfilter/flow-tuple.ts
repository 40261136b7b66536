import {
  CTA_IP_V4_DST,
  CTA_IP_V4_SRC,
  CTA_IP_V6_DST,
  CTA_IP_V6_SRC,
  CTA_PROTO_DST_PORT,
  CTA_PROTO_ICMPV6_CODE,
  CTA_PROTO_ICMPV6_ID,
  CTA_PROTO_ICMPV6_TYPE,
  CTA_PROTO_ICMP_CODE,
  CTA_PROTO_ICMP_ID,
  CTA_PROTO_ICMP_TYPE,
  CTA_PROTO_NUM,
  CTA_PROTO_SRC_PORT,
  CTA_TUPLE_IP,
  CTA_TUPLE_PROTO,
  EINVAL,
  type Errno,
} from '@tsv/abi';
import {
  ICMPV6_ECHO_REPLY,
  ICMPV6_ECHO_REQUEST,
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_TCP,
  IPPROTO_UDP,
  type FlowEnd,
  Tuple,
} from '@tsv/netstack';
import type { Attribute, NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';

/** Writes who talks to whom in one direction of a flow, CTA_TUPLE_ORIG or CTA_TUPLE_REPLY. */
export function writeTuple(writer: NetlinkWriter, type: number, end: Readonly<FlowEnd>): void {
  const { src, dst, srcPort, dstPort, protocol } = end.tuple;
  const tupleAt = writer.nest(type);
  const ipAt = writer.nest(CTA_TUPLE_IP);
  writer.address(src.isIpv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, src);
  writer.address(src.isIpv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, dst);
  writer.endNest(ipAt);
  const protocolAt = writer.nest(CTA_TUPLE_PROTO);
  writer.u8(CTA_PROTO_NUM, protocol);
  if (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) {
    writer.be16(CTA_PROTO_SRC_PORT, srcPort);
    writer.be16(CTA_PROTO_DST_PORT, dstPort);
  } else if (protocol === IPPROTO_ICMP) {
    writer.be16(CTA_PROTO_ICMP_ID, srcPort);
    writer.u8(CTA_PROTO_ICMP_TYPE, end.isReply ? ICMP_ECHOREPLY : ICMP_ECHO);
    writer.u8(CTA_PROTO_ICMP_CODE, 0);
  } else if (protocol === IPPROTO_ICMPV6) {
    writer.be16(CTA_PROTO_ICMPV6_ID, srcPort);
    writer.u8(CTA_PROTO_ICMPV6_TYPE, end.isReply ? ICMPV6_ECHO_REPLY : ICMPV6_ECHO_REQUEST);
    writer.u8(CTA_PROTO_ICMPV6_CODE, 0);
  }
  writer.endNest(protocolAt);
  writer.endNest(tupleAt);
}

/** Reads such an attribute. Errors: EINVAL when something is missing. */
export function loadTuple(request: NetlinkRequest, attribute: Attribute): Tuple | Errno {
  const parts = request.nested(attribute);
  const ip = parts.get(CTA_TUPLE_IP);
  const protocol = parts.get(CTA_TUPLE_PROTO);
  if (ip === undefined || protocol === undefined) return -EINVAL;
  const addresses = request.nested(ip);
  const src = request.address(addresses.get(CTA_IP_V4_SRC) ?? addresses.get(CTA_IP_V6_SRC));
  const dst = request.address(addresses.get(CTA_IP_V4_DST) ?? addresses.get(CTA_IP_V6_DST));
  const numbers = request.nested(protocol);
  const number = numbers.get(CTA_PROTO_NUM);
  if (src === undefined || dst?.isIpv4 !== src.isIpv4 || number === undefined || number.len < 1) return -EINVAL;
  const tuple = new Tuple();
  tuple.src.copyFrom(src);
  tuple.dst.copyFrom(dst);
  tuple.protocol = request.bytes[number.at]!;
  const identifier = request.be16(numbers.get(CTA_PROTO_ICMP_ID) ?? numbers.get(CTA_PROTO_ICMPV6_ID));
  tuple.srcPort = request.be16(numbers.get(CTA_PROTO_SRC_PORT)) ?? identifier ?? 0;
  tuple.dstPort = request.be16(numbers.get(CTA_PROTO_DST_PORT)) ?? identifier ?? 0;
  return tuple;
}
