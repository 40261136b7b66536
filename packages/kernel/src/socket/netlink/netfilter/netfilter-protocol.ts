import {
  EOPNOTSUPP,
  EPERM,
  IPCTNL_MSG_EXP_GET,
  NFNLGRP_MAX,
  NFNL_SUBSYS_CTNETLINK,
  NFNL_SUBSYS_CTNETLINK_EXP,
  type Errno,
} from '@tsv/abi';
import type { NetlinkProtocol } from '../netlink-protocol.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { NetlinkRequest } from '../netlink-request.js';
import { handleConntrack } from './conntrack-messages.js';

/**
 * NETLINK_NETFILTER: the tracked connections. There is no nf_tables, whose messages get EOPNOTSUPP; rules are those of
 * iptables-legacy(8).
 */
export const netfilterProtocol: NetlinkProtocol = {
  groupCount: NFNLGRP_MAX,
  isForAdmins: true,

  /** Errors: EOPNOTSUPP for other subsystems, EPERM, and those of the message. */
  handle(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
    if (!request.isAdmin) return -EPERM;
    const type = request.type & 0xff;
    switch (request.type >>> 8) {
      case NFNL_SUBSYS_CTNETLINK:
        return handleConntrack(request, type, reply);
      case NFNL_SUBSYS_CTNETLINK_EXP:
        // No protocol announces connections that are to come, so none is expected.
        return type === IPCTNL_MSG_EXP_GET && request.isDump ? 0 : -EOPNOTSUPP;
      default:
        return -EOPNOTSUPP;
    }
  },
};
