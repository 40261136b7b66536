import {
  AF_INET,
  CAP_NET_ADMIN,
  CAP_NET_RAW,
  CMSG_ALIGN_BYTES,
  CMSG_LEN,
  CMSG_LEVEL,
  CMSG_TYPE,
  EINVAL,
  EPERM,
  IPI6_ADDR,
  IPI6_IFINDEX,
  IPI_ADDR,
  IPI_IFINDEX,
  IPI_SPEC_DST,
  IPV6_2292HOPLIMIT,
  IPV6_2292PKTINFO,
  IPV6_DONTFRAG,
  IPV6_HOPLIMIT,
  IPV6_PKTINFO,
  IPV6_TCLASS,
  IP_PKTINFO,
  IP_RECVORIGDSTADDR,
  IP_RETOPTS,
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
  SOF_TIMESTAMPING_MASK,
  SOF_TIMESTAMPING_RX_SOFTWARE,
  SOF_TIMESTAMPING_SOFTWARE,
  SO_MARK,
  SO_RXQ_OVFL,
  SO_TIMESTAMP,
  SO_TIMESTAMPING,
  SO_TIMESTAMPNS,
  SIZEOF_SCM_TIMESTAMPING,
  UDP_GRO,
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
import type { Task } from '../../task/task.js';

/** What a socket sets that wants to be told when datagrams came in. */
const RX_STAMPS = SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;

/** What the ancillary data of a sendmsg(2) says about its datagram; -1 and null where it says nothing. */
export class SendControl {
  source: IpAddress | null = null;
  nicId = 0;
  hops = -1;
  trafficClass = -1;
  dontFragment = false;
  /** SO_MARK, or -1. */
  mark = -1;
  /** UDP_SEGMENT: bytes of each datagram that the data is cut into; -1 for as many as the socket says. */
  segmentBytes = -1;
  /** SO_TIMESTAMPING: what of it is stamped when it is sent, or -1 for what the socket says. */
  stamping = -1;
  readonly #address = new IpAddress();

  clear(): void {
    this.source = null;
    this.nicId = 0;
    this.hops = -1;
    this.trafficClass = -1;
    this.dontFragment = false;
    this.mark = -1;
    this.segmentBytes = -1;
    this.stamping = -1;
  }

  /**
   * Reads what {@link SocketMessage.control} holds for a datagram to an IPv4 or IPv6 address; what is of the other family
   * is passed over. Errors: EINVAL, EPERM.
   */
  load(message: SocketMessage, isToIpv4: boolean, t: Task): 0 | Errno {
    this.clear();
    const { controlView, controlLen } = message;
    for (let at = 0; at + SIZEOF_CMSGHDR <= controlLen;) {
      const cmsgLen = loadU64(controlView, at + CMSG_LEN);
      const level = controlView.getInt32(at + CMSG_LEVEL, true);
      const type = controlView.getInt32(at + CMSG_TYPE, true);
      const isOther = level === (isToIpv4 ? SOL_IPV6 : SOL_IP);
      const [dataAt, len] = [at + SIZEOF_CMSGHDR, cmsgLen - SIZEOF_CMSGHDR];
      const status = isOther ? 0 : this.#loadOne(message, level, type, dataAt, len, t);
      if (status !== 0) return status;
      at += alignControl(cmsgLen);
    }
    return 0;
  }

  #loadOne(message: SocketMessage, level: number, type: number, at: number, len: number, t: Task): 0 | Errno {
    const { controlView, control } = message;
    if (level === SOL_SOCKET) return this.#loadSocketLevel(type, len === 4 ? controlView.getUint32(at, true) : NaN, t);
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
    if (level === SOL_IPV6 && (type === IPV6_PKTINFO || type === IPV6_2292PKTINFO)) {
      if (len < SIZEOF_IN6_PKTINFO) return -EINVAL;
      this.nicId = controlView.getInt32(at + IPI6_IFINDEX, true);
      this.#address.loadIpv6(control, at + IPI6_ADDR);
      this.source = this.#address.isUnspecified ? null : this.#address;
      return 0;
    }
    return this.#loadNumber(level, type, len >= 4 ? controlView.getInt32(at, true) : NaN, control[at]!, len);
  }

  /** Errors: EINVAL, EPERM. */
  #loadSocketLevel(type: number, value: number, t: Task): 0 | Errno {
    if (type === SO_MARK) {
      if (!t.creds.hasCap(CAP_NET_ADMIN) && !t.creds.hasCap(CAP_NET_RAW)) return -EPERM;
      if (Number.isNaN(value)) return -EINVAL;
      this.mark = value;
      return 0;
    }
    if (type !== SO_TIMESTAMPING || Number.isNaN(value) || (value & ~SOF_TIMESTAMPING_MASK) !== 0) return -EINVAL;
    this.stamping = value;
    return 0;
  }

  #loadNumber(level: number, type: number, value: number, byte: number, len: number): 0 | Errno {
    if (level === SOL_IP && type === IP_TOS && (len === 1 || len === 4)) {
      if (len === 4 && (value < 0 || value > 255)) return -EINVAL;
      this.trafficClass = len === 1 ? byte : value;
      return 0;
    }
    const isHops =
      (level === SOL_IP && type === IP_TTL) ||
      (level === SOL_IPV6 && (type === IPV6_HOPLIMIT || type === IPV6_2292HOPLIMIT));
    if (isHops) {
      const least = level === SOL_IP ? 1 : -1;
      if (len !== 4 || value < least || value > 255) return -EINVAL;
      this.hops = value;
      return 0;
    }
    if (level === SOL_IP && type === IP_RETOPTS) return len === 0 ? 0 : -EINVAL;
    if (level === SOL_IPV6 && type === IPV6_DONTFRAG) {
      if (len !== 4 || value < 0 || value > 1) return -EINVAL;
      this.dontFragment = value === 1;
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
  const { timestamping } = options;
  if ((timestamping & RX_STAMPS) === RX_STAMPS) {
    const at = appendControl(message, SOL_SOCKET, SO_TIMESTAMPING, SIZEOF_SCM_TIMESTAMPING);
    storeTimespecMs(controlView, at, bootMs + info.arrivedMs);
  }
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
  if (info.segmentBytes > 0) storeInt(message, SOL_UDP, UDP_GRO, info.segmentBytes);
  if (info.dst.isIpv4) {
    if (own.wantsPktInfo) storePktInfo(message, info);
    if (own.wantsTtl) storeInt(message, SOL_IP, IP_TTL, info.hopLimit);
    if (own.wantsTos) message.control[appendControl(message, SOL_IP, IP_TOS, 1)] = info.trafficClass;
    if (own.wantsOriginalDst) storeOriginalDst(message, info);
  }
  if (!socket.isIpv6) return;
  if (own.wantsPktInfo6) storePktInfo6(message, IPV6_PKTINFO, info);
  if (own.wantsHopLimit) storeInt(message, SOL_IPV6, IPV6_HOPLIMIT, info.hopLimit);
  if (own.wantsTrafficClass) storeInt(message, SOL_IPV6, IPV6_TCLASS, info.trafficClass);
  if (own.wantsOldPktInfo6) storePktInfo6(message, IPV6_2292PKTINFO, info);
  if (own.wantsOldHopLimit) storeInt(message, SOL_IPV6, IPV6_2292HOPLIMIT, info.hopLimit);
}

function storePktInfo6(message: SocketMessage, type: number, info: ReceiveInfo): void {
  const at = appendControl(message, SOL_IPV6, type, SIZEOF_IN6_PKTINFO);
  info.dst.storeIpv6(message.control, at + IPI6_ADDR);
  message.controlView.setInt32(at + IPI6_IFINDEX, info.nicId, true);
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
