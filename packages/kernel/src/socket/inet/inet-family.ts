import {
  CAP_NET_RAW,
  EINVAL,
  EPERM,
  EPROTONOSUPPORT,
  ESOCKTNOSUPPORT,
  IPPROTO_MAX,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
  type AF_INET,
  AF_INET6,
  type Errno,
} from '@tsv/abi';
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_IP,
  IPPROTO_RAW,
  IPPROTO_TCP,
  IPPROTO_UDP,
  PingSocket,
  RawSocket,
  TcpSocket,
  UdpSocket,
} from '@tsv/netstack';
import type { AnonymousFiles } from '../../fd/anonymous-files.js';
import type { Task } from '../../task/task.js';
import type { SocketFile } from '../socket-file.js';
import type { SocketFamily } from '../socket-families.js';
import { InetDatagramSocket } from './inet-datagram-socket.js';
import { InetStreamSocket } from './inet-stream-socket.js';
import type { NetStacks } from './net-stacks.js';

/** AF_INET and AF_INET6, ip(7) and ipv6(7): sockets of the TCP/IP stack of their maker's network namespace. */
export class InetFamily implements SocketFamily {
  readonly family: number;
  readonly name: string;
  readonly createPair = null;
  readonly #files: AnonymousFiles;
  readonly #stacks: NetStacks;

  constructor(family: typeof AF_INET | typeof AF_INET6, files: AnonymousFiles, stacks: NetStacks) {
    this.family = family;
    this.name = family === AF_INET6 ? 'INET6' : 'INET';
    this.#files = files;
    this.#stacks = stacks;
  }

  /** Errors: EINVAL, EPERM for a raw socket without CAP_NET_RAW, EPROTONOSUPPORT, ESOCKTNOSUPPORT. */
  create(t: Task, type: number, protocol: number, flags: number): SocketFile | Errno {
    if (protocol < 0 || protocol >= IPPROTO_MAX) return -EINVAL;
    const isIpv6 = this.family === AF_INET6;
    const pingProtocol = isIpv6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    const stack = this.#stacks.of(t.ns.net);
    switch (type) {
      case SOCK_STREAM: {
        if (protocol !== IPPROTO_IP && protocol !== IPPROTO_TCP) return -EPROTONOSUPPORT;
        const socket = new TcpSocket(stack, isIpv6);
        socket.uid = t.creds.euid;
        return new InetStreamSocket(this.#files, t.ns.net, socket, flags);
      }
      case SOCK_DGRAM: {
        const isUdp = protocol === IPPROTO_IP || protocol === IPPROTO_UDP;
        if (!isUdp && protocol !== pingProtocol) return -EPROTONOSUPPORT;
        const socket = isUdp ? new UdpSocket(stack, isIpv6) : new PingSocket(stack, isIpv6);
        socket.uid = t.creds.euid;
        const number = isUdp ? IPPROTO_UDP : pingProtocol;
        return new InetDatagramSocket(this.#files, t.ns.net, socket, type, number, flags);
      }
      case SOCK_RAW: {
        if (protocol === IPPROTO_IP) return -EPROTONOSUPPORT;
        if (!t.creds.hasCapIn(t.ns.net.userNs, CAP_NET_RAW)) return -EPERM;
        if (protocol > IPPROTO_RAW) return -EINVAL;
        const socket = new RawSocket(stack, isIpv6, protocol);
        socket.uid = t.creds.euid;
        return new InetDatagramSocket(this.#files, t.ns.net, socket, type, protocol, flags);
      }
      default:
        return -ESOCKTNOSUPPORT;
    }
  }
}
