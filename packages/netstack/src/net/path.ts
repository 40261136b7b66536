import type { IpAddress } from '../wire/ip-address.js';
import type { Nic } from './nic.js';

/** How packets between two addresses leave the stack; sockets keep one while {@link Path.generation} is the stack's. */
export class Path {
  readonly src: IpAddress;
  readonly dst: IpAddress;
  readonly nic: Nic;
  /** The router or, on the link, the destination itself. */
  readonly nextHop: IpAddress;
  /** Bytes of the largest IP packet that gets through, as far as known. */
  readonly mtu: number;
  /** {@link RouteTable.generation} when it was found. */
  readonly generation: number;

  constructor(src: IpAddress, dst: IpAddress, nic: Nic, nextHop: IpAddress, mtu: number, generation: number) {
    this.src = src;
    this.dst = dst;
    this.nic = nic;
    this.nextHop = nextHop;
    this.mtu = mtu;
    this.generation = generation;
  }

  /** The same between the equal addresses `src` and `dst`, so that those of this one need not be kept. */
  between(src: IpAddress, dst: IpAddress): Path {
    const nextHop = this.nextHop === this.dst ? dst : this.nextHop;
    return new Path(src, dst, this.nic, nextHop, this.mtu, this.generation);
  }
}
