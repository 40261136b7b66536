import { type PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import type { LinkAddress } from '../wire/ethernet.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';

export interface PipeOptions {
  readonly mtu?: number;
  /** Ethernet addresses of the two ends; without, the pipe carries bare IP packets. */
  readonly linkAddresses?: readonly [LinkAddress, LinkAddress];
  /** Compute and verify checksums all the same. */
  readonly checksums?: boolean;
}

/** One end of a cable between two stacks, as veth(4): what one end sends, the other delivers at once. */
export class PipeLink implements LinkEndpoint {
  readonly mtu: number;
  readonly linkAddress: LinkAddress | null;
  readonly isLoopback = false;
  readonly gsoBytesMax = 0;
  readonly hasChecksumOffload: boolean;
  #peer: PipeLink | null = null;
  #sink: LinkSink | null = null;

  private constructor(mtu: number, linkAddress: LinkAddress | null, hasChecksumOffload: boolean) {
    this.mtu = mtu;
    this.linkAddress = linkAddress;
    this.hasChecksumOffload = hasChecksumOffload;
  }

  /** The two ends of a new cable. */
  static pair(options: PipeOptions = {}): [PipeLink, PipeLink] {
    const offload = options.checksums !== true;
    const a = new PipeLink(options.mtu ?? 1500, options.linkAddresses?.[0] ?? null, offload);
    const b = new PipeLink(options.mtu ?? 1500, options.linkAddresses?.[1] ?? null, offload);
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
