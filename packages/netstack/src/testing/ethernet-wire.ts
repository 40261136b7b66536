import { VirtualClock } from '@tsv/clock';
import { PacketBuffer } from '../buffer/packet-buffer.js';
import { ChannelLink } from '../link/channel.js';
import type { Nic } from '../net/nic.js';
import { SeededRandom } from '../net/random.js';
import { Stack, type StackOptions } from '../stack.js';
import { formatLinkAddress, parseLinkAddress } from '../wire/ethernet.js';
import { parsePrefix } from '../wire/ip-address.js';
import { addressBytes, icmp6, ipv6, u16 } from './packets.js';
import { passTime } from './pass-time.js';

/** Hardware addresses of the stack and of the peer. */
export const OURS = '02:00:00:00:00:01';
export const PEERS = '02:00:00:00:00:02';
export const BROADCAST = 'ff:ff:ff:ff:ff:ff';
export const ARP = 0x0806;
export const IPV4 = 0x0800;
export const IPV6 = 0x86dd;
const HEADER_BYTES = 14;
const START_MS = 10_000;

/** A frame that the stack has sent. */
export interface Frame {
  /** Milliseconds since the bench was made. */
  readonly atMs: number;
  readonly to: string;
  readonly from: string;
  readonly type: number;
  readonly payload: readonly number[];
}

export interface EthernetWireOptions {
  readonly addresses?: readonly string[];
  readonly acceptsRouterAdvertisements?: boolean;
  readonly stack?: Partial<StackOptions>;
  readonly mtu?: number;
}

/** A stack on virtual time with one Ethernet interface, and a peer that is the test: it reads and writes frames. */
export class EthernetWire {
  readonly clock = new VirtualClock(START_MS);
  readonly link: ChannelLink;
  readonly stack: Stack;
  readonly nic: Nic;

  constructor(options: EthernetWireOptions = {}) {
    this.link = new ChannelLink({ linkAddress: parseLinkAddress(OURS), mtu: options.mtu ?? 1500 });
    this.stack = new Stack({ clock: this.clock, random: new SeededRandom(1), dadTransmits: 0, ...options.stack });
    this.nic = this.stack.addNic('eth0', this.link, {
      addresses: (options.addresses ?? ['10.0.0.1/24', 'fd00::1/64']).map(parsePrefix),
      acceptsRouterAdvertisements: options.acceptsRouterAdvertisements ?? false,
    });
  }

  /** Milliseconds since the bench was made. */
  get nowMs(): number {
    return this.clock.monotonicMs() - START_MS;
  }

  /** A frame comes in; returns what is sent at once. */
  inject(type: number, payload: readonly number[], to = OURS, from = PEERS): Frame[] {
    const frame = [...parseLinkAddress(to), ...parseLinkAddress(from), ...u16(type), ...payload];
    this.link.inject(PacketBuffer.copyOf(Uint8Array.from(frame)));
    return this.heard();
  }

  /** Lets time pass, with all timers; returns what is sent meanwhile. */
  pass(durationMs: number): Frame[] {
    return passTime(this.stack, this.clock, durationMs, () => this.heard());
  }

  /** What the stack has sent since the last look. */
  heard(): Frame[] {
    const heard: Frame[] = [];
    for (let packet = this.link.read(); packet !== null; packet = this.link.read()) {
      const bytes = packet.bytes.slice(packet.at, packet.end);
      packet.release();
      heard.push({
        atMs: this.nowMs,
        to: formatLinkAddress(bytes.subarray(0, 6)),
        from: formatLinkAddress(bytes.subarray(6, 12)),
        type: (bytes[12]! << 8) | bytes[13]!,
        payload: [...bytes.subarray(HEADER_BYTES)],
      });
    }
    return heard;
  }
}

/** An ARP packet, RFC 826: `op` 1 asks, 2 answers. */
export function arp(op: number, sender: string, senderIp: string, target: string | null, targetIp: string): number[] {
  const targetBytes = target === null ? [0, 0, 0, 0, 0, 0] : [...parseLinkAddress(target)];
  const head = [...u16(1), ...u16(IPV4), 6, 4, ...u16(op)];
  return [...head, ...parseLinkAddress(sender), ...addressBytes(senderIp), ...targetBytes, ...addressBytes(targetIp)];
}

export interface Nd {
  readonly src?: string;
  readonly dst?: string;
  readonly hops?: number;
  readonly code?: number;
}

/** An ICMPv6 message of Neighbour Discovery with hop limit 255, from fe80::2. */
export function nd({ src = 'fe80::2', dst = 'fd00::1', hops = 255, code = 0 }: Nd, type: number, ...body: number[]) {
  return ipv6({ src, dst, hops }, ...icmp6({ src, dst }, type, code, ...body));
}

/** An option with a link-layer address: kind 1 of the source, 2 of the target. */
export function linkOption(kind: number, address = PEERS): number[] {
  return [kind, 1, ...parseLinkAddress(address)];
}

/** An ICMPv6 message in a frame that the stack has sent; null if it is something else. */
export function icmp6Of(frame: Frame): { type: number; src: string; dst: string; hops: number; body: number[] } | null {
  const { payload } = frame;
  if (frame.type !== IPV6 || payload[6] !== 58) return null;
  const [src, dst] = [8, 24].map((at) => hex(payload.slice(at, at + 16)));
  return { type: payload[40]!, src: src!, dst: dst!, hops: payload[7]!, body: payload.slice(44) };
}

/** Bytes of an address as hexadecimal digits. */
export function hex(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** The same of its text. */
export function hexOf(address: string): string {
  return hex(addressBytes(address));
}
