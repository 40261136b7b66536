import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { loadU16 } from '../wire/byte-order.js';
import {
  ICMP_ECHO,
  ICMP_ECHOREPLY,
  ICMP_HEADER_BYTES,
  ICMP_TIMESTAMP,
  ICMP_TIMESTAMPREPLY,
  icmpId,
  icmpType,
} from '../wire/icmpv4.js';
import { ICMPV6_ECHO_REPLY, ICMPV6_ECHO_REQUEST } from '../wire/icmpv6.js';
import { IpAddress } from '../wire/ip-address.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';

/** Who talks to whom: addresses, ports (an echo's identifier is both ports), protocol. */
export class Tuple {
  readonly src = new IpAddress();
  readonly dst = new IpAddress();
  srcPort = 0;
  dstPort = 0;
  protocol = 0;

  copyFrom(other: Tuple): void {
    this.src.copyFrom(other.src);
    this.dst.copyFrom(other.dst);
    this.srcPort = other.srcPort;
    this.dstPort = other.dstPort;
    this.protocol = other.protocol;
  }

  /** Makes it the tuple of answers to `other`. */
  reverseOf(other: Tuple): void {
    this.src.copyFrom(other.dst);
    this.dst.copyFrom(other.src);
    this.srcPort = other.dstPort;
    this.dstPort = other.srcPort;
    this.protocol = other.protocol;
  }

  equals(other: Tuple): boolean {
    return (
      this.srcPort === other.srcPort &&
      this.dstPort === other.dstPort &&
      this.protocol === other.protocol &&
      this.src.equals(other.src) &&
      this.dst.equals(other.dst)
    );
  }

  hash(seed: number): number {
    return this.src.hash(this.dst.hash(seed ^ ((this.srcPort << 16) | this.dstPort)) ^ this.protocol);
  }

  /** Reads the tuple of a packet. False if it has none that could be tracked: a fragment, a header cut short. */
  load(packet: PacketBuffer): boolean {
    this.src.copyFrom(packet.src);
    this.dst.copyFrom(packet.dst);
    return this.loadPorts(packet.bytes, packet.transportAt, packet.end, packet.protocol);
  }

  /** Reads protocol and ports of the upper-layer header at `at`. */
  loadPorts(bytes: Uint8Array, at: number, end: number, protocol: number): boolean {
    this.protocol = protocol;
    this.srcPort = 0;
    this.dstPort = 0;
    if (protocol === IPPROTO_TCP || protocol === IPPROTO_UDP) {
      if (at < 0 || end - at < 8) return false;
      this.srcPort = loadU16(bytes, at);
      this.dstPort = loadU16(bytes, at + 2);
      return true;
    }
    if (protocol !== IPPROTO_ICMP && protocol !== IPPROTO_ICMPV6) return at >= 0;
    if (at < 0 || end - at < ICMP_HEADER_BYTES || !isQuery(protocol, icmpType(bytes, at))) return false;
    this.srcPort = icmpId(bytes, at);
    this.dstPort = this.srcPort;
    return true;
  }
}

/** Whether an ICMP message is a request or the answer to one. */
function isQuery(protocol: number, type: number): boolean {
  if (protocol === IPPROTO_ICMPV6) return type === ICMPV6_ECHO_REQUEST || type === ICMPV6_ECHO_REPLY;
  return type === ICMP_ECHO || type === ICMP_ECHOREPLY || type === ICMP_TIMESTAMP || type === ICMP_TIMESTAMPREPLY;
}
