import {
  EINVAL,
  ENOENT,
  ENOPROTOOPT,
  SIZEOF_SOCKADDR_IN,
  SIZEOF_SOCKADDR_IN6,
  SOCK_STREAM,
  SOL_IP,
  SOL_IPV6,
  SO_ORIGINAL_DST,
} from '@tsv/abi';
import { IPPROTO_TCP, SocketAddress } from '@tsv/netstack';
import { storeInetAddress } from './inet-address.js';
import type { InetSocket } from './inet-socket.js';
import { bytesOf } from './membership-options.js';

const local = new SocketAddress();
const remote = new SocketAddress();
const original = new SocketAddress();

/** Whether an option asks where a connection was to go: the number is the same for both families. */
export function isOriginalDestination(level: number, name: number): boolean {
  return name === SO_ORIGINAL_DST && (level === SOL_IP || level === SOL_IPV6);
}

/**
 * SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST: where the peer of a TCP connection wanted to go before iptables(8) gave it
 * another destination. Returns the length. Errors: EINVAL for little room, ENOENT for a connection that is not tracked,
 * ENOPROTOOPT for other sockets, and where nobody tracks connections.
 */
export function getOriginalDestination(file: InetSocket, level: number, dst: DataView, lenMax: number): number {
  const { netfilter } = file.net;
  if (file.type !== SOCK_STREAM || netfilter === null) return -ENOPROTOOPT;
  if (lenMax < (level === SOL_IP ? SIZEOF_SOCKADDR_IN : SIZEOF_SOCKADDR_IN6)) return -EINVAL;
  file.socket.getSocketName(local);
  if (file.socket.getPeerName(remote) !== 0 || remote.address.isIpv4 !== (level === SOL_IP)) return -ENOENT;
  const flow = netfilter.conntrack.flowOf(IPPROTO_TCP, local.address, local.port, remote.address, remote.port);
  if (flow === null) return -ENOENT;
  const { dst: address, dstPort } = flow.original.tuple;
  original.set(address, dstPort, address.isLinkLocal ? file.socket.options.boundNicId : 0);
  return storeInetAddress(bytesOf(dst), level === SOL_IPV6, original);
}
