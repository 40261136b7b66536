import { type PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import type { Clock } from '@tsv/clock';
import {
  ethernetDestinationAt,
  ETHERNET_HEADER_BYTES,
  ethernetSourceAt,
  isLinkMulticast,
  type LinkAddress,
  linkAddressEquals,
} from '../wire/ethernet.js';
import { sendFrame } from './frame-output.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';

/** Addresses that a bridge remembers; anybody on a port can send frames from any. */
export const BRIDGE_ADDRESS_COUNT_MAX = 4096;
export const BRIDGE_PORT_COUNT_MAX = 1024;
/** How long an address is believed to be where it was seen, as Linux's bridges have it. */
const AGEING_MS = 300_000;
/** 01:80:c2:00:00:0x are for bridges themselves and never forwarded: IEEE 802.1D section 7.12.6. */
const RESERVED_HIGH = 0x0180c2;
const RESERVED_LOW_MASK = 0xfffff0;

/** A frame's way into a bridge, and out of it. */
export class BridgePort implements LinkSink {
  readonly link: LinkEndpoint;
  readonly #bridge: Bridge;

  constructor(bridge: Bridge, link: LinkEndpoint) {
    this.#bridge = bridge;
    this.link = link;
  }

  /** Takes a frame that came in by the port. */
  deliver(packet: PacketBuffer): void {
    this.#bridge.forward(packet, this);
  }

  begin(): void {
    this.#bridge.begin();
  }

  end(): void {
    this.#bridge.end();
  }
}

/** Where an address was last seen. */
interface Learned {
  port: BridgePort | null;
  untilMs: number;
}

/**
 * A learning Ethernet bridge, IEEE 802.1D without spanning tree. As a link it is the bridge's own port: the interface
 * that a stack has on it.
 */
export class Bridge implements LinkEndpoint {
  readonly mtu: number;
  readonly linkAddress: LinkAddress;
  readonly isLoopback = false;
  readonly gsoBytesMax = 65_535;
  readonly hasChecksumOffload = true;
  /** Frames that were dropped for their malformed or reserved addresses. */
  droppedCount = 0;
  readonly #clock: Clock;
  readonly #ports: BridgePort[] = [];
  readonly #addresses = new Map<number, Learned>();
  #sink: LinkSink | null = null;

  constructor(clock: Clock, linkAddress: LinkAddress, mtu = 1500) {
    this.#clock = clock;
    this.linkAddress = linkAddress;
    this.mtu = mtu;
  }

  get ports(): readonly BridgePort[] {
    return this.#ports;
  }

  /** Connects a link with Ethernet frames. Null if it has none, or there are too many ports. */
  addPort(link: LinkEndpoint): BridgePort | null {
    if (link.linkAddress === null || this.#ports.length >= BRIDGE_PORT_COUNT_MAX) return null;
    const port = new BridgePort(this, link);
    this.#ports.push(port);
    link.attach(port);
    return port;
  }

  /** Disconnects a port; whether it was connected. */
  removePort(port: BridgePort): boolean {
    const index = this.#ports.indexOf(port);
    if (index < 0) return false;
    this.#ports.splice(index, 1);
    port.link.attach(null);
    for (const [address, learned] of this.#addresses) if (learned.port === port) this.#addresses.delete(address);
    return true;
  }

  /** The port that an address was seen on; undefined if it was not, null if it is behind the bridge's own. */
  portOf(address: LinkAddress): BridgePort | null | undefined {
    const learned = this.#addresses.get(addressKey(address, 0));
    return learned !== undefined && learned.untilMs > this.#clock.monotonicMs() ? learned.port : undefined;
  }

  /** The addresses that were seen on a port lately. */
  addressesOf(port: BridgePort): LinkAddress[] {
    const nowMs = this.#clock.monotonicMs();
    const seen = [...this.#addresses].filter(([, learned]) => learned.port === port && learned.untilMs > nowMs);
    return seen.map(([key]) => linkAddressOf(key));
  }

  /** Sends a frame of the stack's. */
  send(packet: PacketBuffer): void {
    this.forward(packet, null);
  }

  flush(): void {
    for (const { link } of this.#ports) link.flush?.();
  }

  attach(sink: LinkSink | null): void {
    this.#sink = sink;
  }

  begin(): void {
    this.#sink?.begin?.();
  }

  end(): void {
    this.#sink?.end?.();
    this.flush();
  }

  /** Takes a frame that came in by `from`, null for the bridge's own port. */
  forward(packet: PacketBuffer, from: BridgePort | null): void {
    const { bytes, at } = packet;
    const to = ethernetDestinationAt(at);
    if (
      packet.len < ETHERNET_HEADER_BYTES ||
      isReserved(bytes, to) ||
      !this.#learn(bytes, ethernetSourceAt(at), from)
    ) {
      this.droppedCount++;
      return packet.release();
    }
    if (isLinkMulticast(bytes, to)) return this.#flood(packet, from);
    if (linkAddressEquals(bytes, to, this.linkAddress)) return this.#output(packet, null, from);
    const learned = this.#addresses.get(addressKey(bytes, to));
    if (learned === undefined || learned.untilMs <= this.#clock.monotonicMs()) return this.#flood(packet, from);
    this.#output(packet, learned.port, from);
  }

  #flood(packet: PacketBuffer, from: BridgePort | null): void {
    for (const port of this.#ports) if (port !== from) this.#output(packet.clone(), port, from);
    this.#output(packet, null, from);
  }

  #output(packet: PacketBuffer, port: BridgePort | null, from: BridgePort | null): void {
    if (port === from) return packet.release();
    if (port !== null) return sendFrame(port.link, packet);
    // What has not been on a wire is right, though its checksum may not be computed yet.
    if (packet.flags & PacketFlag.CHECKSUM_PARTIAL) packet.flags |= PacketFlag.CHECKSUM_VERIFIED;
    if (this.#sink === null) packet.release();
    else this.#sink.deliver(packet);
  }

  /** Notes where a sender is; false if its address is a group's. */
  #learn(bytes: Uint8Array, at: number, port: BridgePort | null): boolean {
    if (isLinkMulticast(bytes, at)) return false;
    const key = addressKey(bytes, at);
    const untilMs = this.#clock.monotonicMs() + AGEING_MS;
    const learned = this.#addresses.get(key);
    if (learned !== undefined) {
      learned.port = port;
      learned.untilMs = untilMs;
    } else {
      if (this.#addresses.size >= BRIDGE_ADDRESS_COUNT_MAX) this.#makeRoom();
      this.#addresses.set(key, { port, untilMs });
    }
    return true;
  }

  /** Forgets what is too old, or else what was learned first. */
  #makeRoom(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [key, { untilMs }] of this.#addresses) if (untilMs <= nowMs) this.#addresses.delete(key);
    for (const key of this.#addresses.keys()) {
      if (this.#addresses.size < BRIDGE_ADDRESS_COUNT_MAX) return;
      this.#addresses.delete(key);
    }
  }
}

/** An address as a number: all 48 bits are exact. */
function addressKey(bytes: Uint8Array, at: number): number {
  return high(bytes, at) * 0x100_0000 + low(bytes, at);
}

function linkAddressOf(key: number): LinkAddress {
  const address = new Uint8Array(6);
  for (let i = 5, rest = key; i >= 0; i--, rest = Math.floor(rest / 256)) address[i] = rest % 256;
  return address;
}

function isReserved(bytes: Uint8Array, at: number): boolean {
  return high(bytes, at) === RESERVED_HIGH && (low(bytes, at) & RESERVED_LOW_MASK) === 0;
}

function high(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
}

function low(bytes: Uint8Array, at: number): number {
  return (bytes[at + 3]! << 16) | (bytes[at + 4]! << 8) | bytes[at + 5]!;
}
