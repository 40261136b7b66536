import {
  AF_INET,
  AF_INET6,
  EAFNOSUPPORT,
  EINVAL,
  SIN6_ADDR,
  SIN6_FLOWINFO,
  SIN6_PORT,
  SIN6_SCOPE_ID,
  SIN_ADDR,
  SIN_PORT,
  SIZEOF_SOCKADDR_IN,
  SIZEOF_SOCKADDR_IN6,
  SIZEOF_SOCKADDR_IN6_RFC2133,
  type Errno,
} from '@tsv/abi';
import { IpAddress, SocketAddress } from '@tsv/netstack';

/** A socket address with an IP address of its own, to be loaded again and again but never to be set. */
export function ownSocketAddress(): SocketAddress {
  return new SocketAddress(new IpAddress());
}

/** `sa_family` of a `sockaddr`. */
export function familyOf(bytes: Uint8Array): number {
  return bytes[0]! | (bytes[1]! << 8);
}

/** Reads a `sockaddr_in` or `sockaddr_in6` of `len` bytes, as its family says. Errors: EAFNOSUPPORT, EINVAL. */
export function loadInetAddress(bytes: Uint8Array, len: number, into: SocketAddress): 0 | Errno {
  const family = familyOf(bytes);
  if (family === AF_INET) {
    if (len < SIZEOF_SOCKADDR_IN) return -EINVAL;
    into.address.loadIpv4(bytes, SIN_ADDR);
    into.port = loadPort(bytes, SIN_PORT);
    into.scopeId = 0;
    return 0;
  }
  if (family !== AF_INET6) return -EAFNOSUPPORT;
  if (len < SIZEOF_SOCKADDR_IN6_RFC2133) return -EINVAL;
  into.address.loadIpv6(bytes, SIN6_ADDR);
  into.port = loadPort(bytes, SIN6_PORT);
  into.scopeId = len >= SIZEOF_SOCKADDR_IN6 ? loadScope(bytes) : 0;
  return 0;
}

/** Writes `from` as the socket's family has it, IPv4 addresses IPv4-mapped in AF_INET6. Returns the length. */
export function storeInetAddress(dst: Uint8Array, isIpv6: boolean, from: SocketAddress): number {
  const { address, port, scopeId } = from;
  dst[1] = 0;
  if (!isIpv6) {
    dst[0] = AF_INET;
    storePort(dst, SIN_PORT, port);
    address.storeIpv4(dst, SIN_ADDR);
    dst.fill(0, SIN_ADDR + 4, SIZEOF_SOCKADDR_IN);
    return SIZEOF_SOCKADDR_IN;
  }
  dst[0] = AF_INET6;
  storePort(dst, SIN6_PORT, port);
  dst.fill(0, SIN6_FLOWINFO, SIN6_ADDR);
  address.storeIpv6(dst, SIN6_ADDR);
  for (let i = 0; i < 4; i++) dst[SIN6_SCOPE_ID + i] = scopeId >>> (8 * i);
  return SIZEOF_SOCKADDR_IN6;
}

function loadPort(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

function storePort(bytes: Uint8Array, at: number, port: number): void {
  bytes[at] = port >> 8;
  bytes[at + 1] = port;
}

function loadScope(bytes: Uint8Array): number {
  const at = SIN6_SCOPE_ID;
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}
