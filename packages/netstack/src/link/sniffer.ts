import type { Clock } from '@tsv/clock';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { LinkAddress } from '../wire/ethernet.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';
import { LINKTYPE_ETHERNET, LINKTYPE_RAW, PCAPNG_INBOUND, PCAPNG_OUTBOUND, type PcapngWriter } from './pcapng.js';

/** Sees the packets of a link. The packet is borrowed: who keeps its bytes copies them. */
export interface PacketObserver {
  incoming(packet: PacketBuffer): void;
  outgoing(packet: PacketBuffer): void;
}

/** A link around another one that shows every packet to an observer. */
export class Sniffer implements LinkEndpoint, LinkSink {
  readonly #link: LinkEndpoint;
  readonly #observer: PacketObserver;
  #sink: LinkSink | null = null;

  constructor(link: LinkEndpoint, observer: PacketObserver) {
    this.#link = link;
    this.#observer = observer;
  }

  get mtu(): number {
    return this.#link.mtu;
  }

  get linkAddress(): LinkAddress | null {
    return this.#link.linkAddress;
  }

  get isLoopback(): boolean {
    return this.#link.isLoopback;
  }

  get gsoBytesMax(): number {
    return this.#link.gsoBytesMax;
  }

  get hasChecksumOffload(): boolean {
    return this.#link.hasChecksumOffload;
  }

  send(packet: PacketBuffer): void {
    this.#observer.outgoing(packet);
    this.#link.send(packet);
  }

  flush(): void {
    this.#link.flush?.();
  }

  begin(): void {
    this.#sink?.begin?.();
  }

  end(): void {
    this.#sink?.end?.();
  }

  attach(sink: LinkSink | null): void {
    this.#sink = sink;
    this.#link.attach(sink === null ? null : this);
  }

  deliver(packet: PacketBuffer): void {
    this.#observer.incoming(packet);
    if (this.#sink === null) packet.release();
    else this.#sink.deliver(packet);
  }
}

/** Writes the packets of one link to a capture file. */
export class PcapngObserver implements PacketObserver {
  readonly #writer: PcapngWriter;
  readonly #clock: Clock;
  readonly #interfaceIndex: number;
  readonly #snapBytes: number;

  constructor(writer: PcapngWriter, clock: Clock, name: string, link: LinkEndpoint, snapBytes = Infinity) {
    this.#writer = writer;
    this.#clock = clock;
    this.#snapBytes = snapBytes;
    const linkType = link.linkAddress === null ? LINKTYPE_RAW : LINKTYPE_ETHERNET;
    this.#interfaceIndex = writer.addInterface(name, linkType, snapBytes === Infinity ? 0 : snapBytes);
  }

  incoming(packet: PacketBuffer): void {
    this.#record(packet, PCAPNG_INBOUND);
  }

  outgoing(packet: PacketBuffer): void {
    this.#record(packet, PCAPNG_OUTBOUND);
  }

  #record(packet: PacketBuffer, flags: number): void {
    const epochMs = this.#clock.realtimeMs();
    this.#writer.packet(this.#interfaceIndex, epochMs, flags, packet.bytes, packet.at, packet.len, this.#snapBytes);
  }
}
