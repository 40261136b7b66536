import { IPV6_ANY, type IpAddress } from '../wire/ip-address.js';

/** An address and a port, as sockaddr_in(3type) and sockaddr_in6(3type); filled in by calls that return one. */
export class SocketAddress {
  address: IpAddress;
  /** Port, in host order; the identifier of ping sockets, the protocol of raw sockets. */
  port: number;
  /** Interface of a link-local address, or 0. */
  scopeId: number;

  constructor(address: IpAddress = IPV6_ANY, port = 0, scopeId = 0) {
    this.address = address;
    this.port = port;
    this.scopeId = scopeId;
  }

  set(address: IpAddress, port: number, scopeId: number): void {
    this.address = address;
    this.port = port;
    this.scopeId = scopeId;
  }
}

/** What came with a datagram, for the control messages of ip(7) and ipv6(7). */
export class ReceiveInfo {
  /** Length of the whole datagram. */
  datagramLen = 0;
  /** MSG_TRUNC if it was longer than the buffer. */
  msgFlags = 0;
  nicId = 0;
  /** The address that it was sent to. */
  dst: IpAddress = IPV6_ANY;
  dstPort = 0;
  hopLimit = 0;
  trafficClass = 0;
  /** UDP_GRO: bytes of each of the datagrams that came as one, 0 for a single one. */
  segmentBytes = 0;
  /** Monotonic milliseconds at which it came in. */
  arrivedMs = 0;
  /** Datagrams lost for want of room since the socket was made. */
  droppedCount = 0;
}
