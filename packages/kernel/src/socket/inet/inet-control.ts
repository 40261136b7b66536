import {
  AF_INET,
  CMSG_ALIGN_BYTES,
  CMSG_LEN,
  CMSG_LEVEL,
  CMSG_TYPE,
  EINVAL,
  IPI6_ADDR,
  IPI6_IFINDEX,
  IPI_ADDR,
  IPI_IFINDEX,
  IPI_SPEC_DST,
  IPV6_HOPLIMIT,
  IPV6_PKTINFO,
  IPV6_TCLASS,
  IP_PKTINFO,
  IP_RECVORIGDSTADDR,
  IP_TOS,
  IP_TTL,
  SIN_ADDR,
  SIN_PORT,
  SIZEOF_CMSGHDR,
  SIZEOF_IN6_PKTINFO,
  SIZEOF_IN_PKTINFO,
  SIZEOF_SOCKADDR_IN,
  SIZEOF_TIMESPEC,
  SIZEOF_TIMEVAL,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_UDP,
  SO_RXQ_OVFL,
  SO_TIMESTAMP,
  SO_TIMESTAMPNS,
  UDP_SEGMENT,
  loadU64,
  storeI64,
  storeTimespecMs,
  storeTimevalMs,
  type Errno,
} from '@tsv/abi';
import { IpAddress, type DatagramSocket, type ReceiveInfo } from '@tsv/netstack';
import { CONTROL_BYTES_MAX, type SocketMessage } from '../socket-message.js';
import type { SocketOptions } from '../socket-options.js';

/** What the ancillary data of a sendmsg(2) says about its datagram; -1 and null where it says nothing. */
export class SendControl {
  source: IpAddress | null = null;
  nicId = 0;
  hops = -1;
  trafficClass = -1;
  /** UDP_SEGMENT: bytes of each datagram that the data is cut into, 0 for one datagram. */
  segmentBytes = 0;
  readonly #address = new IpAddress();

  clear(): void {
    this.source = null;
    this.nicId = 0;
    this.hops = -1;
    this.trafficClass = -1;
    this.segmentBytes = 0;
  }

  /** Reads what {@link SocketMessage.control} holds. Errors: EINVAL. */
  load(message: SocketMessage): 0 | Errno {
    this.clear();
    const { controlView, controlLen } = message;
    for (let at = 0; at + SIZEOF_CMSGHDR <= controlLen;) {
      const cmsgLen = loadU64(controlView, at + CMSG_LEN);
      const level = controlView.getInt32(at + CMSG_LEVEL, true);
      const type = controlView.getInt32(at + CMSG_TYPE, true);
      const status = this.#loadOne(message, level, type, at + SIZEOF_CMSGHDR, cmsgLen - SIZEOF_CMSGHDR);
      if (status !== 0) return status;
      at += alignControl(cmsgLen);
    }
    return 0;
  }

  #loadOne(message: SocketMessage, level: number, type: number, at: number, len: number): 0 | Errno {
    const { controlView, control } = message;
    if (level === SOL_UDP) {
      if (type !== UDP_SEGMENT || len !== 2) return -EINVAL;
      this.segmentBytes = controlView.getUint16(at, true);
      return 0;
    }
    if (level === SOL_IP && type === IP_PKTINFO) {
      if (len !== SIZEOF_IN_PKTINFO) return -EINVAL;
      this.nicId = controlView.getInt32(at + IPI_IFINDEX, true);
      this.#address.loadIpv4(control, at + IPI_SPEC_DST);
      this.source = this.#address.isUnspecified ? null : this.#address;
      return 0;
    }
    if (level === SOL_IPV6 && type === IPV6_PKTINFO) {
      if (len < SIZEOF_IN6_PKTINFO) return -EINVAL;
      this.nicId = controlView.getInt32(at + IPI6_IFINDEX, true);
      this.#address.loadIpv6(control, at + IPI6_ADDR);
      this.source = this.#address.isUnspecified ? null : this.#address;
      return 0;
    }
    return this.#loadNumber(level, type, len >= 4 ? controlView.getInt32(at, true) : NaN, control[at]!, len);
  }

  #loadNumber(level: number, type: number, value: number, byte: number, len: number): 0 | Errno {
    if (level === SOL_IP && type === IP_TOS && (len === 1 || len === 4)) {
      this.trafficClass = len === 1 ? byte : value & 0xff;
      return 0;
    }
    const isHops = (level === SOL_IP && type === IP_TTL) || (level === SOL_IPV6 && type === IPV6_HOPLIMIT);
    if (isHops) {
      const least = level === SOL_IP ? 1 : -1;
      if (len !== 4 || value < least || value > 255) return -EINVAL;
      this.hops = value;
      return 0;
    }
    if (level !== SOL_IPV6 || type !== IPV6_TCLASS) return level === SOL_IP || level === SOL_IPV6 ? -EINVAL : 0;
    if (len !== 4 || value < -1 || value > 255) return -EINVAL;
    this.trafficClass = value;
    return 0;
  }
}

/** Adds a control message with `len` bytes of zeroed data; returns where the data goes. */
export function appendControl(message: SocketMessage, level: number, type: number, len: number): number {
  const at = message.controlLen;
  const { controlView, control } = message;
  storeI64(controlView, at + CMSG_LEN, SIZEOF_CMSGHDR + len);
  controlView.setInt32(at + CMSG_LEVEL, level, true);
  controlView.setInt32(at + CMSG_TYPE, type, true);
  const end = at + alignControl(SIZEOF_CMSGHDR + len);
  if (end > CONTROL_BYTES_MAX) throw new Error('appendControl: more control messages than a call can have');
  control.fill(0, at + SIZEOF_CMSGHDR, end);
  message.controlLen = end;
  return at + SIZEOF_CMSGHDR;
}

/** Stores what the socket's options ask for about a datagram: socket(7), ip(7), ipv6(7). `bootMs`: realtime of monotonic 0. */
export function storeReceiveInfo(
  message: SocketMessage,
  socket: DatagramSocket,
  options: SocketOptions,
  info: ReceiveInfo,
  bootMs: number,
): void {
  const { controlView } = message;
  const { options: own } = socket;
  if (options.has(SO_TIMESTAMPNS)) {
    const at = appendControl(message, SOL_SOCKET, SO_TIMESTAMPNS, SIZEOF_TIMESPEC);
    storeTimespecMs(controlView, at, bootMs + info.arrivedMs);
  } else if (options.has(SO_TIMESTAMP)) {
    const at = appendControl(message, SOL_SOCKET, SO_TIMESTAMP, SIZEOF_TIMEVAL);
    storeTimevalMs(controlView, at, bootMs + info.arrivedMs);
  }
  if (options.has(SO_RXQ_OVFL)) {
    controlView.setUint32(appendControl(message, SOL_SOCKET, SO_RXQ_OVFL, 4), info.droppedCount, true);
  }
  if (info.dst.isIpv4) {
    if (own.wantsPktInfo) storePktInfo(message, info);
    if (own.wantsTtl) storeInt(message, SOL_IP, IP_TTL, info.hopLimit);
    if (own.wantsTos) message.control[appendControl(message, SOL_IP, IP_TOS, 1)] = info.trafficClass;
    if (own.wantsOriginalDst) storeOriginalDst(message, info);
  }
  if (!socket.isIpv6) return;
  if (own.wantsPktInfo6) {
    const at = appendControl(message, SOL_IPV6, IPV6_PKTINFO, SIZEOF_IN6_PKTINFO);
    info.dst.storeIpv6(message.control, at + IPI6_ADDR);
    controlView.setInt32(at + IPI6_IFINDEX, info.nicId, true);
  }
  if (own.wantsHopLimit) storeInt(message, SOL_IPV6, IPV6_HOPLIMIT, info.hopLimit);
  if (own.wantsTrafficClass) storeInt(message, SOL_IPV6, IPV6_TCLASS, info.trafficClass);
}

function storePktInfo(message: SocketMessage, info: ReceiveInfo): void {
  const at = appendControl(message, SOL_IP, IP_PKTINFO, SIZEOF_IN_PKTINFO);
  message.controlView.setInt32(at + IPI_IFINDEX, info.nicId, true);
  info.dst.storeIpv4(message.control, at + IPI_SPEC_DST);
  info.dst.storeIpv4(message.control, at + IPI_ADDR);
}

function storeOriginalDst(message: SocketMessage, info: ReceiveInfo): void {
  const at = appendControl(message, SOL_IP, IP_RECVORIGDSTADDR, SIZEOF_SOCKADDR_IN);
  message.controlView.setUint16(at, AF_INET, true);
  message.controlView.setUint16(at + SIN_PORT, info.dstPort);
  info.dst.storeIpv4(message.control, at + SIN_ADDR);
}

function storeInt(message: SocketMessage, level: number, type: number, value: number): void {
  message.controlView.setInt32(appendControl(message, level, type, 4), value, true);
}

function alignControl(len: number): number {
  return Math.ceil(len / CMSG_ALIGN_BYTES) * CMSG_ALIGN_BYTES;
}
