import {
  EINVAL,
  ENOPROTOOPT,
  IP_FREEBIND,
  IP_MTU_DISCOVER,
  IP_MULTICAST_ALL,
  IP_MULTICAST_LOOP,
  IP_MULTICAST_TTL,
  IP_PKTINFO,
  IP_PMTUDISC_PROBE,
  IP_PMTUDISC_WANT,
  IP_RECVERR,
  IP_RECVORIGDSTADDR,
  IP_RECVTOS,
  IP_RECVTTL,
  IP_TOS,
  IP_TRANSPARENT,
  IP_TTL,
  IPV6_2292HOPLIMIT,
  IPV6_2292PKTINFO,
  IPV6_DONTFRAG,
  IPV6_MTU_DISCOVER,
  IPV6_MULTICAST_ALL,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_LOOP,
  IPV6_RECVERR,
  IPV6_RECVHOPLIMIT,
  IPV6_RECVPKTINFO,
  IPV6_RECVTCLASS,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
  SO_BINDTOIFINDEX,
  SO_BROADCAST,
  SO_DONTROUTE,
  SO_KEEPALIVE,
  SO_MARK,
  SO_NO_CHECK,
  SO_OOBINLINE,
  SO_PRIORITY,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_RCVLOWAT,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_RXQ_OVFL,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_TIMESTAMP,
  SO_TIMESTAMPNS,
  SO_ZEROCOPY,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
} from '@tsv/abi';

/** net.core.{r,w}mem_default and _max, and the kernel's minima (SOCK_MIN_RCVBUF, SOCK_MIN_SNDBUF). */
export const RMEM_DEFAULT = 212_992;
export const RMEM_MAX = 212_992;
const RMEM_MIN = 2_304;
const WMEM_MIN = 4_608;
const FORCED_MAX = 1 << 30;

/**
 * The options of one socket that are a number or a yes or no: socket(7), ip(7), ipv6(7). Nothing in it is `#private`, for
 * {@link SocketOptions.create} makes objects that inherit from one.
 */
export class SocketOptions {
  reusesAddress = false;
  reusesPort = false;
  mayBroadcast = false;
  keepsAlive = false;
  /** Interface that it is bound to, or 0. */
  boundNicId = 0;
  mark = 0;
  priority = 0;
  receiveBytesMax = RMEM_DEFAULT;
  sendBytesMax = RMEM_DEFAULT;
  receiveLowBytes = 1;
  /** The user set the receive or send buffer, which are not tuned then. */
  receiveIsLocked = false;
  sendIsLocked = false;
  isOobInline = false;
  hasNoChecksum = false;
  timestamps = false;
  timestampsNs = false;
  reportsDrops = false;

  /** TTL of packets, or 0 for the default; the same for hop limits of IPv6. */
  ttl = 0;
  hops = 0;
  tos = 0;
  trafficClass = 0;
  multicastTtl = 1;
  multicastHops = 1;
  loopsMulticast = true;
  loopsMulticast6 = true;
  multicastNicId = 0;
  takesAllGroups = true;
  takesAllGroups6 = true;
  /** `IP_PMTUDISC_*`. */
  pmtuDiscovery = IP_PMTUDISC_WANT;
  isV6Only = false;
  isTransparent = false;
  isFreeBind = false;
  queuesErrors = false;
  queuesErrors6 = false;
  wantsPktInfo = false;
  wantsPktInfo6 = false;
  /** Of RFC 2292, with other numbers. */
  wantsOldPktInfo6 = false;
  wantsOldHopLimit = false;
  wantsTtl = false;
  wantsHopLimit = false;
  wantsTos = false;
  wantsTrafficClass = false;
  wantsOriginalDst = false;
  dontFragment6 = false;
  doesZeroCopy = false;
  dontRoute = false;
  private readonly isIpv6: boolean;

  constructor(isIpv6: boolean) {
    this.isIpv6 = isIpv6;
  }

  /** Those of a new socket. What nobody sets is read from one object that all sockets share. */
  static create(isIpv6: boolean): SocketOptions {
    return Object.create(isIpv6 ? DEFAULTS_IPV6 : DEFAULTS_IPV4) as SocketOptions;
  }

  /** As {@link SocketOptions.create}, all in one object, which must not be changed. */
  static shared(isIpv6: boolean): SocketOptions {
    return isIpv6 ? DEFAULTS_IPV6 : DEFAULTS_IPV4;
  }

  /** Options that say the same and may be changed. */
  clone(): SocketOptions {
    const own = SocketOptions.create(this.isIpv6);
    return this === SocketOptions.shared(this.isIpv6) ? own : Object.assign(own, this);
  }

  /** setsockopt(2) of an `int`. Errors: ENOPROTOOPT, EINVAL. Privileges are the caller's business. */
  set(level: number, name: number, value: number): number {
    if (level === SOL_SOCKET) return this.setSocket(name, value);
    if (level === SOL_IP) return this.setIp(name, value);
    return level === SOL_IPV6 && this.isIpv6 ? this.setIpv6(name, value) : -ENOPROTOOPT;
  }

  /** getsockopt(2) of an `int`: the value, or -ENOPROTOOPT. Values are never in the range of errors but TTL -1. */
  get(level: number, name: number): number {
    const field = this.fieldOf(level, name);
    if (field === undefined) return -ENOPROTOOPT;
    return Number(this[field]);
  }

  private setSocket(name: number, value: number): number {
    switch (name) {
      case SO_SNDBUF:
      case SO_SNDBUFFORCE: {
        const max = name === SO_SNDBUF ? RMEM_MAX : FORCED_MAX;
        this.sendIsLocked = true;
        // The kernel doubles the value to leave room for its book-keeping, socket(7).
        this.sendBytesMax = Math.max(Math.min(value >>> 0, max) * 2, WMEM_MIN);
        return 0;
      }
      case SO_RCVBUF:
      case SO_RCVBUFFORCE: {
        const max = name === SO_RCVBUF ? RMEM_MAX : FORCED_MAX;
        this.receiveIsLocked = true;
        this.receiveBytesMax = Math.max(Math.min(value >>> 0, max) * 2, RMEM_MIN);
        return 0;
      }
      case SO_RCVLOWAT:
        this.receiveLowBytes = value < 0 ? 0x7fffffff : Math.max(value, 1);
        return 0;
      case SO_MARK:
      case SO_PRIORITY:
      case SO_BINDTOIFINDEX:
        if (name === SO_BINDTOIFINDEX && value < 0) return -EINVAL;
        return this.assign(SOL_SOCKET, name, value);
      default:
        return this.assign(SOL_SOCKET, name, value !== 0);
    }
  }

  private setIp(name: number, value: number): number {
    switch (name) {
      case IP_TOS:
        this.tos = value & 0xff;
        return 0;
      case IP_TTL:
        if (value !== -1 && (value < 1 || value > 255)) return -EINVAL;
        this.ttl = value === -1 ? 0 : value;
        return 0;
      case IP_MULTICAST_TTL:
        if (value < -1 || value > 255) return -EINVAL;
        this.multicastTtl = value === -1 ? 1 : value;
        return 0;
      case IP_MTU_DISCOVER:
        if (value < 0 || value > IP_PMTUDISC_PROBE + 2) return -EINVAL;
        this.pmtuDiscovery = value;
        return 0;
      default:
        return this.assign(SOL_IP, name, value !== 0);
    }
  }

  private setIpv6(name: number, value: number): number {
    switch (name) {
      case IPV6_TCLASS:
        if (value < -1 || value > 255) return -EINVAL;
        this.trafficClass = Math.max(value, 0);
        return 0;
      case IPV6_UNICAST_HOPS:
        if (value < -1 || value > 255) return -EINVAL;
        this.hops = Math.max(value, 0);
        return 0;
      case IPV6_MULTICAST_HOPS:
        if (value < -1 || value > 255) return -EINVAL;
        this.multicastHops = value === -1 ? 1 : value;
        return 0;
      case IPV6_MTU_DISCOVER:
        if (value < 0 || value > IP_PMTUDISC_PROBE + 2) return -EINVAL;
        this.pmtuDiscovery = value;
        return 0;
      default:
        return this.assign(SOL_IPV6, name, value !== 0);
    }
  }

  private assign(level: number, name: number, value: number | boolean): number {
    const field = this.fieldOf(level, name);
    if (field === undefined) return -ENOPROTOOPT;
    Object.assign(this, { [field]: value });
    return 0;
  }

  private fieldOf(level: number, name: number): OptionField | undefined {
    if (level === SOL_SOCKET) return SOCKET_FIELDS.get(name);
    if (level === SOL_IP) return IP_FIELDS.get(name);
    return level === SOL_IPV6 && this.isIpv6 ? IPV6_FIELDS.get(name) : undefined;
  }
}

const DEFAULTS_IPV4 = new SocketOptions(false);
const DEFAULTS_IPV6 = new SocketOptions(true);

type OptionField = Exclude<keyof SocketOptions, 'set' | 'get' | 'clone'>;

const SOCKET_FIELDS = new Map<number, OptionField>([
  [SO_REUSEADDR, 'reusesAddress'],
  [SO_REUSEPORT, 'reusesPort'],
  [SO_BROADCAST, 'mayBroadcast'],
  [SO_KEEPALIVE, 'keepsAlive'],
  [SO_BINDTOIFINDEX, 'boundNicId'],
  [SO_MARK, 'mark'],
  [SO_PRIORITY, 'priority'],
  [SO_RCVBUF, 'receiveBytesMax'],
  [SO_RCVBUFFORCE, 'receiveBytesMax'],
  [SO_SNDBUF, 'sendBytesMax'],
  [SO_SNDBUFFORCE, 'sendBytesMax'],
  [SO_RCVLOWAT, 'receiveLowBytes'],
  [SO_OOBINLINE, 'isOobInline'],
  [SO_NO_CHECK, 'hasNoChecksum'],
  [SO_TIMESTAMP, 'timestamps'],
  [SO_TIMESTAMPNS, 'timestampsNs'],
  [SO_RXQ_OVFL, 'reportsDrops'],
  [SO_ZEROCOPY, 'doesZeroCopy'],
  [SO_DONTROUTE, 'dontRoute'],
]);

const IP_FIELDS = new Map<number, OptionField>([
  [IP_TOS, 'tos'],
  [IP_TTL, 'ttl'],
  [IP_MULTICAST_TTL, 'multicastTtl'],
  [IP_MULTICAST_LOOP, 'loopsMulticast'],
  [IP_MULTICAST_ALL, 'takesAllGroups'],
  [IP_MTU_DISCOVER, 'pmtuDiscovery'],
  [IP_RECVERR, 'queuesErrors'],
  [IP_PKTINFO, 'wantsPktInfo'],
  [IP_RECVTTL, 'wantsTtl'],
  [IP_RECVTOS, 'wantsTos'],
  [IP_RECVORIGDSTADDR, 'wantsOriginalDst'],
  [IP_TRANSPARENT, 'isTransparent'],
  [IP_FREEBIND, 'isFreeBind'],
]);

const IPV6_FIELDS = new Map<number, OptionField>([
  [IPV6_V6ONLY, 'isV6Only'],
  [IPV6_UNICAST_HOPS, 'hops'],
  [IPV6_MULTICAST_HOPS, 'multicastHops'],
  [IPV6_MULTICAST_LOOP, 'loopsMulticast6'],
  [IPV6_MULTICAST_ALL, 'takesAllGroups6'],
  [IPV6_MTU_DISCOVER, 'pmtuDiscovery'],
  [IPV6_RECVERR, 'queuesErrors6'],
  [IPV6_RECVPKTINFO, 'wantsPktInfo6'],
  [IPV6_2292PKTINFO, 'wantsOldPktInfo6'],
  [IPV6_2292HOPLIMIT, 'wantsOldHopLimit'],
  [IPV6_RECVHOPLIMIT, 'wantsHopLimit'],
  [IPV6_RECVTCLASS, 'wantsTrafficClass'],
  [IPV6_TCLASS, 'trafficClass'],
  [IPV6_DONTFRAG, 'dontFragment6'],
]);
