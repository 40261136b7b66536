import { type PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import type { LinkAddress } from '../wire/ethernet.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';

export interface PipeOptions {
  readonly mtu?: number;
  /** Ethernet addresses of the two ends; without, the pipe carries bare IP packets. */
  readonly linkAddresses?: readonly [LinkAddress, LinkAddress];
  /** Compute and verify checksums all the same. */
  readonly checksums?: boolean;
  /** Bytes of the largest packet of several segments that goes through whole; 0 for none. */
  readonly gsoBytesMax?: number;
}

/** As veth(4): the largest IP packet. */
const GSO_BYTES_MAX = 65_535;

/** One end of a cable between two stacks, as veth(4): what one end sends, the other delivers at once. */
export class PipeLink implements LinkEndpoint {
  readonly mtu: number;
  readonly linkAddress: LinkAddress | null;
  readonly isLoopback = false;
  readonly gsoBytesMax: number;
  readonly hasChecksumOffload: boolean;
  #peer: PipeLink | null = null;
  #sink: LinkSink | null = null;

  private constructor(options: PipeOptions, linkAddress: LinkAddress | null) {
    this.mtu = options.mtu ?? 1500;
    this.linkAddress = linkAddress;
    this.hasChecksumOffload = options.checksums !== true;
    this.gsoBytesMax = this.hasChecksumOffload ? (options.gsoBytesMax ?? GSO_BYTES_MAX) : 0;
  }

  /** The two ends of a new cable. */
  static pair(options: PipeOptions = {}): [PipeLink, PipeLink] {
    const a = new PipeLink(options, options.linkAddresses?.[0] ?? null);
    const b = new PipeLink(options, options.linkAddresses?.[1] ?? null);
    a.#peer = b;
    b.#peer = a;
    return [a, b];
  }

  send(packet: PacketBuffer): void {
    const sink = this.#peer === null ? null : this.#peer.#sink;
    if (sink === null) return packet.release();
    if (this.hasChecksumOffload) packet.flags |= PacketFlag.CHECKSUM_VERIFIED;
    sink.deliver(packet);
  }

  attach(sink: LinkSink | null): void {
    this.#sink = sink;
  }
}
