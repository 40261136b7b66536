import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { IcmpError } from '../icmp/icmp-error.js';
import type { Nic } from '../net/nic.js';
import type { PacketSocket } from '../socket/packet-socket.js';
import type { RawSocket } from '../socket/raw-socket.js';

/** The raw and packet sockets of a stack: raw(7), packet(7). */
export class Raw {
  readonly #rawSockets = new Set<RawSocket>();
  readonly #packetSockets = new Set<PacketSocket>();

  get hasRawSockets(): boolean {
    return this.#rawSockets.size > 0;
  }

  get hasPacketSockets(): boolean {
    return this.#packetSockets.size > 0;
  }

  addRaw(socket: RawSocket): void {
    this.#rawSockets.add(socket);
  }

  removeRaw(socket: RawSocket): void {
    this.#rawSockets.delete(socket);
  }

  addPacket(socket: PacketSocket): void {
    this.#packetSockets.add(socket);
  }

  removePacket(socket: PacketSocket): void {
    this.#packetSockets.delete(socket);
  }

  /** Gives raw sockets copies of a whole IP packet to us; whether one wanted it. */
  deliver(packet: PacketBuffer): boolean {
    let wasTaken = false;
    for (const socket of this.#rawSockets) {
      if (!socket.wants(packet)) continue;
      socket.deliver(packet);
      wasTaken = true;
    }
    return wasTaken;
  }

  /** Hands an ICMP error to the raw sockets of its protocol; whether there is one. */
  error(error: IcmpError): boolean {
    let wasTaken = false;
    for (const socket of this.#rawSockets) {
      if (socket.protocol !== error.protocol || socket.isIpv6 === error.dst.isIpv4) continue;
      if (socket.remoteAddress !== null && !socket.remoteAddress.equals(error.dst)) continue;
      socket.icmpError(error);
      wasTaken = true;
    }
    return wasTaken;
  }

  /** Gives packet sockets copies of a frame that came in; it starts at `packet.at`. */
  tapIncoming(nic: Nic, packet: PacketBuffer): void {
    for (const socket of this.#packetSockets) socket.tap(nic, packet, false);
  }

  /** Gives packet sockets of all protocols copies of a frame that goes out. */
  tapOutgoing(nic: Nic, packet: PacketBuffer): void {
    for (const socket of this.#packetSockets) socket.tap(nic, packet, true);
  }
}
