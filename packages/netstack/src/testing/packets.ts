import { VirtualClock } from '@tsv/clock';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { ChannelLink } from '../link/channel.js';
import { SeededRandom } from '../net/random.js';
import { Stack } from '../stack.js';
import { IpAddress, parsePrefix } from '../wire/ip-address.js';

/** A stack with one interface, 10.0.0.1/24 and fd00::1/64, and a program that writes packets byte for byte. */
export class Bench {
  readonly link = new ChannelLink();
  readonly clock = new VirtualClock(1000);
  readonly stack = new Stack({ clock: this.clock, random: new SeededRandom(1), dadTransmits: 0 });

  constructor() {
    this.stack.addNic('eth0', this.link, { addresses: ['10.0.0.1/24', 'fd00::1/64'].map(parsePrefix) });
    this.sent();
  }

  /** Hands the stack a packet, and tells what it sends at once. */
  answers(packet: readonly number[]): Uint8Array[] {
    this.link.inject(PacketBuffer.copyOf(Uint8Array.from(packet)));
    return this.sent();
  }

  /** What the stack has sent. */
  sent(): Uint8Array[] {
    const sent: Uint8Array[] = [];
    for (let packet = this.link.read(); packet !== null; packet = this.link.read()) {
      sent.push(packet.bytes.slice(packet.at, packet.end));
      packet.release();
    }
    return sent;
  }
}

export interface Ipv4Fields {
  readonly version?: number;
  readonly src?: string;
  readonly dst?: string;
  readonly protocol?: number;
  readonly ttl?: number;
  /** Type of service, with the ECN field. */
  readonly tos?: number;
  readonly id?: number;
  /** Flags and offset, the fragment field. */
  readonly fragment?: number;
  /** Added to the right header checksum. */
  readonly checksumError?: number;
}

/** An IPv4 packet, RFC 791 section 3.1, from 10.0.0.2 to the stack. */
export function ipv4(fields: Ipv4Fields, ...payload: readonly number[]): number[] {
  const {
    version = 4,
    src = '10.0.0.2',
    dst = '10.0.0.1',
    protocol = 17,
    ttl = 64,
    fragment = 0,
    tos = 0,
    id = 1,
  } = fields;
  const header = [
    (version << 4) | 5,
    tos,
    ...u16(20 + payload.length),
    ...u16(id),
    ...u16(fragment),
    ttl,
    protocol,
    0,
    0,
  ];
  header.push(...addressBytes(src), ...addressBytes(dst));
  header.splice(10, 2, ...u16(internetSum(header) + (fields.checksumError ?? 0)));
  return [...header, ...payload];
}

export interface Ipv6Fields {
  readonly src?: string;
  readonly dst?: string;
  readonly next?: number;
  readonly hops?: number;
}

/** An IPv6 packet, RFC 8200 section 3, from fd00::2 to the stack. */
export function ipv6(
  { src = 'fd00::2', dst = 'fd00::1', next = 58, hops = 64 }: Ipv6Fields,
  ...payload: number[]
): number[] {
  return [0x60, 0, 0, 0, ...u16(payload.length), next, hops, ...addressBytes(src), ...addressBytes(dst), ...payload];
}

/** An ICMPv4 message, RFC 792. */
export function icmp4(type: number, code: number, ...body: readonly number[]): number[] {
  const message = [type, code, 0, 0, ...body];
  message.splice(2, 2, ...u16(internetSum(message)));
  return message;
}

/** An ICMPv6 message with its checksum for these addresses, RFC 4443 section 2.3. */
export function icmp6(
  { src = 'fd00::2', dst = 'fd00::1' }: Ipv6Fields,
  type: number,
  code: number,
  ...body: number[]
): number[] {
  const message = [type, code, 0, 0, ...body];
  const pseudo = [...addressBytes(src), ...addressBytes(dst), 0, 0, ...u16(message.length), 0, 0, 0, 58];
  message.splice(2, 2, ...u16(internetSum([...pseudo, ...message])));
  return message;
}

/** A UDP datagram without a checksum, RFC 768. */
export function udp(srcPort: number, dstPort: number, ...text: readonly number[]): number[] {
  return [...u16(srcPort), ...u16(dstPort), ...u16(8 + text.length), 0, 0, ...text];
}

export function u16(value: number): number[] {
  return [(value >> 8) & 0xff, value & 0xff];
}

/** The Internet checksum, RFC 1071 section 1. */
export function internetSum(bytes: readonly number[]): number {
  let total = 0;
  bytes.forEach((byte, index) => (total += index % 2 === 0 ? byte << 8 : byte));
  while (total > 0xffff) total = (total & 0xffff) + (total >>> 16);
  return ~total & 0xffff;
}

/** The bytes of an address. */
export function addressBytes(text: string): number[] {
  const address = IpAddress.parse(text);
  const bytes = new Uint8Array(address.byteCount);
  if (address.isIpv4) address.storeIpv4(bytes, 0);
  else address.storeIpv6(bytes, 0);
  return [...bytes];
}
