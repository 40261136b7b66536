import { IFLA_LINK, IFLA_LINK_NETNSID } from '@tsv/abi';
import type { VirtualLink } from '../../device/virtual-links.js';
import type { NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';

/** Writes which device is the other end of a veth(4), if the device is one. */
export function writePeer(writer: NetlinkWriter, virtual: VirtualLink | undefined, request: NetlinkRequest): void {
  const peer = virtual?.peer ?? null;
  if (peer === null) return;
  writer.u32(IFLA_LINK, peer.nicId);
  if (peer.net !== request.net) writer.u32(IFLA_LINK_NETNSID, 0);
}
