import { PacketFlag, type PacketBuffer } from '../buffer/packet-buffer.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';

/** MTU of Linux's `lo`. */
const LOOPBACK_MTU = 65536;

/** The loopback interface: what is sent comes back, the same buffer, unverified because nobody could have changed it. */
export class LoopbackLink implements LinkEndpoint {
  readonly mtu: number;
  readonly linkAddress = null;
  readonly isLoopback = true;
  readonly gsoBytesMax = 0;
  readonly hasChecksumOffload = true;
  #sink: LinkSink | null = null;

  constructor(mtu = LOOPBACK_MTU) {
    this.mtu = mtu;
  }

  send(packet: PacketBuffer): void {
    if (this.#sink === null) return packet.release();
    packet.flags |= PacketFlag.CHECKSUM_VERIFIED;
    this.#sink.deliver(packet);
  }

  attach(sink: LinkSink | null): void {
    this.#sink = sink;
  }
}
