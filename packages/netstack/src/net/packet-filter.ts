import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { Nic } from './nic.js';

/** Places on a packet's way where it is looked at, linux/netfilter.h. */
export const NF_INET_PRE_ROUTING = 0;
export const NF_INET_LOCAL_IN = 1;
export const NF_INET_FORWARD = 2;
export const NF_INET_LOCAL_OUT = 3;
export const NF_INET_POST_ROUTING = 4;

/** Looks at every packet and may drop it or rewrite its addresses and ports: iptables, NAT, a program's policy. */
export interface PacketFilter {
  /**
   * Decides about a packet whose IP header is at `packet.networkAt`, its upper-layer header at `packet.transportAt` (-1
   * in fragments but the first). False: the packet is the filter's now, dropped or kept. Who rewrites addresses
   * rewrites `packet.src` and `packet.dst` too. Fragments were put together before.
   */
  accepts(hook: number, packet: PacketBuffer, inNic: Nic | null, outNic: Nic | null): boolean;
}
