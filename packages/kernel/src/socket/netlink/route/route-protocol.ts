import {
  AF_BRIDGE,
  EOPNOTSUPP,
  EPERM,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_DELNEIGH,
  RTM_DELROUTE,
  RTM_DELRULE,
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
import { changeRule, getRules } from './rule-messages.js';
import { getBridgeLinks, getForwarding } from './bridge-messages.js';

/** RTNLGRP_MAX. */
const GROUP_COUNT = 36;

/** NETLINK_ROUTE, rtnetlink(7): links, addresses, routes, neighbours and rules of a network namespace. */
export const routeProtocol: NetlinkProtocol = {
  groupCount: GROUP_COUNT,

  /** Errors: EOPNOTSUPP for messages that there are none of, EPERM, and those of the message. */
  handle(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
    switch (request.type) {
      case RTM_GETLINK:
        if (request.isDump && request.family === AF_BRIDGE) return getBridgeLinks(request, reply);
        return getLinks(request, reply);
      case RTM_GETADDR:
        return request.isDump ? getAddresses(request, reply) : -EOPNOTSUPP;
      case RTM_GETROUTE:
        return getRoutes(request, reply);
      case RTM_GETNEIGH:
        if (request.isDump && request.family === AF_BRIDGE) return getForwarding(request, reply);
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
    case RTM_NEWRULE:
    case RTM_DELRULE:
      return changeRule(request);
    default:
      return -EOPNOTSUPP;
  }
}
