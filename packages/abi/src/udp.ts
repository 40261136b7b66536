/** Options of UDP sockets, linux/udp.h. */

export const UDP_CORK = 1;
export const UDP_ENCAP = 100;
export const UDP_NO_CHECK6_TX = 101;
export const UDP_NO_CHECK6_RX = 102;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
/** Datagrams that one send with UDP_SEGMENT may become. */
export const UDP_MAX_SEGMENTS = 64;
