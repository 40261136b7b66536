import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { IPV6_FRAGMENT_HEADER_BYTES, IPV6_HEADER_BYTES, ipv6ExtensionLen, ipv6NextHeaderAt } from '../wire/ipv6.js';
import { ipv6FragmentOffsetBytes } from '../wire/ipv6.js';
import { ICMPV6_HDR_FIELD, ICMPV6_UNK_NEXTHDR, ICMPV6_UNK_OPTION } from '../wire/icmpv6.js';
import { IPPROTO_DSTOPTS, IPPROTO_FRAGMENT, IPPROTO_HOPOPTS, IPPROTO_NONE, IPPROTO_ROUTING } from '../wire/protocol.js';

/** What a walk over the extension headers came to. */
export const WalkResult = {
  /** The upper-layer header, or what is in a later fragment, was reached. */
  REACHED: 0,
  /** The packet is silently dropped. */
  DROP: 1,
  /** The packet is dropped and a parameter problem reported, unless it was sent to a group. */
  REPORT_UNICAST: 2,
  /** The same, even if it was sent to a group. */
  REPORT: 3,
} as const;
export type WalkResult = (typeof WalkResult)[keyof typeof WalkResult];

/** Extension headers that one packet may have; a hostile sender would chain thousands. */
const EXTENSION_COUNT_MAX = 8;
/** Options that one header may have besides padding, RFC 8504 section 5.3. */
const OPTION_COUNT_MAX = 8;

const OPT_PAD1 = 0;
const OPT_PADN = 1;
const OPT_ROUTER_ALERT = 5;

/** Walks the extension headers of packets; one object serves all packets of a stack. */
export class ExtensionWalk {
  /** Offset of the fragment header, or -1. */
  fragmentAt = -1;
  /** Offset of the field that names the fragment header's protocol; for taking the header out. */
  fragmentFieldAt = -1;
  /** Code and offset in the packet of a parameter problem. */
  problemCode = 0;
  problemAt = 0;

  /**
   * Walks the packet whose fixed header is at `packet.networkAt`, in the order that the headers come: RFC 8200 section
   * 4.1. Sets `packet.protocol` and `packet.transportAt`, the latter -1 in a fragment but the first.
   */
  walk(packet: PacketBuffer): WalkResult {
    const { bytes, networkAt } = packet;
    this.fragmentAt = -1;
    let fieldAt = ipv6NextHeaderAt(networkAt);
    let at = networkAt + IPV6_HEADER_BYTES;
    for (let count = 0; ; count++) {
      const next = bytes[fieldAt]!;
      if (!isExtension(next)) return this.#reached(packet, next, at);
      if (count >= EXTENSION_COUNT_MAX) return WalkResult.DROP;
      if (next === IPPROTO_HOPOPTS && count > 0) return this.#problem(ICMPV6_UNK_NEXTHDR, fieldAt - networkAt);
      if (next === IPPROTO_FRAGMENT) {
        if (this.fragmentAt >= 0 || packet.end - at < IPV6_FRAGMENT_HEADER_BYTES) return WalkResult.DROP;
        this.fragmentAt = at;
        this.fragmentFieldAt = fieldAt;
        if (ipv6FragmentOffsetBytes(bytes, at) > 0) return this.#laterFragment(packet, at);
        fieldAt = at;
        at += IPV6_FRAGMENT_HEADER_BYTES;
        continue;
      }
      if (packet.end - at < 8 || packet.end - at < ipv6ExtensionLen(bytes, at)) return WalkResult.DROP;
      const result = next === IPPROTO_ROUTING ? this.#routing(packet, at) : this.#options(packet, at);
      if (result !== WalkResult.REACHED) return result;
      fieldAt = at;
      at += ipv6ExtensionLen(bytes, at);
    }
  }

  #reached(packet: PacketBuffer, protocol: number, at: number): WalkResult {
    packet.protocol = protocol;
    packet.transportAt = at;
    return protocol === IPPROTO_NONE ? WalkResult.DROP : WalkResult.REACHED;
  }

  #laterFragment(packet: PacketBuffer, at: number): WalkResult {
    packet.protocol = packet.bytes[at]!;
    packet.transportAt = -1;
    return WalkResult.REACHED;
  }

  /** A routing header whose segments are used up is skipped; source routing is not done (RFC 5095). */
  #routing(packet: PacketBuffer, at: number): WalkResult {
    const segmentsLeft = packet.bytes[at + 3]!;
    return segmentsLeft === 0 ? WalkResult.REACHED : this.#problem(ICMPV6_HDR_FIELD, at + 2 - packet.networkAt);
  }

  #options(packet: PacketBuffer, headerAt: number): WalkResult {
    const { bytes } = packet;
    const end = headerAt + ipv6ExtensionLen(bytes, headerAt);
    let count = 0;
    for (let at = headerAt + 2; at < end;) {
      const type = bytes[at]!;
      if (type === OPT_PAD1) {
        at++;
        continue;
      }
      const len = at + 1 < end ? 2 + bytes[at + 1]! : Infinity;
      if (at + len > end) return WalkResult.DROP;
      if (type !== OPT_PADN) {
        if (++count > OPTION_COUNT_MAX) return WalkResult.DROP;
        const result = type === OPT_ROUTER_ALERT ? WalkResult.REACHED : this.#unknownOption(packet, type, at);
        if (result !== WalkResult.REACHED) return result;
      }
      at += len;
    }
    return WalkResult.REACHED;
  }

  /** What the two high bits of the type ask for: RFC 8200 section 4.2. */
  #unknownOption(packet: PacketBuffer, type: number, at: number): WalkResult {
    const action = type >>> 6;
    if (action === 0) return WalkResult.REACHED;
    if (action === 1) return WalkResult.DROP;
    this.problemCode = ICMPV6_UNK_OPTION;
    this.problemAt = at - packet.networkAt;
    return action === 2 ? WalkResult.REPORT : WalkResult.REPORT_UNICAST;
  }

  #problem(code: number, at: number): WalkResult {
    this.problemCode = code;
    this.problemAt = at;
    return WalkResult.REPORT_UNICAST;
  }
}

function isExtension(nextHeader: number): boolean {
  return (
    nextHeader === IPPROTO_HOPOPTS ||
    nextHeader === IPPROTO_ROUTING ||
    nextHeader === IPPROTO_FRAGMENT ||
    nextHeader === IPPROTO_DSTOPTS
  );
}
