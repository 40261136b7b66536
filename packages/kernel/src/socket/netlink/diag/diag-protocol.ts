import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_PACKET,
  AF_UNIX,
  EINVAL,
  ENOENT,
  SOCK_DIAG_BY_FAMILY,
  type Errno,
} from '@tsv/abi';
import type { NetlinkProtocol } from '../netlink-protocol.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { NetlinkRequest } from '../netlink-request.js';
import { dumpInet } from './inet-diag.js';
import { dumpUnix } from './unix-diag.js';

/** NETLINK_SOCK_DIAG, sock_diag(7): dumps of the sockets of a network namespace. */
export const diagProtocol: NetlinkProtocol = {
  groupCount: 9,

  /** Errors: EINVAL, ENOENT for families that there are no tables of. */
  handle(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
    if (request.type !== SOCK_DIAG_BY_FAMILY) return -EINVAL;
    switch (request.family) {
      case AF_INET:
      case AF_INET6:
        return dumpInet(request, reply);
      case AF_UNIX:
        return dumpUnix(request, reply);
      case AF_NETLINK:
      case AF_PACKET:
        return request.isDump ? 0 : -ENOENT;
      default:
        return -ENOENT;
    }
  },
};
