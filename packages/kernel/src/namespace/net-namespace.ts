import type { Netfilter, Stack } from '@tsv/netstack';
import type { InetSocket } from '../socket/inet/inet-socket.js';
import type { NetlinkSocket } from '../socket/netlink/netlink-socket.js';
import type { PacketSocketFile } from '../socket/packet/packet-socket-file.js';
import type { UnixSocket } from '../socket/unix/unix-socket.js';
import type { UserNamespace } from './user-namespace.js';

/** network_namespaces(7): which network stack a task's sockets belong to. */
export class NetNamespace {
  readonly userNs: UserNamespace;
  /** Its stack; null until somebody wants it. Made by {@link NetStacks}. */
  stack: Stack | null = null;
  /** Its tables of iptables(8); null until somebody asks for them. */
  netfilter: Netfilter | null = null;

  /** Ports below need CAP_NET_BIND_SERVICE, net.ipv4.ip_unprivileged_port_start. */
  unprivilegedPortStart = 1024;
  /** First and last group that may make ping sockets, net.ipv4.ping_group_range: none at first. */
  pingGroupRange: readonly [low: number, high: number] = [1, 0];
  /** AF_UNIX sockets by abstract name, unix(7). */
  readonly abstractSockets = new Map<string, UnixSocket>();
  /** AF_INET and AF_INET6 sockets. */
  readonly inetSockets = new Set<InetSocket>();
  /** netlink(7) sockets that have a port. */
  readonly netlinkSockets = new Set<NetlinkSocket>();
  /** packet(7) sockets. */
  readonly packetSockets = new Set<PacketSocketFile>();
  #ueventCount = 0;

  constructor(userNs: UserNamespace) {
    this.userNs = userNs;
  }

  /** The number of the next message of NETLINK_KOBJECT_UEVENT. */
  takeUeventNumber(): number {
    return ++this.#ueventCount;
  }
}
