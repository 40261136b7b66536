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
export const PACKET_RX_RING = 5;
export const PACKET_STATISTICS = 6;
export const PACKET_AUXDATA = 8;
export const PACKET_VERSION = 10;
export const PACKET_HDRLEN = 11;
export const PACKET_RESERVE = 12;
export const PACKET_IGNORE_OUTGOING = 23;

/** `struct packet_mreq`, and what of it can be asked for. */
export const SIZEOF_PACKET_MREQ = 16;
export const PACKET_MR_MULTICAST = 0;
export const PACKET_MR_PROMISC = 1;
export const PACKET_MR_ALLMULTI = 2;

/** Versions of rings, and the bytes of their frames' headers. */
export const TPACKET_V1 = 0;
export const TPACKET_V2 = 1;
export const TPACKET_ALIGNMENT = 16;
export const SIZEOF_TPACKET_HDR = 32;
export const SIZEOF_TPACKET2_HDR = 32;
/** `struct tpacket_req`. */
export const SIZEOF_TPACKET_REQ = 16;

/** `struct tpacket2_hdr`, behind which the address is. */
export const TP2_STATUS = 0;
export const TP2_LEN = 4;
export const TP2_SNAPLEN = 8;
export const TP2_MAC = 12;
export const TP2_NET = 14;
export const TP2_SEC = 16;
export const TP2_NSEC = 20;
export const TP2_VLAN_TCI = 24;

export const TP_STATUS_KERNEL = 0;
export const TP_STATUS_USER = 1;
export const TP_STATUS_CSUMNOTREADY = 8;
