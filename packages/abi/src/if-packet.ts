/** AF_PACKET, linux/if_packet.h: packet(7). */

/** `struct sockaddr_ll`. */
export const SIZEOF_SOCKADDR_LL = 20;
export const SLL_PROTOCOL = 2;
export const SLL_IFINDEX = 4;
export const SLL_HATYPE = 8;
export const SLL_PKTTYPE = 10;
export const SLL_HALEN = 11;
export const SLL_ADDR = 12;

export const PACKET_ADD_MEMBERSHIP = 1;
export const PACKET_DROP_MEMBERSHIP = 2;
export const PACKET_STATISTICS = 6;
export const PACKET_AUXDATA = 8;
export const PACKET_VERSION = 10;
export const PACKET_IGNORE_OUTGOING = 23;

/** `struct packet_mreq`, and what of it can be asked for. */
export const SIZEOF_PACKET_MREQ = 16;
export const PACKET_MR_MULTICAST = 0;
export const PACKET_MR_PROMISC = 1;
export const PACKET_MR_ALLMULTI = 2;
