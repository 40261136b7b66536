import type { NetNamespace } from '../../namespace/net-namespace.js';
import { NetlinkWriter } from './netlink-writer.js';

/** Tells who listens to `group` in `net` what `write` writes: a whole message, its end included. */
export function notifyGroup(
  net: NetNamespace,
  protocol: number,
  group: number,
  write: (writer: NetlinkWriter) => void,
): void {
  sendToGroup(net, protocol, group, () => {
    const writer = new NetlinkWriter();
    write(writer);
    return writer.take();
  });
}

/** Sends who listens to `group` in `net` a datagram, which is made if there is somebody. */
export function sendToGroup(net: NetNamespace, protocol: number, group: number, make: () => Uint8Array): void {
  let datagram: Uint8Array | null = null;
  for (const socket of net.netlinkSockets) {
    if (socket.protocol !== protocol || !socket.hasGroup(group)) continue;
    datagram ??= make();
    socket.deliver(datagram);
  }
}
