import { EAGAIN } from '@tsv/abi';
import { copyBytes, type PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { checksumFold } from '../checksum/checksum.js';
import { gsoHeaderLen } from '../net/gso.js';
import { checksumFieldOf, completeChecksum, packetPseudoSum } from '../net/transport-checksum.js';
import { storeU16 } from '../wire/byte-order.js';
import { ETHERNET_HEADER_BYTES, type LinkAddress } from '../wire/ethernet.js';
import { IPPROTO_TCP } from '../wire/protocol.js';
import {
  storeVirtioPartial,
  storeVirtioPlain,
  VIRTIO_NET_HDR_BYTES,
  VIRTIO_NET_HDR_F_DATA_VALID,
  VIRTIO_NET_HDR_F_NEEDS_CSUM,
  VIRTIO_NET_HDR_GSO_ECN,
  VIRTIO_NET_HDR_GSO_NONE,
  VIRTIO_NET_HDR_GSO_TCPV4,
  VIRTIO_NET_HDR_GSO_TCPV6,
  virtioFlags,
  virtioGsoSize,
  virtioGsoType,
} from '../wire/virtio-net.js';
import { noteTcpHeaders } from './frame-headers.js';
import { FrameSlots } from './frame-slots.js';
import { Gro } from './gro.js';
import type { LinkEndpoint, LinkSink } from './link-endpoint.js';

/** Moves frames between memory and a descriptor of the host, in batches: `PacketFd` of `@tsv/host` is one. */
export interface FrameDevice {
  /**
   * Receives up to `lens.length` frames. The i-th starts at `i * slotBytes` of `buffer`, and `lens[i]` is its length.
   * Returns how many, or a negated errno: EAGAIN when there are none.
   */
  receive(buffer: Uint8Array, slotBytes: number, lens: Int32Array): number;
  /**
   * Sends frames `from` to `to`. The i-th is what lies in `buffer` up to `ends[i]`, from where the one before it ends.
   * Returns how many went out, or the negated errno of the first: EAGAIN when there is no room.
   */
  send(buffer: Uint8Array, ends: Int32Array, from: number, to: number): number;
}

export interface FdLinkOptions {
  readonly mtu: number;
  /** The Ethernet address, or null for a TUN device: bare IP packets. */
  readonly linkAddress: LinkAddress | null;
  /** Frames have a virtio-net header in front: checksums and segmentation are left to the host. */
  readonly hasVirtioHeader: boolean;
  /** Puts TCP segments that came in one batch together, where the host has not. */
  readonly gro?: boolean;
}

const GSO_BYTES_MAX = 65_535;
/** Frames of one batch that is sent. */
const SEND_COUNT = 256;
/** What is gathered before it is sent; a frame that does not fit is sent by itself behind it. */
const SEND_BYTES = 1 << 20;

/**
 * A link over a descriptor of the host: a TAP or TUN device, or a packet socket on one of its interfaces. It is driven
 * from outside: {@link FdLink.receive} when the descriptor is readable, {@link FdLink.flush} when it is writable again.
 */
export class FdLink implements LinkEndpoint {
  readonly mtu: number;
  readonly linkAddress: LinkAddress | null;
  readonly isLoopback = false;
  readonly gsoBytesMax: number;
  readonly hasChecksumOffload: boolean;
  /** Frames dropped: sent ones for want of room or by an error, received ones that are malformed. */
  sendDroppedCount = 0;
  receiveDroppedCount = 0;
  /** Called when frames wait for room, and when they do no longer: watch for writability meanwhile. */
  onBlocked: ((isBlocked: boolean) => void) | null = null;
  readonly #device: FrameDevice;
  readonly #virtioBytes: number;
  readonly #linkBytes: number;
  readonly #slots: FrameSlots;
  readonly #sendBytes = new Uint8Array(SEND_BYTES);
  readonly #ends = new Int32Array(SEND_COUNT);
  readonly #gro: Gro | null;
  #sendCount = 0;
  #sentCount = 0;
  #sink: LinkSink | null = null;
  #isBlocked = false;

  constructor(device: FrameDevice, options: FdLinkOptions) {
    this.#device = device;
    this.mtu = options.mtu;
    this.linkAddress = options.linkAddress;
    this.hasChecksumOffload = options.hasVirtioHeader;
    this.gsoBytesMax = options.hasVirtioHeader ? GSO_BYTES_MAX : 0;
    this.#virtioBytes = options.hasVirtioHeader ? VIRTIO_NET_HDR_BYTES : 0;
    this.#linkBytes = options.linkAddress === null ? 0 : ETHERNET_HEADER_BYTES;
    const frameBytesMax = (options.hasVirtioHeader ? GSO_BYTES_MAX : options.mtu + 4) + this.#linkBytes;
    this.#slots = new FrameSlots(frameBytesMax + this.#virtioBytes);
    this.#gro = options.gro === false ? null : new Gro();
  }

  /** Frames that wait for room. */
  get waitingCount(): number {
    return this.#sendCount - this.#sentCount;
  }

  attach(sink: LinkSink | null): void {
    this.#sink = sink;
  }

  /**
   * Receives one batch and hands it to the stack. Returns how many frames, 0 when there were none, or a negated errno.
   * Preconditions: the stack is not running.
   */
  receive(): number {
    const slots = this.#slots;
    slots.begin();
    const { batchBytes, batchLens } = slots;
    const count = this.#device.receive(batchBytes, slots.slotBytes, batchLens);
    if (count <= 0) return count === -EAGAIN ? 0 : count;
    const sink = this.#sink;
    if (sink === null) return count;
    sink.begin?.();
    for (let i = 0; i < count; i++) this.#take(sink, i, batchBytes, batchLens[i]!);
    const held = this.#gro?.take() ?? null;
    if (held !== null) sink.deliver(held);
    sink.end?.();
    return count;
  }

  send(packet: PacketBuffer): void {
    const { len } = packet;
    const at = this.#sendCount === 0 ? 0 : this.#ends[this.#sendCount - 1]!;
    const hasRoom = this.#sendCount < SEND_COUNT && at + this.#virtioBytes + len <= SEND_BYTES;
    if (!hasRoom && this.waitingCount > 0) {
      this.flush();
      if (this.#sendCount > 0) {
        this.sendDroppedCount++;
        return packet.release();
      }
      return this.send(packet);
    }
    if (this.#virtioBytes > 0) this.#storeHeader(packet, at);
    copyBytes(packet.bytes, packet.at, this.#sendBytes, at + this.#virtioBytes, len);
    this.#ends[this.#sendCount++] = at + this.#virtioBytes + len;
    packet.release();
  }

  /** Sends what was gathered. What the device has no room for waits for the next call. */
  flush(): void {
    while (this.#sentCount < this.#sendCount) {
      const sent = this.#device.send(this.#sendBytes, this.#ends, this.#sentCount, this.#sendCount);
      if (sent === -EAGAIN) return this.#setBlocked(true);
      if (sent > 0) this.#sentCount += sent;
      else {
        // The device refuses this frame: the ones behind it may still go.
        this.#sentCount++;
        this.sendDroppedCount++;
      }
    }
    this.#sendCount = 0;
    this.#sentCount = 0;
    this.#setBlocked(false);
  }

  #setBlocked(isBlocked: boolean): void {
    if (isBlocked === this.#isBlocked) return;
    this.#isBlocked = isBlocked;
    this.onBlocked?.(isBlocked);
  }

  /** Hands over a received frame, or keeps it for the next one to be joined to it. */
  #take(sink: LinkSink, index: number, batchBytes: Uint8Array, len: number): void {
    if (len - this.#virtioBytes < this.#linkBytes || len > this.#slots.slotBytes) {
      this.receiveDroppedCount++;
      return;
    }
    const packet = this.#slots.packet(index, this.#virtioBytes, len);
    const isTcp = noteTcpHeaders(packet, this.#linkBytes);
    if (this.#virtioBytes > 0) loadHeader(packet, batchBytes, index * this.#slots.slotBytes, isTcp);
    const gro = this.#gro;
    if (gro === null) return sink.deliver(packet);
    if (isTcp && gro.join(packet)) return packet.release();
    const held = gro.take();
    if (held !== null) sink.deliver(held);
    if (!isTcp || !gro.hold(packet)) sink.deliver(packet);
  }

  #storeHeader(packet: PacketBuffer, at: number): void {
    const { transportAt, protocol } = packet;
    const field = checksumFieldOf(protocol);
    if ((packet.flags & PacketFlag.CHECKSUM_PARTIAL) === 0 || field < 0) return storeVirtioPlain(this.#sendBytes, at);
    const start = transportAt - packet.at;
    const isIpv4 = packet.dst.isIpv4;
    if (packet.segmentBytes === 0) {
      if (protocol !== IPPROTO_TCP) {
        // These are small, and whoever looks at the host's interface then sees them complete.
        completeChecksum(packet);
        return storeVirtioPlain(this.#sendBytes, at);
      }
      storeVirtioPartial(this.#sendBytes, at, start, field, VIRTIO_NET_HDR_GSO_NONE, 0, 0);
    } else {
      const type = isIpv4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6;
      const headerLen = packet.networkAt - packet.at + gsoHeaderLen(packet);
      storeVirtioPartial(this.#sendBytes, at, start, field, type, headerLen, packet.segmentBytes);
    }
    const pseudo = packetPseudoSum(packet, packet.end - transportAt);
    storeU16(packet.bytes, transportAt + field, ~checksumFold(pseudo) & 0xffff);
  }
}

/** Notes what the virtio-net header at `bytes[at]` says of a packet. */
function loadHeader(packet: PacketBuffer, bytes: Uint8Array, at: number, isTcp: boolean): void {
  const flags = virtioFlags(bytes, at);
  // What has not been on a wire is right, though its checksum may not be computed yet.
  if (flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) packet.flags |= PacketFlag.CHECKSUM_VERIFIED | PacketFlag.CHECKSUM_PARTIAL;
  else if (flags & VIRTIO_NET_HDR_F_DATA_VALID) packet.flags |= PacketFlag.CHECKSUM_VERIFIED;
  const type = virtioGsoType(bytes, at) & ~VIRTIO_NET_HDR_GSO_ECN;
  const isTcpGso = type === VIRTIO_NET_HDR_GSO_TCPV4 || type === VIRTIO_NET_HDR_GSO_TCPV6;
  if (isTcp && isTcpGso) packet.segmentBytes = virtioGsoSize(bytes, at);
}
