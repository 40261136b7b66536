import type { IpAddress } from '../wire/ip-address.js';

/** net.ipv4.ip_local_port_range. */
export const EPHEMERAL_PORT_MIN = 32768;
export const EPHEMERAL_PORT_MAX = 60999;
const EPHEMERAL_PORT_COUNT = EPHEMERAL_PORT_MAX - EPHEMERAL_PORT_MIN + 1;

/** What a table of ports must know of its sockets. */
export interface PortHolder {
  readonly localAddress: IpAddress;
  readonly localPort: number;
  /** Interface that the socket is bound to (SO_BINDTODEVICE), or 0. */
  readonly boundNicId: number;
  /** Whether a wildcard address stands for IPv4 too: an AF_INET6 socket without IPV6_V6ONLY. */
  readonly isDualStack: boolean;
  readonly reusesAddress: boolean;
  readonly reusesPort: boolean;
  /** Effective user of the process that made it: SO_REUSEPORT is among sockets of one user. */
  readonly uid: number;
  /** Whether SO_REUSEADDR is of no use against it: a TCP listener. */
  readonly isExclusive: boolean;
}

/** Sockets by local port. */
export class PortTable<S extends PortHolder> {
  /** A port with many sockets, of which a server's are the connections, has a set; a client's has one. */
  readonly #byPort = new Map<number, readonly [S] | Set<S>>();

  /** Sockets on `port`, oldest first. */
  on(port: number): Iterable<S> | undefined {
    return this.#byPort.get(port);
  }

  add(socket: S): void {
    const sockets = this.#byPort.get(socket.localPort);
    if (sockets === undefined) this.#byPort.set(socket.localPort, [socket]);
    else if (sockets instanceof Set) sockets.add(socket);
    else if (sockets[0] !== socket) this.#byPort.set(socket.localPort, new Set([sockets[0], socket]));
  }

  remove(socket: S): void {
    const sockets = this.#byPort.get(socket.localPort);
    if (sockets === undefined) return;
    if (sockets instanceof Set) {
      sockets.delete(socket);
      if (sockets.size > 0) return;
    } else if (sockets[0] !== socket) return;
    this.#byPort.delete(socket.localPort);
  }

  /** All sockets. */
  *values(): IterableIterator<S> {
    for (const sockets of this.#byPort.values()) yield* sockets;
  }

  /** Whether `socket` may have `address` and `port`: the rules of bind(2), SO_REUSEADDR and SO_REUSEPORT in socket(7). */
  isFree(socket: S, address: IpAddress, port: number): boolean {
    const holders = this.#byPort.get(port);
    if (holders === undefined) return true;
    for (const holder of holders) if (holder !== socket && conflicts(socket, address, holder)) return false;
    return true;
  }

  /** A free ephemeral port, searched from a random place (RFC 6056 algorithm 1), or 0 if there is none. */
  ephemeral(random: number, isFree: (port: number) => boolean): number {
    const start = random % EPHEMERAL_PORT_COUNT;
    for (let i = 0; i < EPHEMERAL_PORT_COUNT; i++) {
      const port = EPHEMERAL_PORT_MIN + ((start + i) % EPHEMERAL_PORT_COUNT);
      if (isFree(port)) return port;
    }
    return 0;
  }
}

function conflicts(socket: PortHolder, address: IpAddress, holder: PortHolder): boolean {
  if (socket.boundNicId !== 0 && holder.boundNicId !== 0 && socket.boundNicId !== holder.boundNicId) return false;
  if (socket.reusesPort && holder.reusesPort && socket.uid === holder.uid) return false;
  if (socket.reusesAddress && holder.reusesAddress && !holder.isExclusive) return false;
  return overlaps(address, socket.isDualStack, holder.localAddress, holder.isDualStack);
}

/** Whether an address exists that both stand for. */
function overlaps(a: IpAddress, aIsDual: boolean, b: IpAddress, bIsDual: boolean): boolean {
  if (a.equals(b)) return true;
  if (a.isUnspecified && standsFor(a, aIsDual, b)) return true;
  return b.isUnspecified && standsFor(b, bIsDual, a);
}

/** Whether the wildcard `any` stands for `address`. */
export function standsFor(any: IpAddress, isDualStack: boolean, address: IpAddress): boolean {
  return any.isIpv4 === address.isIpv4 || (!any.isIpv4 && isDualStack);
}
