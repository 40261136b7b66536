import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  EINVAL,
  ENODEV,
  ENOENT,
  NDA_DST,
  NDA_LLADDR,
  NDM_FLAGS,
  NDM_IFINDEX,
  NDM_STATE,
  NDM_TYPE,
  NTF_ROUTER,
  RTM_DELNEIGH,
  RTM_NEWNEIGH,
  SIZEOF_NDMSG,
  type Errno,
} from '@tsv/abi';
import { RTN_UNICAST, type Neighbour, type Nic } from '@tsv/netstack';
import type { NetlinkReply } from '../netlink-reply.js';
import type { NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';

const LINK_ADDRESS_BYTES = 6;

/** RTM_GETNEIGH: the neighbours of all devices or of one. Errors: EINVAL. */
export function getNeighbours(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
  const { family, stack } = request;
  const index = request.payloadLen >= SIZEOF_NDMSG ? request.view.getInt32(request.at + NDM_IFINDEX, true) : 0;
  if (!request.isDump) return -EINVAL;
  for (const nic of stack.nics) {
    if (nic.neighbours === null || (index > 0 && nic.id !== index)) continue;
    for (const neighbour of nic.neighbours.entries()) {
      if (family !== AF_UNSPEC && (family === AF_INET) !== neighbour.address.isIpv4) continue;
      writeNeighbour(reply.begin(RTM_NEWNEIGH), nic, neighbour);
    }
  }
  return 0;
}

/** RTM_NEWNEIGH, of permanent neighbours, and RTM_DELNEIGH. Errors: EINVAL, ENODEV, ENOENT. */
export function changeNeighbour(request: NetlinkRequest): 0 | Errno {
  const attributes = request.attributes(SIZEOF_NDMSG);
  if (typeof attributes === 'number') return attributes;
  const nic = request.stack.nic(request.view.getInt32(request.at + NDM_IFINDEX, true));
  const address = request.address(attributes.get(NDA_DST));
  if (nic === undefined) return -ENODEV;
  if (address === undefined || nic.neighbours === null) return -EINVAL;
  if (request.type === RTM_DELNEIGH) return nic.neighbours.remove(address) ? 0 : -ENOENT;
  const link = attributes.get(NDA_LLADDR);
  if (link === undefined || link.len !== LINK_ADDRESS_BYTES) return -EINVAL;
  nic.neighbours.addPermanent(address, request.bytes.slice(link.at, link.at + link.len));
  return 0;
}

function writeNeighbour(writer: NetlinkWriter, nic: Nic, neighbour: Neighbour): void {
  const at = writer.extend(SIZEOF_NDMSG);
  writer.view.setUint8(at, neighbour.address.isIpv4 ? AF_INET : AF_INET6);
  writer.view.setInt32(at + NDM_IFINDEX, nic.id, true);
  writer.view.setUint16(at + NDM_STATE, neighbour.state, true);
  writer.view.setUint8(at + NDM_FLAGS, neighbour.isRouter ? NTF_ROUTER : 0);
  writer.view.setUint8(at + NDM_TYPE, RTN_UNICAST);
  writer.address(NDA_DST, neighbour.address);
  if (neighbour.linkAddress !== null) writer.data(NDA_LLADDR, neighbour.linkAddress);
  writer.end();
}
