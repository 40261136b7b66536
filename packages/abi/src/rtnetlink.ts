/** Messages about links, addresses, routes, neighbours and rules, linux/rtnetlink.h and kin: rtnetlink(7). */

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_DELNEIGH = 29;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_DELRULE = 33;
export const RTM_GETRULE = 34;
export const RTM_NEWQDISC = 36;
export const RTM_GETQDISC = 38;
export const RTM_GETTCLASS = 42;
export const RTM_GETTFILTER = 46;
export const RTM_GETNEIGHTBL = 66;
export const RTM_GETNETCONF = 82;
export const RTM_GETNSID = 90;

/** `struct ifinfomsg`. */
export const SIZEOF_IFINFOMSG = 16;
export const IFI_TYPE = 2;
export const IFI_INDEX = 4;
export const IFI_FLAGS = 8;
export const IFI_CHANGE = 12;

export const IFLA_ADDRESS = 1;
export const IFLA_BROADCAST = 2;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINK = 5;
export const IFLA_QDISC = 6;
export const IFLA_STATS = 7;
export const IFLA_MASTER = 10;
export const IFLA_PROTINFO = 12;
export const IFLA_TXQLEN = 13;
export const IFLA_OPERSTATE = 16;
export const IFLA_LINKMODE = 17;
export const IFLA_LINKINFO = 18;
export const IFLA_NET_NS_PID = 19;
export const IFLA_STATS64 = 23;
export const IFLA_AF_SPEC = 26;
export const IFLA_GROUP = 27;
export const IFLA_NET_NS_FD = 28;
export const IFLA_EXT_MASK = 29;
export const IFLA_PROMISCUITY = 30;
export const IFLA_NUM_TX_QUEUES = 31;
export const IFLA_NUM_RX_QUEUES = 32;
export const IFLA_CARRIER = 33;
export const IFLA_LINK_NETNSID = 37;
export const IFLA_MIN_MTU = 50;
export const IFLA_MAX_MTU = 51;
export const IFLA_ALT_IFNAME = 53;
/** Inside of IFLA_LINKINFO. */
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
export const IFLA_INFO_SLAVE_KIND = 4;
/** Inside of IFLA_INFO_DATA of a bridge. */
export const IFLA_BR_AGEING_TIME = 4;
export const IFLA_BR_STP_STATE = 5;
export const IFLA_BR_PRIORITY = 6;
export const IFLA_BR_VLAN_FILTERING = 7;
/** Inside of IFLA_PROTINFO of its ports. */
export const IFLA_BRPORT_STATE = 1;
export const IFLA_BRPORT_PRIORITY = 2;
export const IFLA_BRPORT_COST = 3;
export const BR_STATE_DISABLED = 0;
export const BR_STATE_FORWARDING = 3;
/** Inside of IFLA_INFO_DATA of a veth(4): an ifinfomsg and attributes of the other end. */
export const VETH_INFO_PEER = 1;

export const IF_OPER_UNKNOWN = 0;
export const IF_OPER_DOWN = 2;
export const IF_OPER_UP = 6;

/** `struct rtnl_link_stats` and `rtnl_link_stats64`: 24 counters. */
export const LINK_STATS_COUNT = 24;

/** `struct ifaddrmsg`. */
export const SIZEOF_IFADDRMSG = 8;
export const IFA_PREFIXLEN = 1;
export const IFA_FLAGS_U8 = 2;
export const IFA_SCOPE = 3;
export const IFA_INDEX = 4;

export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_LABEL = 3;
export const IFA_BROADCAST = 4;
export const IFA_CACHEINFO = 6;
export const IFA_FLAGS = 8;
export const SIZEOF_IFA_CACHEINFO = 16;

export const IFA_F_TENTATIVE = 0x40;
export const IFA_F_DADFAILED = 0x08;
export const IFA_F_DEPRECATED = 0x20;
export const IFA_F_PERMANENT = 0x80;

/** `struct rtmsg`. */
export const SIZEOF_RTMSG = 12;
export const RTM_DST_LEN = 1;
export const RTM_SRC_LEN = 2;
export const RTM_TOS = 3;
export const RTM_TABLE = 4;
export const RTM_PROTOCOL = 5;
export const RTM_SCOPE = 6;
export const RTM_TYPE = 7;
export const RTM_FLAGS = 8;

export const RTA_DST = 1;
export const RTA_SRC = 2;
export const RTA_IIF = 3;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_METRICS = 8;
export const RTA_CACHEINFO = 12;
export const RTA_TABLE = 15;
export const RTA_MARK = 16;
export const RTA_PREF = 20;
/** Inside of RTA_METRICS. */
export const RTAX_MTU = 2;

export const RT_TABLE_UNSPEC = 0;
/** In the byte of a header for tables that it cannot name. */
export const RT_TABLE_COMPAT = 252;
export const RT_TABLE_DEFAULT = 253;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;

export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_SITE = 200;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;

export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
/** `rtm_flags`: a look-up tells the route's own prefix, and that the kernel cloned it. */
export const RTM_F_CLONED = 0x200;

/** `struct ndmsg`. */
export const SIZEOF_NDMSG = 12;
export const NDM_IFINDEX = 4;
export const NDM_STATE = 8;
export const NDM_FLAGS = 10;
export const NDM_TYPE = 11;
export const NDA_DST = 1;
export const NDA_LLADDR = 2;
export const NDA_CACHEINFO = 3;
export const NDA_MASTER = 9;
export const NTF_ROUTER = 0x80;

/** `struct fib_rule_hdr`, as {@link SIZEOF_RTMSG}. */
export const FRA_DST = 1;
export const FRA_SRC = 2;
export const FRA_IIFNAME = 3;
export const FRA_PRIORITY = 6;
export const FRA_FWMARK = 10;
export const FRA_SUPPRESS_PREFIXLEN = 14;
export const FRA_TABLE = 15;
export const FRA_FWMASK = 16;
export const FRA_OIFNAME = 17;
export const FRA_PROTOCOL = 21;
export const FR_ACT_TO_TBL = 1;
export const FIB_RULE_INVERT = 2;

/** Multicast groups by number; the first 32 can be joined by bind(2) too. */
export const RTNLGRP_LINK = 1;
export const RTNLGRP_NEIGH = 3;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_IPV6_RULE = 19;
