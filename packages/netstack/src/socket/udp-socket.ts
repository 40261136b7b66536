import { EACCES, EADDRINUSE, EAGAIN, EBADF, EDESTADDRREQ, EINVAL, EMSGSIZE, EPIPE, UDP_MAX_SEGMENTS } from '@tsv/abi';
import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import type { IpAddress } from '../wire/ip-address.js';
import { IPV4_HEADER_BYTES } from '../wire/ipv4.js';
import { IPV6_HEADER_BYTES } from '../wire/ipv6.js';
import { IPPROTO_UDP } from '../wire/protocol.js';
import { storeUdp, UDP_HEADER_BYTES, UDP_PAYLOAD_BYTES_MAX, udpSrcPort } from '../wire/udp.js';
import { DatagramSocket } from './datagram-socket.js';
import type { SocketAddress } from './socket-address.js';

/** A UDP socket, udp(7). No call blocks. */
export class UdpSocket extends DatagramSocket {
  protected readonly headerBytes = UDP_HEADER_BYTES;
  /** UDP_GRO: whether it takes several datagrams of one sender and length as one. */
  takesSegments = false;

  /** Takes a port, 0 for any free one. Errors: EINVAL when bound, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT. */
  bind(address: IpAddress, port: number, scopeId = 0): number {
    if (this.isClosed) return -EBADF;
    if (this.localPort !== 0) return -EINVAL;
    const checked = this.checkBind(address, scopeId);
    if (checked !== 0) return checked;
    const { sockets } = this.stack.udp;
    const isFree = (candidate: number): boolean => sockets.isFree(this, address, candidate);
    const chosen = port !== 0 ? port : sockets.ephemeral(this.stack.random.u32(), isFree);
    if (chosen === 0 || (port !== 0 && !isFree(port))) return -EADDRINUSE;
    this.localAddress = address.clone();
    this.localPort = chosen;
    sockets.add(this);
    return 0;
  }

  /**
   * Sends `bytes[at..at+len)` to `to`, or to the peer if null: as one datagram, or if `segmentBytes` is not 0 as several
   * of at most that many bytes. Errors: EDESTADDRREQ, EMSGSIZE, EACCES for a broadcast address without SO_BROADCAST,
   * EINVAL for more than UDP_MAX_SEGMENTS, EPIPE after a shutdown, a pending error, and what finding a path says.
   */
  send(bytes: Uint8Array, at: number, len: number, to: SocketAddress | null, segmentBytes = 0): number {
    if (this.isWriteShut) return -EPIPE;
    if (len > UDP_PAYLOAD_BYTES_MAX) return -EMSGSIZE;
    const port = to === null ? this.remotePort : to.port;
    if (to === null && this.remoteAddress === null) return -EDESTADDRREQ;
    if (port === 0) return -EINVAL;
    const path = this.route(to);
    if (typeof path === 'number') return path;
    if (!this.optionValues.mayBroadcast && path.nic.isBroadcast(path.dst)) return -EACCES;
    const isSeveral = segmentBytes > 0 && len > segmentBytes;
    if (isSeveral) {
      if (len > segmentBytes * UDP_MAX_SEGMENTS) return -EINVAL;
      const headerBytes = UDP_HEADER_BYTES + (path.dst.isIpv4 ? IPV4_HEADER_BYTES : IPV6_HEADER_BYTES);
      if (segmentBytes + headerBytes > path.mtu) return this.refuseTooLong(path);
    }
    const bound = this.bindForSending();
    if (bound !== 0) return bound;
    this.stack.enter();
    const packet = PacketBuffer.allocate(len);
    if (isSeveral) packet.segmentBytes = segmentBytes;
    packet.append(bytes, at, len);
    const headerAt = packet.prepend(UDP_HEADER_BYTES);
    storeUdp(packet.bytes, headerAt, this.localPort, port, len + UDP_HEADER_BYTES);
    if (!this.optionValues.hasNoChecksum || !path.dst.isIpv4) packet.flags |= PacketFlag.CHECKSUM_PARTIAL;
    this.stack.stats.udpOutDatagrams++;
    const sent = this.sendAlong(path, packet, IPPROTO_UDP);
    this.stack.leave();
    if (sent < 0) return sent === -EMSGSIZE ? this.refuseTooLong(path) : sent;
    return len;
  }

  /** How well the socket fits a datagram: -1 not at all. */
  score(dst: IpAddress, src: IpAddress, srcPort: number, nicId: number): number {
    if (!this.takes(dst, nicId)) return -1;
    let score = this.localAddress.isUnspecified ? 0 : 4;
    if (this.remoteAddress !== null) {
      if (!this.remoteAddress.equals(src) || this.remotePort !== srcPort) return -1;
      score += 8;
    }
    if (this.optionValues.boundNicId !== 0) score += 2;
    return this.isIpv6 === src.isIpv4 ? score : score + 1;
  }

  override disconnect(): void {
    super.disconnect();
    this.localAddress = this.anyAddress;
  }

  protected sourcePortOf(packet: PacketBuffer): number {
    return udpSrcPort(packet.bytes, packet.transportAt);
  }

  protected bindForSending(): number {
    if (this.localPort !== 0) return 0;
    const bound = this.bind(this.localAddress, 0);
    return bound === -EADDRINUSE ? -EAGAIN : bound;
  }

  protected unregister(): void {
    if (this.localPort !== 0) this.stack.udp.sockets.remove(this);
  }
}
