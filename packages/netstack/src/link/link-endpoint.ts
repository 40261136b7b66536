import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { LinkAddress } from '../wire/ethernet.js';

/** Who takes the packets that come in by a link. */
export interface LinkSink {
  /** Takes a packet: a frame with Ethernet header if the link has a link address, else an IP packet. */
  deliver(packet: PacketBuffer): void;

  /** What is delivered from here to {@link LinkSink.end} is handled together: a batch that came at once. */
  begin?(): void;
  end?(): void;
}

/** One attachment to a network. */
export interface LinkEndpoint {
  /** Bytes of the largest IP packet that the link carries. */
  readonly mtu: number;
  /** The Ethernet address, or null if the link carries bare IP packets. */
  readonly linkAddress: LinkAddress | null;
  /** Everything that is sent comes back in: the loopback interface. */
  readonly isLoopback: boolean;
  /** Whether it takes packets of several segments ({@link PacketBuffer.segmentBytes}) as large as this; 0 if none. */
  readonly gsoBytesMax: number;
  /** Whether packets need no transport checksum: nothing can corrupt them, or the link fills it in. */
  readonly hasChecksumOffload: boolean;

  /** Sends a packet, which the link then owns. The link may drop it. */
  send(packet: PacketBuffer): void;

  /** Lets go of what {@link LinkEndpoint.send} has gathered: called when the stack has sent all that it had. */
  flush?(): void;

  /** Sets who takes the packets that come in; null detaches. */
  attach(sink: LinkSink | null): void;
}
