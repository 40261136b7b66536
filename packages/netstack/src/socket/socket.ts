import {
  EADDRNOTAVAIL,
  EAFNOSUPPORT,
  EINVAL,
  ENETUNREACH,
  ENODEV,
  IP_TTL,
  IPV6_UNICAST_HOPS,
  POLLERR,
  SOL_IP,
  SOL_IPV6,
} from '@tsv/abi';
import { WaitQueue } from '@tsv/waiter';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { IcmpError } from '../icmp/icmp-error.js';
import type { Path } from '../net/path.js';
import type { Stack } from '../stack.js';
import { IPV4_ANY, IPV6_ANY, type IpAddress } from '../wire/ip-address.js';
import type { SocketFilter } from './bpf.js';
import { ErrorQueue } from './error-queue.js';
import { SocketOptions } from './socket-options.js';

/** What sockets of all types have in common: family, options, local address, errors, and who waits for them. */
export abstract class Socket {
  readonly stack: Stack;
  /** AF_INET6: takes IPv4 addresses too, IPv4-mapped, unless it is IPV6_V6ONLY. */
  readonly isIpv6: boolean;
  /** Told when {@link Socket.readiness} grows, and of each new datagram or run of bytes. */
  readonly waiters = new WaitQueue();
  localAddress: IpAddress;
  localPort = 0;
  /** Effective user and group of the maker, for SO_REUSEPORT and match `owner`. */
  uid = 0;
  gid = 0;
  /** Positive errno that the next call returns, 0 for none. */
  pendingError = 0;
  isClosed = false;
  /** SO_ATTACH_FILTER: what of each packet the socket gets; null for all. */
  socketFilter: SocketFilter | null = null;
  #options: SocketOptions;
  #hasOwnOptions = false;
  #path: Path | null = null;
  #errors: ErrorQueue | null = null;

  constructor(stack: Stack, isIpv6: boolean) {
    this.stack = stack;
    this.isIpv6 = isIpv6;
    this.#options = SocketOptions.shared(isIpv6);
    this.localAddress = isIpv6 ? IPV6_ANY : IPV4_ANY;
  }

  /** The options, to be read: sockets on which nobody has set any share them. */
  get optionValues(): Readonly<SocketOptions> {
    return this.#options;
  }

  /** The options, to be changed. */
  get options(): SocketOptions {
    if (this.#hasOwnOptions) return this.#options;
    this.#hasOwnOptions = true;
    return (this.#options = this.#options.clone());
  }

  /** Has the options of `other`, until those of one of them are changed. */
  protected shareOptions(other: Socket): void {
    this.#options = other.#options;
    this.#hasOwnOptions = false;
    other.#hasOwnOptions = false;
  }

  /** What MSG_ERRQUEUE reads. */
  get errors(): ErrorQueue {
    return (this.#errors ??= new ErrorQueue());
  }

  get hasErrors(): boolean {
    return this.#errors !== null && this.#errors.count > 0;
  }

  /** poll(2) bits that hold now. */
  abstract readiness(): number;

  /** Gives everything back. The socket is not used after this. */
  abstract close(): void;

  /** Takes an ICMP error about a packet of this socket. */
  abstract icmpError(error: IcmpError): void;

  get boundNicId(): number {
    return this.optionValues.boundNicId;
  }

  get isDualStack(): boolean {
    return this.isIpv6 && !this.optionValues.isV6Only;
  }

  get reusesAddress(): boolean {
    return this.optionValues.reusesAddress;
  }

  get reusesPort(): boolean {
    return this.optionValues.reusesPort;
  }

  get isExclusive(): boolean {
    return false;
  }

  /** The pending error, negated, which is then forgotten; 0 for none. SO_ERROR. */
  takeError(): number {
    const error = this.pendingError;
    this.pendingError = 0;
    return error === 0 ? 0 : -error;
  }

  /** Sets the error that the next call returns and wakes who waits. */
  fail(errno: number): void {
    this.pendingError = errno;
    this.waiters.notify(POLLERR | this.readiness());
  }

  /** Whether the socket takes packets to `address` that came in by interface `nicId`. */
  takes(address: IpAddress, nicId: number): boolean {
    const { localAddress } = this;
    if (this.optionValues.boundNicId !== 0 && this.optionValues.boundNicId !== nicId) return false;
    if (!localAddress.isUnspecified) return localAddress.equals(address);
    return localAddress.isIpv4 === address.isIpv4 || (this.isDualStack && !localAddress.isIpv4);
  }

  /** An option of the socket or IP levels; a hop limit that was not set is the stack's. Errors: ENOPROTOOPT. */
  protected optionOf(level: number, name: number): number {
    const value = this.optionValues.get(level, name);
    const isHops = (level === SOL_IP && name === IP_TTL) || (level === SOL_IPV6 && name === IPV6_UNICAST_HOPS);
    return isHops && value === 0 ? this.stack.hopLimit : value;
  }

  /** Notes on a packet of ours who sends it. */
  protected signPacket(packet: PacketBuffer): void {
    packet.mark = this.optionValues.mark;
    packet.ownerUid = this.uid;
    packet.ownerGid = this.gid;
  }

  /** Checks the address of a bind(2). Errors: EAFNOSUPPORT, EADDRNOTAVAIL, EINVAL and ENODEV for a bad scope. */
  protected checkBind(address: IpAddress, scopeId: number): number {
    const family = this.checkFamily(address);
    if (family !== 0) return family;
    if (address.isUnspecified) return 0;
    if (address.isLinkLocal && !address.isIpv4) {
      if (scopeId === 0 && this.optionValues.boundNicId === 0) return -EINVAL;
      if (scopeId !== 0 && this.stack.nic(scopeId) === undefined) return -ENODEV;
      if (scopeId !== 0) this.options.boundNicId = scopeId;
    }
    if (address.isMulticast || this.optionValues.isTransparent || this.stack.isLocal(address)) return 0;
    return this.stack.isBroadcast(address) ? 0 : -EADDRNOTAVAIL;
  }

  /** Whether the socket can talk to addresses of this family. */
  protected checkFamily(address: IpAddress): number {
    if (!this.isIpv6) return address.isIpv4 ? 0 : -EAFNOSUPPORT;
    return address.isIpv4 && this.optionValues.isV6Only ? -ENETUNREACH : 0;
  }

  /** The way to `dst`; the last one found is kept. Errors: those of {@link Stack.findPath}. */
  protected pathTo(dst: IpAddress, scopeId: number): Path | number {
    const known = this.#path;
    const nicId = this.optionValues.boundNicId !== 0 ? this.optionValues.boundNicId : scopeId;
    const isKept = known !== null && !this.stack.rules.hasOwn;
    if (isKept && known.generation === this.stack.routes.generation && known.dst.equals(dst)) {
      const isSameSource = this.localAddress.isUnspecified || this.localAddress.equals(known.src);
      if (isSameSource && (nicId === 0 || nicId === known.nic.id)) return known;
    }
    const source = this.localAddress.isUnspecified || this.localAddress.isMulticast ? null : this.localAddress;
    const out = dst.isMulticast && nicId === 0 ? this.optionValues.multicastNicId : nicId;
    const path = this.stack.findPath(dst.clone(), source, out, this.optionValues.mark);
    if (typeof path !== 'number') this.#path = path;
    return path;
  }
}
