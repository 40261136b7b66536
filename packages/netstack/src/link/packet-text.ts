import type { Clock } from '@tsv/clock';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import { Segment } from '../tcp/segment.js';
import { parseSegment, tcpIsWellFormed } from '../tcp/wire.js';
import { loadU16 } from '../wire/byte-order.js';
import {
  ETH_P_ARP,
  ETH_P_IP,
  ETH_P_IPV6,
  ETHERNET_HEADER_BYTES,
  ethernetType,
  formatLinkAddress,
} from '../wire/ethernet.js';
import { IpAddress } from '../wire/ip-address.js';
import {
  ipv4FragmentOffsetBytes,
  ipv4HasMoreFragments,
  ipv4HeaderLen,
  ipv4Id,
  ipv4IsWellFormed,
  ipv4Protocol,
  ipv4TotalLen,
  loadIpv4Dst,
  loadIpv4Src,
} from '../wire/ipv4.js';
import {
  IPV6_HEADER_BYTES,
  ipv6IsWellFormed,
  ipv6NextHeader,
  ipv6PayloadLen,
  loadIpv6Dst,
  loadIpv6Src,
} from '../wire/ipv6.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';
import { UDP_HEADER_BYTES } from '../wire/udp.js';
import type { LinkEndpoint } from './link-endpoint.js';
import type { PacketObserver } from './sniffer.js';

const FLAG_LETTERS = ['F', 'S', 'R', 'P', '.', 'U', 'E', 'W'];
const ARP_OPERATION = 6;
const ARP_SENDER_IP = 14;
const ARP_TARGET_IP = 24;
const ARP_BYTES = 28;

/** Writes a line of text about each packet, much as tcpdump(8) does. */
export class TextObserver implements PacketObserver {
  readonly #clock: Clock;
  readonly #linkBytes: number;
  readonly #write: (line: string) => void;

  constructor(clock: Clock, link: LinkEndpoint, write: (line: string) => void) {
    this.#clock = clock;
    this.#linkBytes = link.linkAddress === null ? 0 : ETHERNET_HEADER_BYTES;
    this.#write = write;
  }

  incoming(packet: PacketBuffer): void {
    this.#line('<', packet);
  }

  outgoing(packet: PacketBuffer): void {
    this.#line('>', packet);
  }

  #line(direction: string, { bytes, at, end }: PacketBuffer): void {
    const time = (this.#clock.monotonicMs() / 1000).toFixed(6);
    this.#write(`${time} ${direction} ${describeFrame(bytes, at, end, this.#linkBytes)}`);
  }
}

/** What a frame is, in one line. */
export function describeFrame(bytes: Uint8Array, at: number, end: number, linkBytes: number): string {
  if (end - at < linkBytes) return `[short frame] length ${end - at}`;
  const from = at + linkBytes;
  const version = from < end ? bytes[from]! >>> 4 : 0;
  const type = linkBytes > 0 ? ethernetType(bytes, at) : version === 6 ? ETH_P_IPV6 : ETH_P_IP;
  if (type === ETH_P_IP) return describeIpv4(bytes, from, end);
  if (type === ETH_P_IPV6) return describeIpv6(bytes, from, end);
  if (type === ETH_P_ARP && end - from >= ARP_BYTES) return describeArp(bytes, from);
  const source = formatLinkAddress(bytes.subarray(at + 6, at + 12));
  return `${source} ethertype 0x${type.toString(16).padStart(4, '0')} length ${end - at}`;
}

function describeArp(bytes: Uint8Array, at: number): string {
  const address = (offset: number): string => {
    const into = new IpAddress();
    into.loadIpv4(bytes, at + offset);
    return into.toString();
  };
  const [sender, target] = [address(ARP_SENDER_IP), address(ARP_TARGET_IP)];
  if (loadU16(bytes, at + ARP_OPERATION) === 1) return `ARP who-has ${target} tell ${sender}`;
  return `ARP ${sender} is-at ${formatLinkAddress(bytes.subarray(at + 8, at + 14))}`;
}

function describeIpv4(bytes: Uint8Array, at: number, end: number): string {
  if (!ipv4IsWellFormed(bytes, at, end - at)) return `IP [malformed] length ${end - at}`;
  const [src, dst] = [new IpAddress(), new IpAddress()];
  loadIpv4Src(bytes, at, src);
  loadIpv4Dst(bytes, at, dst);
  const upperAt = at + ipv4HeaderLen(bytes, at);
  const upperEnd = at + ipv4TotalLen(bytes, at);
  const offset = ipv4FragmentOffsetBytes(bytes, at);
  if (offset > 0 || ipv4HasMoreFragments(bytes, at)) {
    return `IP ${String(src)} > ${String(dst)}: fragment ${ipv4Id(bytes, at)} at ${offset} length ${upperEnd - upperAt}`;
  }
  return `IP ${describeUpper(bytes, upperAt, upperEnd, ipv4Protocol(bytes, at), src, dst)}`;
}

function describeIpv6(bytes: Uint8Array, at: number, end: number): string {
  if (!ipv6IsWellFormed(bytes, at, end - at)) return `IP6 [malformed] length ${end - at}`;
  const [src, dst] = [new IpAddress(), new IpAddress()];
  loadIpv6Src(bytes, at, src);
  loadIpv6Dst(bytes, at, dst);
  const upperAt = at + IPV6_HEADER_BYTES;
  return `IP6 ${describeUpper(bytes, upperAt, upperAt + ipv6PayloadLen(bytes, at), ipv6NextHeader(bytes, at), src, dst)}`;
}

function describeUpper(
  bytes: Uint8Array,
  at: number,
  end: number,
  protocol: number,
  src: IpAddress,
  dst: IpAddress,
): string {
  const len = end - at;
  const ports = (): string => `${String(src)}.${loadU16(bytes, at)} > ${String(dst)}.${loadU16(bytes, at + 2)}`;
  switch (protocol) {
    case IPPROTO_TCP:
      return tcpIsWellFormed(bytes, at, len) ? `${ports()}: ${describeTcp(bytes, at, len)}` : `TCP [malformed]`;
    case IPPROTO_UDP:
      return len >= UDP_HEADER_BYTES ? `${ports()}: UDP, length ${len - UDP_HEADER_BYTES}` : `UDP [malformed]`;
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6: {
      const name = protocol === IPPROTO_ICMP ? 'ICMP' : 'ICMP6';
      if (len < 4) return `${name} [malformed]`;
      return `${String(src)} > ${String(dst)}: ${name} type ${bytes[at]!} code ${bytes[at + 1]!}, length ${len}`;
    }
    default:
      return `${String(src)} > ${String(dst)}: protocol ${protocol}, length ${len}`;
  }
}

function describeTcp(bytes: Uint8Array, at: number, len: number): string {
  const seg = new Segment();
  parseSegment(seg, bytes, at, len);
  const flags = FLAG_LETTERS.filter((_, bit) => seg.flags & (1 << bit)).join('');
  const parts = [`Flags [${flags}]`, `seq ${seg.seq >>> 0}`];
  if (seg.flags & 0x10) parts.push(`ack ${seg.ack >>> 0}`);
  parts.push(`win ${seg.window}`);
  if (seg.mss > 0) parts.push(`mss ${seg.mss}`);
  if (seg.windowShift >= 0) parts.push(`wscale ${seg.windowShift}`);
  if (seg.isSackPermitted) parts.push('sackOK');
  if (seg.hasTimestamps) parts.push(`TS ${seg.tsVal >>> 0} ${seg.tsEcr >>> 0}`);
  for (let i = 0; i < seg.sackCount; i++) parts.push(`sack ${seg.sackStarts[i]! >>> 0}:${seg.sackEnds[i]! >>> 0}`);
  return `${parts.join(', ')}, length ${seg.textLen}`;
}
