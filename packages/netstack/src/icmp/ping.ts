import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { PingSocket } from '../socket/ping-socket.js';
import { PortTable } from '../socket/port-table.js';
import { loadU16 } from '../wire/byte-order.js';
import type { IcmpError } from './icmp-error.js';

/** The ping sockets of a stack, by identifier: icmp(7). */
export class Ping {
  readonly sockets = new PortTable<PingSocket>();

  /** Gives the socket with identifier `id` a copy of an echo reply that starts at `packet.at`. */
  deliver(packet: PacketBuffer, id: number): void {
    for (const socket of this.sockets.on(id) ?? []) {
      if (!this.#fits(socket, packet)) continue;
      socket.enqueue(packet.clone());
      return;
    }
  }

  /** Hands an ICMP error to the socket that sent the request; whether there is one. */
  error(error: IcmpError): boolean {
    const id = loadU16(error.packet!.bytes, error.quoteAt + 4);
    for (const socket of this.sockets.on(id) ?? []) {
      if (socket.isIpv6 === error.dst.isIpv4) continue;
      socket.icmpError(error);
      return true;
    }
    return false;
  }

  #fits(socket: PingSocket, packet: PacketBuffer): boolean {
    if (socket.isIpv6 === packet.src.isIpv4 || !socket.takes(packet.dst, packet.nicId)) return false;
    return socket.remoteAddress === null || socket.remoteAddress.equals(packet.src);
  }
}
