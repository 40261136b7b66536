/** Requests of ioctl(2) about network devices and routes, linux/sockios.h: netdevice(7). */

export const SIOCETHTOOL = 0x8946;
export const SIOCADDRT = 0x890b;
export const SIOCDELRT = 0x890c;
export const SIOCGIFNAME = 0x8910;
export const SIOCGIFCONF = 0x8912;
export const SIOCGIFFLAGS = 0x8913;
export const SIOCSIFFLAGS = 0x8914;
export const SIOCGIFADDR = 0x8915;
export const SIOCSIFADDR = 0x8916;
export const SIOCGIFDSTADDR = 0x8917;
export const SIOCGIFBRDADDR = 0x8919;
export const SIOCSIFBRDADDR = 0x891a;
export const SIOCGIFNETMASK = 0x891b;
export const SIOCSIFNETMASK = 0x891c;
export const SIOCGIFMETRIC = 0x891d;
export const SIOCGIFMTU = 0x8921;
export const SIOCSIFMTU = 0x8922;
export const SIOCSIFNAME = 0x8923;
export const SIOCSIFHWADDR = 0x8924;
export const SIOCGIFHWADDR = 0x8927;
export const SIOCGIFINDEX = 0x8933;
export const SIOCDIFADDR = 0x8936;
export const SIOCGIFTXQLEN = 0x8942;
export const SIOCGIFMAP = 0x8970;

/** `struct ifreq`: a name, and a union that holds an address, flags or a number. */
export const SIZEOF_IFREQ = 40;
export const IFNAMSIZ = 16;
export const IFR_DATA = 16;
/** `struct in6_ifreq`. */
export const SIZEOF_IN6_IFREQ = 24;
export const IFR6_ADDR = 0;
export const IFR6_PREFIXLEN = 16;
export const IFR6_IFINDEX = 20;
/** `struct ifconf`. */
export const SIZEOF_IFCONF = 16;
export const IFC_REQ = 8;

/** `struct rtentry` of SIOCADDRT. */
export const SIZEOF_RTENTRY = 120;
export const RT_DST = 8;
export const RT_GATEWAY = 24;
export const RT_GENMASK = 40;
export const RT_FLAGS = 56;
export const RT_METRIC = 80;
export const RT_DEV = 88;
export const RTF_UP = 0x1;
export const RTF_GATEWAY = 0x2;
export const RTF_HOST = 0x4;
export const RTF_REJECT = 0x200;

/** Flags of a device, net/if.h. */
export const IFF_UP = 0x1;
export const IFF_BROADCAST = 0x2;
export const IFF_LOOPBACK = 0x8;
export const IFF_POINTOPOINT = 0x10;
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;
export const IFF_PROMISC = 0x100;
export const IFF_MULTICAST = 0x1000;
export const IFF_LOWER_UP = 0x10000;

/** Kinds of links, net/if_arp.h. */
export const ARPHRD_ETHER = 1;
export const ARPHRD_LOOPBACK = 772;
export const ARPHRD_NONE = 0xfffe;
