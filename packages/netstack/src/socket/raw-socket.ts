import { EBADF, EINVAL, EMSGSIZE, ENOPROTOOPT, IP_HDRINCL, IPV6_CHECKSUM, SOL_IP, SOL_IPV6, SOL_RAW } from '@tsv/abi';
import { PacketBuffer, PacketFlag } from '../buffer/packet-buffer.js';
import { checksumAdd, checksumFold, pseudoHeaderSum6 } from '../checksum/checksum.js';
import type { Path } from '../net/path.js';
import type { Stack } from '../stack.js';
import { storeU16 } from '../wire/byte-order.js';
import { icmpType } from '../wire/icmpv4.js';
import type { IpAddress } from '../wire/ip-address.js';
import { IPV4_HEADER_BYTES, ipv4HeaderLen } from '../wire/ipv4.js';
import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_RAW } from '../wire/protocol.js';
import { DatagramSocket } from './datagram-socket.js';
import type { SocketAddress } from './socket-address.js';

const PACKET_BYTES_MAX = 65_535;
const ICMP_FILTER = 1;

/** A SOCK_RAW socket of AF_INET or AF_INET6, raw(7): IP packets of one protocol. */
export class RawSocket extends DatagramSocket {
  readonly protocol: number;
  protected readonly headerBytes = 0;
  /** ICMP types (bit by type) that are not delivered, ICMP_FILTER. */
  icmpFilter = 0;
  /** ICMPv6 types that are not delivered, ICMPV6_FILTER: 256 bits. */
  readonly icmpv6Filter = new Uint32Array(8);
  /** Where the kernel puts a checksum, IPV6_CHECKSUM; -1 for nowhere. */
  checksumAt: number;
  #includesHeader: boolean;

  constructor(stack: Stack, isIpv6: boolean, protocol: number) {
    super(stack, isIpv6);
    this.protocol = protocol;
    this.localPort = protocol;
    this.#includesHeader = protocol === IPPROTO_RAW;
    this.checksumAt = isIpv6 && protocol === IPPROTO_ICMPV6 ? 2 : -1;
    stack.raw.addRaw(this);
  }

  /** Receives packets to `address` only. Errors: EADDRNOTAVAIL, EAFNOSUPPORT. */
  bind(address: IpAddress, _port: number, scopeId = 0): number {
    if (this.isClosed) return -EBADF;
    const checked = this.checkBind(address, scopeId);
    if (checked !== 0) return checked;
    this.localAddress = address.clone();
    return 0;
  }

  /** Sends a packet of the socket's protocol, with IP_HDRINCL with its header. Errors: EMSGSIZE, EINVAL, as UDP's. */
  send(bytes: Uint8Array, at: number, len: number, to: SocketAddress | null): number {
    if (len > PACKET_BYTES_MAX) return -EMSGSIZE;
    const path = this.route(to);
    if (typeof path === 'number') return path;
    if (path.dst.isIpv4 === this.isIpv6) return -EINVAL;
    if (this.#includesHeader && !this.isIpv6 && !headerIsValid(bytes, at, len)) return -EINVAL;
    this.stack.enter();
    const packet = PacketBuffer.allocate(len);
    packet.append(bytes, at, len);
    this.signPacket(packet);
    let sent: number;
    if (this.#includesHeader) sent = this.#sendWithHeader(packet, path);
    else {
      if (this.checksumAt >= 0) this.#storeChecksum(packet, path);
      sent = this.sendAlong(path, packet, this.protocol);
    }
    this.stack.leave();
    return sent < 0 ? sent : len;
  }

  /** Whether the socket takes this packet, whose upper-layer header is at `packet.transportAt`. */
  wants(packet: PacketBuffer): boolean {
    if (packet.protocol !== this.protocol || packet.src.isIpv4 === this.isIpv6) return false;
    if (!this.takes(packet.dst, packet.nicId)) return false;
    if (packet.dst.isMulticast && !this.wantsGroup(packet.dst, packet.nicId, packet.src)) return false;
    if (this.remoteAddress !== null && !this.remoteAddress.equals(packet.src)) return false;
    if (packet.end <= packet.transportAt) return true;
    const type = icmpType(packet.bytes, packet.transportAt);
    if (this.protocol === IPPROTO_ICMP && !this.isIpv6) return type > 31 || ((this.icmpFilter >>> type) & 1) === 0;
    if (this.protocol === IPPROTO_ICMPV6) return ((this.icmpv6Filter[type >>> 5]! >>> (type & 31)) & 1) === 0;
    return true;
  }

  /** Queues a copy: IPv4 with the IP header, IPv6 without. */
  deliver(packet: PacketBuffer): void {
    const copy = packet.clone();
    copy.at = this.isIpv6 ? copy.transportAt : copy.networkAt;
    this.enqueue(copy);
  }

  override setOption(level: number, name: number, value: number): number {
    if (level === SOL_IP && name === IP_HDRINCL) {
      this.#includesHeader = value !== 0;
      return 0;
    }
    if (level === SOL_RAW) {
      if (name !== ICMP_FILTER || this.protocol !== IPPROTO_ICMP) return -ENOPROTOOPT;
      this.icmpFilter = value;
      return 0;
    }
    if ((level === SOL_IPV6 || level === IPPROTO_RAW) && name === IPV6_CHECKSUM) {
      if (this.protocol === IPPROTO_ICMPV6 || (value > 0 && (value & 1) !== 0)) return -EINVAL;
      this.checksumAt = value < 0 ? -1 : value;
      return 0;
    }
    return super.setOption(level, name, value);
  }

  override getOption(level: number, name: number): number {
    if (level === SOL_IP && name === IP_HDRINCL) return Number(this.#includesHeader);
    if (level === SOL_RAW && name === ICMP_FILTER) return this.icmpFilter;
    if (level === SOL_IPV6 && name === IPV6_CHECKSUM) return this.checksumAt;
    return super.getOption(level, name);
  }

  protected sourcePortOf(): number {
    return this.isIpv6 ? this.protocol : 0;
  }

  protected override quotedPort(): number {
    return 0;
  }

  protected bindForSending(): number {
    return 0;
  }

  protected unregister(): void {
    this.stack.raw.removeRaw(this);
  }

  #sendWithHeader(packet: PacketBuffer, path: Path): number {
    return this.isIpv6 ? this.stack.ipv6.sendWithHeader(packet, path) : this.stack.ipv4.sendWithHeader(packet, path);
  }

  #storeChecksum(packet: PacketBuffer, path: Path): void {
    if (packet.len < this.checksumAt + 2) return;
    const addresses = new Uint8Array(32);
    path.src.storeIpv6(addresses, 0);
    path.dst.storeIpv6(addresses, 16);
    const { bytes, at, len } = packet;
    storeU16(bytes, at + this.checksumAt, 0);
    const pseudo = pseudoHeaderSum6(addresses, 0, addresses, 16, this.protocol, len);
    storeU16(bytes, at + this.checksumAt, checksumFold(checksumAdd(pseudo, bytes, at, len)));
    packet.flags &= ~PacketFlag.CHECKSUM_PARTIAL;
  }
}

function headerIsValid(bytes: Uint8Array, at: number, len: number): boolean {
  if (len < IPV4_HEADER_BYTES) return false;
  const headerLen = ipv4HeaderLen(bytes, at);
  return headerLen >= IPV4_HEADER_BYTES && headerLen <= len;
}
