import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import { resetFor, Segment } from '../tcp/segment.js';
import { parseSegment, tcpIsWellFormed } from '../tcp/wire.js';
import {
  ICMP_DEST_UNREACH,
  ICMP_HOST_ANO,
  ICMP_HOST_UNREACH,
  ICMP_NET_ANO,
  ICMP_NET_UNREACH,
  ICMP_PKT_FILTERED,
  ICMP_PORT_UNREACH,
  ICMP_PROT_UNREACH,
} from '../wire/icmpv4.js';
import {
  ICMPV6_ADDR_UNREACH,
  ICMPV6_ADM_PROHIBITED,
  ICMPV6_DEST_UNREACH,
  ICMPV6_NOROUTE,
  ICMPV6_NOT_NEIGHBOUR,
  ICMPV6_POLICY_FAIL,
  ICMPV6_PORT_UNREACH,
  ICMPV6_REJECT_ROUTE,
} from '../wire/icmpv6.js';
import { IPPROTO_TCP } from '../wire/protocol.js';

/** What REJECT answers with. */
export type RejectKind =
  | 'port'
  | 'host'
  | 'net'
  | 'admin'
  | 'tcp-reset'
  /** Of IPv4 only. */
  | 'protocol'
  | 'net-prohibited'
  | 'host-prohibited'
  /** Of IPv6 only. */
  | 'not-neighbour'
  | 'policy-fail'
  | 'reject-route';

type IcmpKind = Exclude<RejectKind, 'tcp-reset'>;

/** Codes of destination unreachable, by family. What the other family has is told by the nearest. */
const CODES4: Readonly<Record<IcmpKind, number>> = {
  port: ICMP_PORT_UNREACH,
  host: ICMP_HOST_UNREACH,
  net: ICMP_NET_UNREACH,
  admin: ICMP_PKT_FILTERED,
  protocol: ICMP_PROT_UNREACH,
  'net-prohibited': ICMP_NET_ANO,
  'host-prohibited': ICMP_HOST_ANO,
  'not-neighbour': ICMP_HOST_UNREACH,
  'policy-fail': ICMP_PKT_FILTERED,
  'reject-route': ICMP_PKT_FILTERED,
};
const CODES6: Readonly<Record<IcmpKind, number>> = {
  port: ICMPV6_PORT_UNREACH,
  host: ICMPV6_ADDR_UNREACH,
  net: ICMPV6_NOROUTE,
  admin: ICMPV6_ADM_PROHIBITED,
  protocol: ICMPV6_ADM_PROHIBITED,
  'net-prohibited': ICMPV6_ADM_PROHIBITED,
  'host-prohibited': ICMPV6_ADM_PROHIBITED,
  'not-neighbour': ICMPV6_NOT_NEIGHBOUR,
  'policy-fail': ICMPV6_POLICY_FAIL,
  'reject-route': ICMPV6_REJECT_ROUTE,
};

/** Tells the senders of packets that these are refused: target REJECT of iptables-extensions(8). */
export class Rejecter {
  readonly #stack: Stack;
  readonly #segment = new Segment();
  readonly #reply = new Segment();

  constructor(stack: Stack) {
    this.#stack = stack;
  }

  /** Answers a packet, which stays the caller's. */
  reject(packet: PacketBuffer, kind: RejectKind): void {
    if (kind === 'tcp-reset') return this.#reset(packet);
    if (packet.src.isIpv4) this.#stack.icmp.sendError4(ICMP_DEST_UNREACH, CODES4[kind], 0, packet);
    else this.#stack.icmp.sendError6(ICMPV6_DEST_UNREACH, CODES6[kind], 0, packet);
  }

  #reset(packet: PacketBuffer): void {
    const { bytes, transportAt, end } = packet;
    if (packet.protocol !== IPPROTO_TCP || transportAt < 0 || !tcpIsWellFormed(bytes, transportAt, end - transportAt)) {
      return;
    }
    const seg = this.#segment;
    parseSegment(seg, bytes, transportAt, end - transportAt);
    seg.src = packet.src;
    seg.dst = packet.dst;
    if (resetFor(seg, this.#reply)) this.#stack.tcp.emit(this.#reply);
  }
}
