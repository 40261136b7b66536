import { RTNLGRP_LINK } from '@tsv/abi';
import type { Nic } from '@tsv/netstack';
import type { NetNamespace } from '../../../namespace/net-namespace.js';
import type { NetlinkRequest } from '../netlink-request.js';
import { NetlinkWriter } from '../netlink-writer.js';
import { writeLink } from './link-messages.js';

/** Tells who listens to `group` in `net` what `write` writes: a whole message, its end included. */
export function notifyGroup(
  net: NetNamespace,
  protocol: number,
  group: number,
  write: (writer: NetlinkWriter) => void,
): void {
  let datagram: Uint8Array | null = null;
  for (const socket of net.netlinkSockets) {
    if (socket.protocol !== protocol || !socket.hasGroup(group)) continue;
    if (datagram === null) {
      const writer = new NetlinkWriter();
      write(writer);
      datagram = writer.take();
    }
    socket.deliver(datagram);
  }
}

/** A device was made, changed (RTM_NEWLINK) or is going (RTM_DELLINK). */
export function notifyLink(request: NetlinkRequest, net: NetNamespace, nic: Nic, type: number): void {
  notifyGroup(net, 0, RTNLGRP_LINK, (writer) => {
    writer.begin(type, 0, request.seq, 0);
    writeLink(writer, request, nic);
  });
}
