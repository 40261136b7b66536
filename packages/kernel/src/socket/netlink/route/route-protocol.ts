import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  EOPNOTSUPP,
  EPERM,
  FRA_PRIORITY,
  FRA_TABLE,
  FR_ACT_TO_TBL,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEIGH,
  RTM_GETNEIGHTBL,
  RTM_GETNETCONF,
  RTM_GETQDISC,
  RTM_GETROUTE,
  RTM_GETRULE,
  RTM_GETTCLASS,
  RTM_GETTFILTER,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  RTM_NEWROUTE,
  RTM_NEWRULE,
  RTM_SETLINK,
  RTM_TABLE,
  RTM_TYPE,
  RT_TABLE_DEFAULT,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  SIZEOF_RTMSG,
  type Errno,
} from '@tsv/abi';
import type { NetlinkProtocol } from '../netlink-protocol.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { NetlinkRequest } from '../netlink-request.js';
import { changeAddress, getAddresses } from './address-messages.js';
import { changeLink, deleteLink } from './link-changes.js';
import { getLinks } from './link-messages.js';
import { changeNeighbour, getNeighbours } from './neighbour-messages.js';
import { changeRoute, getRoutes } from './route-messages.js';

/** RTNLGRP_MAX. */
const GROUP_COUNT = 36;

/** NETLINK_ROUTE, rtnetlink(7): links, addresses, routes, neighbours and rules of a network namespace. */
export const routeProtocol: NetlinkProtocol = {
  groupCount: GROUP_COUNT,

  /** Errors: EOPNOTSUPP for messages that there are none of, EPERM, and those of the message. */
  handle(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
    switch (request.type) {
      case RTM_GETLINK:
        return getLinks(request, reply);
      case RTM_GETADDR:
        return request.isDump ? getAddresses(request, reply) : -EOPNOTSUPP;
      case RTM_GETROUTE:
        return getRoutes(request, reply);
      case RTM_GETNEIGH:
        return getNeighbours(request, reply);
      case RTM_GETRULE:
        return request.isDump ? getRules(request, reply) : -EOPNOTSUPP;
      case RTM_GETQDISC:
      case RTM_GETTCLASS:
      case RTM_GETTFILTER:
      case RTM_GETNEIGHTBL:
      case RTM_GETNETCONF:
        // There are none to tell of.
        return request.isDump ? 0 : -EOPNOTSUPP;
      default:
        return request.isAdmin ? change(request) : -EPERM;
    }
  },
};

function change(request: NetlinkRequest): 0 | Errno {
  switch (request.type) {
    case RTM_NEWLINK:
    case RTM_SETLINK:
      return changeLink(request);
    case RTM_DELLINK:
      return deleteLink(request);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return changeAddress(request);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
      return changeRoute(request);
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
      return changeNeighbour(request);
    default:
      return -EOPNOTSUPP;
  }
}

/** The rules that every namespace starts with: the local table, the main one, and for IPv4 the default one. */
const RULES: readonly (readonly [priority: number, table: number, isIpv6Too: boolean])[] = [
  [0, RT_TABLE_LOCAL, true],
  [32766, RT_TABLE_MAIN, true],
  [32767, RT_TABLE_DEFAULT, false],
];

function getRules(request: NetlinkRequest, reply: NetlinkReply): 0 {
  for (const family of [AF_INET, AF_INET6]) {
    if (request.family !== AF_UNSPEC && request.family !== family) continue;
    for (const [priority, table, isIpv6Too] of RULES) {
      if (family === AF_INET6 && !isIpv6Too) continue;
      const writer = reply.begin(RTM_NEWRULE);
      const at = writer.extend(SIZEOF_RTMSG);
      writer.view.setUint8(at, family);
      writer.view.setUint8(at + RTM_TABLE, table);
      writer.view.setUint8(at + RTM_TYPE, FR_ACT_TO_TBL);
      writer.u32(FRA_TABLE, table);
      if (priority !== 0) writer.u32(FRA_PRIORITY, priority);
      writer.end();
    }
  }
  return 0;
}
