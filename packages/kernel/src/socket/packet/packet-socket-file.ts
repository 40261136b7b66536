import {
  AF_PACKET,
  EBUSY,
  EFAULT,
  EINVAL,
  ENODEV,
  ENOPROTOOPT,
  ENOTCONN,
  EOPNOTSUPP,
  MSG_PEEK,
  MSG_TRUNC,
  EMSGSIZE,
  PACKET_ADD_MEMBERSHIP,
  PACKET_AUXDATA,
  PACKET_DROP_MEMBERSHIP,
  PACKET_HDRLEN,
  PACKET_IGNORE_OUTGOING,
  PACKET_MR_ALLMULTI,
  PACKET_MR_MULTICAST,
  PACKET_MR_PROMISC,
  PACKET_RESERVE,
  PACKET_RX_RING,
  PACKET_STATISTICS,
  PACKET_VERSION,
  SIOCINQ,
  SIZEOF_PACKET_MREQ,
  SIZEOF_SOCKADDR_LL,
  SIZEOF_TPACKET2_HDR,
  SIZEOF_TPACKET_HDR,
  SIZEOF_TPACKET_REQ,
  TPACKET_V1,
  TPACKET_V2,
  SLL_ADDR,
  SLL_HALEN,
  SLL_HATYPE,
  SLL_IFINDEX,
  SLL_PKTTYPE,
  SLL_PROTOCOL,
  SOL_PACKET,
  SOL_SOCKET,
  SO_ATTACH_FILTER,
  SO_DETACH_FILTER,
  SO_LOCK_FILTER,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  type Errno,
} from '@tsv/abi';
import { LinkSocketAddress, type PacketSocket } from '@tsv/netstack';
import type { Caller, IoBuffer, Mappable } from '@tsv/vfs';
import type { WaitQueue } from '@tsv/waiter';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import { getInt, putInt } from '../../fd/user-int.js';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import type { Task } from '../../task/task.js';
import { deviceType } from '../device/net-device.js';
import { netIoctl } from '../device/net-ioctl.js';
import { attachFilter, detachFilter, lockFilter } from '../filter/socket-filter.js';
import { SocketFile } from '../socket-file.js';
import type { SocketMessage } from '../socket-message.js';
import { PacketRing, checkRing } from './packet-ring.js';

const FRAME_BYTES_MAX = 65_536 + 18;
const LINK_ADDRESS_BYTES = 6;
const frame = new Uint8Array(FRAME_BYTES_MAX);
const from = new LinkSocketAddress();
const to = new LinkSocketAddress();

/** A socket of packet(7): frames as they are on the devices of a network namespace. */
export class PacketSocketFile extends SocketFile {
  readonly socket: PacketSocket;
  readonly net: NetNamespace;
  readonly #kept = new Map<number, number>();
  #ring: PacketRing | null = null;

  constructor(files: AnonymousFiles, net: NetNamespace, socket: PacketSocket, type: number, flags: number) {
    super(files, AF_PACKET, type, socket.protocol, flags);
    this.socket = socket;
    this.net = net;
    this.blockedOn = socket.waiters;
    net.packetSockets.add(this);
  }

  override get waiters(): WaitQueue {
    return this.socket.waiters;
  }

  override readiness(): number {
    return this.socket.readiness();
  }

  override get raisesSigpipe(): boolean {
    return false;
  }

  /** Errors: EINVAL, ENODEV. */
  bind(address: Uint8Array, len: number): 0 | Errno {
    if (len < SIZEOF_SOCKADDR_LL || address[0] !== AF_PACKET) return -EINVAL;
    const view = new DataView(address.buffer, address.byteOffset);
    const status = this.socket.bind(view.getInt32(SLL_IFINDEX, true), view.getUint16(SLL_PROTOCOL));
    return status === 0 ? 0 : -ENODEV;
  }

  connect(): Errno {
    return -EOPNOTSUPP;
  }

  shutdown(): Errno {
    return -EOPNOTSUPP;
  }

  localAddress(dst: Uint8Array): number {
    const { socket } = this;
    from.protocol = socket.protocol;
    from.nicId = socket.nicId;
    from.packetType = 0;
    const own = socket.stack.nic(socket.nicId)?.link.linkAddress ?? null;
    return storeAddress(dst, from, own, this);
  }

  peerAddress(): Errno {
    return -EOPNOTSUPP;
  }

  /** Errors: EFAULT, EINVAL, EMSGSIZE, ENETDOWN, ENXIO. */
  send(io: IoBuffer, message: SocketMessage, _flags: number, _t: Task): number {
    const len = io.remaining;
    if (len > FRAME_BYTES_MAX) return -EMSGSIZE;
    const taken = len === 0 ? 0 : io.take(frame, 0, len);
    if (taken < len) return taken < 0 ? taken : -EINVAL;
    const { addressView: view, address, addressLen } = message;
    if (addressLen === 0) return this.socket.nicId === 0 ? -ENOTCONN : this.socket.send(frame, 0, len, null);
    if (addressLen < SLL_ADDR || address[0] !== AF_PACKET) return -EINVAL;
    to.protocol = view.getUint16(SLL_PROTOCOL);
    to.nicId = view.getInt32(SLL_IFINDEX, true);
    to.linkAddress = address.slice(SLL_ADDR, SLL_ADDR + LINK_ADDRESS_BYTES);
    return this.socket.send(frame, 0, len, to);
  }

  /** Errors: EAGAIN, EFAULT, and the socket's pending error. */
  receive(io: IoBuffer, message: SocketMessage, flags: number): number {
    const room = io.remaining;
    const count = this.socket.receive(frame, 0, FRAME_BYTES_MAX, flags & MSG_PEEK, from);
    if (count < 0) return count;
    const moved = room === 0 ? 0 : io.put(frame, 0, Math.min(count, room));
    if (moved < 0) return moved;
    message.wholeBytes = count;
    if (count > room) message.flags |= MSG_TRUNC;
    message.addressLen = storeAddress(message.address, from, from.linkAddress, this);
    return (flags & MSG_TRUNC) !== 0 ? count : moved;
  }

  override setLongOption(level: number, name: number, addr: number, len: number, t: Task): number | null {
    return level === SOL_SOCKET && name === SO_ATTACH_FILTER ? attachFilter(this.socket, addr, len, t) : null;
  }

  override setSocketOption(name: number, src: DataView): 0 | Errno {
    if (name === SO_DETACH_FILTER) return detachFilter(this.socket);
    return name === SO_LOCK_FILTER ? lockFilter(this.socket, src.getInt32(0, true) !== 0) : -ENOPROTOOPT;
  }

  override getOption(level: number, name: number, dst: DataView): number {
    if (level !== SOL_PACKET) return -ENOPROTOOPT;
    if (name === PACKET_STATISTICS) {
      dst.setUint32(0, this.socket.receivedCount, true);
      dst.setUint32(4, this.socket.droppedCount, true);
      this.socket.receivedCount = this.socket.droppedCount = 0;
      return 8;
    }
    if (!KEPT.has(name) && name !== PACKET_RESERVE) return -ENOPROTOOPT;
    dst.setInt32(0, this.#kept.get(name) ?? 0, true);
    return 4;
  }

  /** PACKET_HDRLEN: the value says of which version. Errors: EFAULT, EINVAL. Differs: there is no version 3. */
  override getLongOption(level: number, name: number, addr: number, len: number, t: Task): number | null {
    if (level !== SOL_PACKET || name !== PACKET_HDRLEN) return null;
    if (len < 4) return -EINVAL;
    const version = getInt(t, addr);
    if (Number.isNaN(version)) return -EFAULT;
    if (version !== TPACKET_V1 && version !== TPACKET_V2) return -EINVAL;
    const status = putInt(t, addr, version === TPACKET_V1 ? SIZEOF_TPACKET_HDR : SIZEOF_TPACKET2_HDR);
    return status < 0 ? status : 4;
  }

  /** The ring. Errors: ENODEV without one. */
  override mappable(): Mappable | Errno {
    return this.#ring === null ? -ENODEV : this.#ring.mappable;
  }

  /** Errors: EBUSY, EINVAL, ENODEV, ENOMEM, ENOPROTOOPT. */
  override setOption(level: number, name: number, src: DataView, len: number, t: Task): 0 | Errno {
    if (level !== SOL_PACKET) return -ENOPROTOOPT;
    if (name === PACKET_RX_RING) return len < SIZEOF_TPACKET_REQ ? -EINVAL : this.#setRing(src, t);
    if (name === PACKET_VERSION || name === PACKET_RESERVE) return len < 4 ? -EINVAL : this.#setLayout(name, src);
    if (name === PACKET_ADD_MEMBERSHIP || name === PACKET_DROP_MEMBERSHIP) {
      if (len < SIZEOF_PACKET_MREQ) return -EINVAL;
      return this.#changeMembership(name === PACKET_ADD_MEMBERSHIP, src.getInt32(0, true), src.getUint16(4, true));
    }
    if (!KEPT.has(name)) return -ENOPROTOOPT;
    if (len < 4) return -EINVAL;
    this.#kept.set(name, src.getInt32(0, true));
    return 0;
  }

  override optionChanged(name: number): void {
    if (name === SO_RCVBUF || name === SO_RCVBUFFORCE) this.socket.receiveBytesMax = this.options.receiveBytes;
  }

  override ioctl(cmd: number, arg: number, caller: Caller): number {
    if (cmd === SIOCINQ) return putInt(caller, arg, this.socket.nextLen);
    return netIoctl(this.net, this.socket.stack, cmd, arg, caller);
  }

  protected override release(): void {
    this.net.packetSockets.delete(this);
    this.#dropRing();
    this.socket.close();
  }

  /** What the frames of the ring to come are like. Errors: EBUSY once there is one, EINVAL. */
  #setLayout(name: number, src: DataView): 0 | Errno {
    const value = src.getUint32(0, true);
    if (name === PACKET_VERSION && value !== TPACKET_V1 && value !== TPACKET_V2) return -EINVAL;
    if (this.#ring !== null) return -EBUSY;
    if (value > RESERVED_BYTES_MAX) return -EINVAL;
    this.#kept.set(name, value);
    return 0;
  }

  /** PACKET_RX_RING: makes a ring, or with no blocks gives it up. Errors: EBUSY, EINVAL, ENOMEM. Differs: version 2 only. */
  #setRing(src: DataView, t: Task): 0 | Errno {
    const [blockBytes, blockCount] = [src.getUint32(0, true), src.getUint32(4, true)];
    const [frameBytes, frameCount] = [src.getUint32(8, true), src.getUint32(12, true)];
    if (blockCount === 0) {
      if (frameCount !== 0) return -EINVAL;
      this.#dropRing();
      return 0;
    }
    if (this.#ring !== null) return -EBUSY;
    if (this.#kept.get(PACKET_VERSION) !== TPACKET_V2) return -EINVAL;
    const reservedBytes = this.#kept.get(PACKET_RESERVE) ?? 0;
    const shape = { blockBytes, blockCount, frameBytes, frameCount };
    const status = checkRing(shape, reservedBytes);
    if (status !== 0) return status;
    const { stack } = this.socket;
    const ring = PacketRing.create(t.kernel, shape, reservedBytes, (nicId) => {
      const nic = stack.nic(nicId);
      return nic === undefined ? 0 : deviceType(nic);
    });
    if (typeof ring === 'number') return ring;
    this.#ring = ring;
    this.socket.divert(ring);
    return 0;
  }

  #dropRing(): void {
    this.socket.divert(null);
    this.#ring?.close();
    this.#ring = null;
  }

  #changeMembership(joins: boolean, nicId: number, type: number): 0 | Errno {
    if (type !== PACKET_MR_PROMISC) {
      // The devices take every group already.
      return type === PACKET_MR_MULTICAST || type === PACKET_MR_ALLMULTI ? 0 : -EINVAL;
    }
    return joins ? this.socket.addPromiscuous(nicId) : this.socket.dropPromiscuous(nicId);
  }
}

/** Options that are kept, and that nothing here has a use for. */
const KEPT: ReadonlySet<number> = new Set([PACKET_AUXDATA, PACKET_VERSION, PACKET_IGNORE_OUTGOING]);
/** PACKET_RESERVE: no frame has more. */
const RESERVED_BYTES_MAX = 65_536;

function storeAddress(
  dst: Uint8Array,
  address: LinkSocketAddress,
  link: Uint8Array | null,
  file: PacketSocketFile,
): number {
  const view = new DataView(dst.buffer, dst.byteOffset);
  dst.fill(0, 0, SIZEOF_SOCKADDR_LL);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(SLL_PROTOCOL, address.protocol);
  view.setInt32(SLL_IFINDEX, address.nicId, true);
  const nic = file.socket.stack.nic(address.nicId);
  view.setUint16(SLL_HATYPE, nic === undefined ? 0 : deviceType(nic), true);
  view.setUint8(SLL_PKTTYPE, address.packetType);
  view.setUint8(SLL_HALEN, LINK_ADDRESS_BYTES);
  if (link !== null) dst.set(link, SLL_ADDR);
  return SIZEOF_SOCKADDR_LL;
}
