import {
  AF_UNSPEC,
  EINVAL,
  ENODEV,
  IFI_CHANGE,
  IFI_FLAGS,
  IFI_INDEX,
  IFI_TYPE,
  IFLA_ADDRESS,
  IFLA_ALT_IFNAME,
  IFLA_BROADCAST,
  IFLA_CARRIER,
  IFLA_GROUP,
  IFLA_IFNAME,
  IFLA_INFO_KIND,
  IFLA_LINKINFO,
  IFLA_LINKMODE,
  IFLA_MASTER,
  IFLA_MAX_MTU,
  IFLA_MIN_MTU,
  IFLA_MTU,
  IFLA_NUM_RX_QUEUES,
  IFLA_NUM_TX_QUEUES,
  IFLA_OPERSTATE,
  IFLA_PROMISCUITY,
  IFLA_QDISC,
  IFLA_STATS,
  IFLA_STATS64,
  IFLA_TXQLEN,
  IF_OPER_DOWN,
  IF_OPER_UNKNOWN,
  IF_OPER_UP,
  LINK_STATS_COUNT,
  RTM_NEWLINK,
  SIZEOF_IFINFOMSG,
  storeI64,
  type Errno,
} from '@tsv/abi';
import type { Nic } from '@tsv/netstack';
import { deviceFlags, deviceNamed, deviceQueueLen, deviceType } from '../../device/net-device.js';
import type { Enslaved } from '../../device/bridge-ports.js';
import type { VirtualLink } from '../../device/virtual-links.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { Attribute, NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';
import { writeBridgeInfo, writeSlaveKind } from './bridge-messages.js';
import { writePeer } from './link-peer.js';

const ETHERNET_BROADCAST = new Uint8Array(6).fill(0xff);
const NO_ADDRESS = new Uint8Array(6);
const MTU_MIN = 68;

/** RTM_GETLINK: one device by number or name, or all. Errors: EINVAL, ENODEV. */
export function getLinks(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
  if (request.isDump) {
    for (const nic of request.stack.nics) writeLink(reply.begin(RTM_NEWLINK), request, nic);
    return 0;
  }
  const attributes = request.attributes(SIZEOF_IFINFOMSG);
  if (typeof attributes === 'number') return attributes;
  const nic = findLink(request, attributes);
  if (typeof nic === 'number') return nic;
  writeLink(reply.begin(RTM_NEWLINK), request, nic);
  return 0;
}

/** The device that an ifinfomsg and its attributes name. Errors: EINVAL, ENODEV. */
export function findLink(request: NetlinkRequest, attributes: ReadonlyMap<number, Attribute>): Nic | Errno {
  const index = request.view.getInt32(request.at + IFI_INDEX, true);
  if (index > 0) return request.stack.nic(index) ?? -ENODEV;
  const name = request.string(attributes.get(IFLA_IFNAME) ?? attributes.get(IFLA_ALT_IFNAME));
  if (name === undefined) return request.type === RTM_NEWLINK ? -ENODEV : -EINVAL;
  return deviceNamed(request.stack, name) ?? -ENODEV;
}

/** Writes and ends the message about a device. */
export function writeLink(writer: NetlinkWriter, request: NetlinkRequest, nic: Nic): void {
  const at = writer.extend(SIZEOF_IFINFOMSG);
  writer.view.setUint8(at, AF_UNSPEC);
  writer.view.setUint16(at + IFI_TYPE, deviceType(nic), true);
  writer.view.setInt32(at + IFI_INDEX, nic.id, true);
  writer.view.setUint32(at + IFI_FLAGS, deviceFlags(nic), true);
  writer.view.setUint32(at + IFI_CHANGE, 0, true);
  writer.string(IFLA_IFNAME, nic.name);
  writer.u32(IFLA_TXQLEN, deviceQueueLen(nic));
  const upState = nic.isLoopback ? IF_OPER_UNKNOWN : IF_OPER_UP;
  writer.u8(IFLA_OPERSTATE, nic.isUp ? upState : IF_OPER_DOWN);
  writer.u8(IFLA_LINKMODE, 0);
  writer.u32(IFLA_MTU, nic.mtu);
  writer.u32(IFLA_MIN_MTU, nic.isLoopback ? 0 : MTU_MIN);
  writer.u32(IFLA_MAX_MTU, nic.isLoopback ? 0 : Math.max(nic.link.mtu, nic.mtu));
  writer.u32(IFLA_GROUP, 0);
  writer.u32(IFLA_PROMISCUITY, nic.promiscuity);
  writer.u32(IFLA_NUM_TX_QUEUES, 1);
  writer.u32(IFLA_NUM_RX_QUEUES, 1);
  writer.u8(IFLA_CARRIER, nic.isUp ? 1 : 0);
  writer.string(IFLA_QDISC, nic.isLoopback || !nic.isUp ? 'noqueue' : 'pfifo_fast');
  const { linkAddress } = nic.link;
  if (nic.isLoopback || linkAddress !== null) {
    writer.data(IFLA_ADDRESS, linkAddress ?? NO_ADDRESS);
    writer.data(IFLA_BROADCAST, linkAddress === null ? NO_ADDRESS : ETHERNET_BROADCAST);
  }
  writeStats(writer, nic);
  const virtual = request.t.kernel.netStacks.virtualLinkOf(nic.link);
  const enslaved = request.bridgePorts.of(nic);
  if (enslaved !== undefined) writer.u32(IFLA_MASTER, enslaved.master.nicId);
  if (virtual !== undefined || enslaved !== undefined) writeKinds(writer, virtual, enslaved, request);
  writer.end();
}

function writeKinds(
  writer: NetlinkWriter,
  virtual: VirtualLink | undefined,
  enslaved: Enslaved | undefined,
  request: NetlinkRequest,
): void {
  writePeer(writer, virtual, request);
  const nest = writer.nest(IFLA_LINKINFO);
  if (virtual !== undefined) writer.string(IFLA_INFO_KIND, virtual.kind);
  if (virtual?.kind === 'bridge') writeBridgeInfo(writer);
  if (enslaved !== undefined) writeSlaveKind(writer);
  writer.endNest(nest);
}

/** `rtnl_link_stats` and `rtnl_link_stats64`: the same counters as 32 and as 64 bits. */
function writeStats(writer: NetlinkWriter, nic: Nic): void {
  const { stats } = nic;
  const counters = [
    ...[stats.rxPackets, stats.txPackets, stats.rxBytes, stats.txBytes],
    ...[stats.rxErrors, 0, stats.rxDropped, stats.txDropped, stats.multicast],
  ];
  const at64 = writer.attribute(IFLA_STATS64, LINK_STATS_COUNT * 8);
  counters.forEach((value, index) => {
    storeI64(writer.view, at64 + 8 * index, value);
  });
  const at = writer.attribute(IFLA_STATS, LINK_STATS_COUNT * 4);
  counters.forEach((value, index) => {
    writer.view.setUint32(at + 4 * index, value % 2 ** 32, true);
  });
}
