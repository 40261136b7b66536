import { RTNLGRP_LINK } from '@tsv/abi';
import type { Nic } from '@tsv/netstack';
import type { NetNamespace } from '../../../namespace/net-namespace.js';
import type { NetlinkRequest } from '../netlink-request.js';
import { notifyGroup } from '../notify-group.js';
import { writeLink } from './link-messages.js';

/** A device was made, changed (RTM_NEWLINK) or is going (RTM_DELLINK). */
export function notifyLink(request: NetlinkRequest, net: NetNamespace, nic: Nic, type: number): void {
  notifyGroup(net, 0, RTNLGRP_LINK, (writer) => {
    writer.begin(type, 0, request.seq, 0);
    writeLink(writer, request, nic);
  });
}
