import { close } from './open-file.js';
import {
  openPacketSocket,
  openTun,
  readFrames,
  receiveFrames,
  sendFrames,
  setTunOffload,
  writeFrames,
} from './network-interface.js';

/** Flags of TUNSETIFF and TUNSETOFFLOAD, linux/if_tun.h. */
const IFF_TUN = 0x0001;
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const TUN_F_CSUM = 0x01;
const TUN_F_TSO4 = 0x02;
const TUN_F_TSO6 = 0x04;
const TUN_F_TSO_ECN = 0x08;

/**
 * A descriptor that carries network frames, in batches: a packet socket, or a TUN or TAP device. All have a virtio-net
 * header in front, so that the host leaves checksums and the cutting up of TCP to the network card.
 */
export class PacketFd {
  readonly fd: number;
  readonly #isSocket: boolean;

  private constructor(fd: number, isSocket: boolean) {
    this.fd = fd;
    this.#isSocket = isSocket;
  }

  /** A packet socket on interface `index`, packet(7). Errors: EPERM without CAP_NET_RAW, ENODEV. */
  static openSocket(index: number): PacketFd | number {
    const fd = openPacketSocket(index, 1);
    return fd < 0 ? fd : new PacketFd(fd, true);
  }

  /** The TAP interface `name`, made if there is none. Errors: EPERM without CAP_NET_ADMIN, EBUSY. */
  static openTap(name: string): PacketFd | number {
    return PacketFd.#open(name, IFF_TAP);
  }

  /** The TUN interface `name`: IP packets without Ethernet header. */
  static openTun(name: string): PacketFd | number {
    return PacketFd.#open(name, IFF_TUN);
  }

  /** Takes over a descriptor that was opened elsewhere, with a virtio-net header in front of frames. */
  static adopt(fd: number, isSocket: boolean): PacketFd {
    return new PacketFd(fd, isSocket);
  }

  /**
   * Receives up to `lens.length` frames: the i-th at `i * slotBytes` of `buffer`, its length in `lens[i]`. Returns how
   * many. Errors: EAGAIN when there are none.
   */
  receive(buffer: Uint8Array, slotBytes: number, lens: Int32Array): number {
    if (this.#isSocket) return receiveFrames(this.fd, buffer, slotBytes, lens);
    return readFrames(this.fd, buffer, slotBytes, lens);
  }

  /**
   * Sends frames `from` to `to`: the i-th lies in `buffer` up to `ends[i]`, behind the one before it. Returns how many
   * went out. Errors: those of the first: EAGAIN, ENOBUFS, EMSGSIZE.
   */
  send(buffer: Uint8Array, ends: Int32Array, from: number, to: number): number {
    if (this.#isSocket) return sendFrames(this.fd, buffer, ends, from, to);
    return writeFrames(this.fd, buffer, ends, from, to);
  }

  close(): void {
    close(this.fd);
  }

  static #open(name: string, kind: number): PacketFd | number {
    const fd = openTun(name, kind | IFF_NO_PI | IFF_VNET_HDR);
    if (fd < 0) return fd;
    const offload = setTunOffload(fd, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN);
    if (offload === 0) return new PacketFd(fd, false);
    close(fd);
    return offload;
  }
}
