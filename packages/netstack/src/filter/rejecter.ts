import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Stack } from '../stack.js';
import { resetFor, Segment } from '../tcp/segment.js';
import { parseSegment, tcpIsWellFormed } from '../tcp/wire.js';
import {
  ICMP_DEST_UNREACH,
  ICMP_HOST_UNREACH,
  ICMP_NET_UNREACH,
  ICMP_PKT_FILTERED,
  ICMP_PORT_UNREACH,
} from '../wire/icmpv4.js';
import {
  ICMPV6_ADDR_UNREACH,
  ICMPV6_ADM_PROHIBITED,
  ICMPV6_DEST_UNREACH,
  ICMPV6_NOROUTE,
  ICMPV6_PORT_UNREACH,
} from '../wire/icmpv6.js';
import { IPPROTO_TCP } from '../wire/protocol.js';

/** What REJECT answers with. */
export type RejectKind = 'port' | 'host' | 'net' | 'admin' | 'tcp-reset';

const CODES4 = { port: ICMP_PORT_UNREACH, host: ICMP_HOST_UNREACH, net: ICMP_NET_UNREACH, admin: ICMP_PKT_FILTERED };
const CODES6 = {
  port: ICMPV6_PORT_UNREACH,
  host: ICMPV6_ADDR_UNREACH,
  net: ICMPV6_NOROUTE,
  admin: ICMPV6_ADM_PROHIBITED,
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
