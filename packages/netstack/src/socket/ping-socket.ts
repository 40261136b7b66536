import { EADDRINUSE, EAGAIN, EBADF, EINVAL, EMSGSIZE } from '@tsv/abi';
import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold } from '../checksum/checksum.js';
import type { IcmpError } from '../icmp/icmp-error.js';
import { ICMP_ECHO, ICMP_HEADER_BYTES, icmpType, storeIcmpChecksum, storeIcmpId } from '../wire/icmpv4.js';
import { ICMPV6_ECHO_REQUEST } from '../wire/icmpv6.js';
import type { IpAddress } from '../wire/ip-address.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6 } from '../wire/protocol.js';
import { DatagramSocket } from './datagram-socket.js';
import type { SocketAddress } from './socket-address.js';

const MESSAGE_BYTES_MAX = 65_535 - 20;

/** A SOCK_DGRAM socket of IPPROTO_ICMP or IPPROTO_ICMPV6: echo without privileges, icmp(7). Its port is the identifier. */
export class PingSocket extends DatagramSocket {
  protected readonly headerBytes = ICMP_HEADER_BYTES;

  /** Takes an identifier, 0 for any free one. Errors: EINVAL when bound, EADDRINUSE, EADDRNOTAVAIL, EAFNOSUPPORT. */
  bind(address: IpAddress, port: number, scopeId = 0): number {
    if (this.isClosed) return -EBADF;
    if (this.localPort !== 0) return -EINVAL;
    const checked = this.checkBind(address, scopeId);
    if (checked !== 0) return checked;
    const { sockets } = this.stack.ping;
    const isFree = (candidate: number): boolean => sockets.isFree(this, address, candidate);
    const chosen = port !== 0 ? port : sockets.ephemeral(this.stack.random.u32(), isFree);
    if (chosen === 0 || (port !== 0 && !isFree(port))) return -EADDRINUSE;
    this.localAddress = address.clone();
    this.localPort = chosen;
    sockets.add(this);
    return 0;
  }

  /**
   * Sends an echo request: `bytes[at..at+len)` is the whole message, whose identifier and checksum are filled in.
   * Errors: EINVAL for another type, EMSGSIZE, and those of {@link UdpSocket.send}.
   */
  send(bytes: Uint8Array, at: number, len: number, to: SocketAddress | null): number {
    if (len > MESSAGE_BYTES_MAX) return -EMSGSIZE;
    if (len < ICMP_HEADER_BYTES) return -EINVAL;
    const type = this.isIpv6 ? ICMPV6_ECHO_REQUEST : ICMP_ECHO;
    if (icmpType(bytes, at) !== type || bytes[at + 1] !== 0) return -EINVAL;
    const path = this.route(to);
    if (typeof path === 'number') return path;
    if (path.dst.isIpv4 === this.isIpv6) return -EINVAL;
    const bound = this.bindForSending();
    if (bound !== 0) return bound;
    this.stack.enter();
    const packet = PacketBuffer.allocate(len);
    packet.append(bytes, at, len);
    storeIcmpId(packet.bytes, packet.at, this.localPort);
    if (this.isIpv6) packet.flags |= PacketFlag.CHECKSUM_PARTIAL;
    else {
      storeIcmpChecksum(packet.bytes, packet.at, 0);
      storeIcmpChecksum(packet.bytes, packet.at, checksumFold(checksumAdd(0, packet.bytes, packet.at, len)));
    }
    const sent = this.sendAlong(path, packet, this.isIpv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    this.stack.leave();
    return sent < 0 ? sent : len;
  }

  protected sourcePortOf(): number {
    return 0;
  }

  protected override quotedPort(_error: IcmpError): number {
    return 0;
  }

  protected bindForSending(): number {
    if (this.localPort !== 0) return 0;
    const bound = this.bind(this.localAddress, 0);
    return bound === -EADDRINUSE ? -EAGAIN : bound;
  }

  protected unregister(): void {
    if (this.localPort !== 0) this.stack.ping.sockets.remove(this);
  }
}
