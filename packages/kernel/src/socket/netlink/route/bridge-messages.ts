import {
  AF_BRIDGE,
  BR_STATE_DISABLED,
  BR_STATE_FORWARDING,
  IFI_FLAGS,
  IFI_INDEX,
  IFI_TYPE,
  IFLA_ADDRESS,
  IFLA_BR_AGEING_TIME,
  IFLA_BR_PRIORITY,
  IFLA_BR_STP_STATE,
  IFLA_BR_VLAN_FILTERING,
  IFLA_BRPORT_COST,
  IFLA_BRPORT_PRIORITY,
  IFLA_BRPORT_STATE,
  IFLA_IFNAME,
  IFLA_INFO_DATA,
  IFLA_INFO_SLAVE_KIND,
  IFLA_MASTER,
  IFLA_MTU,
  IFLA_OPERSTATE,
  IFLA_PROTINFO,
  IF_OPER_DOWN,
  IF_OPER_UP,
  NDA_LLADDR,
  NDA_MASTER,
  NDM_IFINDEX,
  NDM_STATE,
  RTM_NEWLINK,
  RTM_NEWNEIGH,
  SIZEOF_IFINFOMSG,
  SIZEOF_NDMSG,
} from '@tsv/abi';
import type { Nic } from '@tsv/netstack';
import { deviceFlags, deviceType } from '../../device/net-device.js';
import type { Enslaved } from '../../device/bridge-ports.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';
import { writePeer } from './link-peer.js';

const NUD_REACHABLE = 0x02;
const NUD_PERMANENT = 0x80;
/** Of each port, as Linux has them at first: `br_port_cost` of a fast device, and BR_PRIORITY's half. */
const PORT_COST = 2;
const PORT_PRIORITY = 32;
const BRIDGE_PRIORITY = 32_768;
/** 300 s in USER_HZ. */
const AGEING_TICKS = 30_000;

/** RTM_GETLINK of AF_BRIDGE: the ports of bridges, bridge(8) `link`. */
export function getBridgeLinks(request: NetlinkRequest, reply: NetlinkReply): 0 {
  for (const nic of request.stack.nics) {
    const enslaved = request.bridgePorts.of(nic);
    if (enslaved !== undefined) writePort(reply.begin(RTM_NEWLINK), request, nic, enslaved);
  }
  return 0;
}

/** RTM_GETNEIGH of AF_BRIDGE: where the bridges have seen which addresses, bridge(8) `fdb`. */
export function getForwarding(request: NetlinkRequest, reply: NetlinkReply): 0 {
  const { nics } = request.stack;
  for (const nic of nics) {
    const enslaved = request.bridgePorts.of(nic);
    if (enslaved === undefined) continue;
    const { master, bridge, port } = enslaved;
    for (const address of bridge.addressesOf(port))
      writeForwarding(reply.begin(RTM_NEWNEIGH), nic, master.nicId, address, NUD_REACHABLE);
    writeForwarding(reply.begin(RTM_NEWNEIGH), nic, master.nicId, nic.link.linkAddress!, NUD_PERMANENT);
  }
  return 0;
}

/** What RTM_GETLINK tells of a bridge, inside of IFLA_LINKINFO. */
export function writeBridgeInfo(writer: NetlinkWriter): void {
  const nest = writer.nest(IFLA_INFO_DATA);
  writer.u32(IFLA_BR_AGEING_TIME, AGEING_TICKS);
  writer.u32(IFLA_BR_STP_STATE, 0);
  writer.u16(IFLA_BR_PRIORITY, BRIDGE_PRIORITY);
  writer.u8(IFLA_BR_VLAN_FILTERING, 0);
  writer.endNest(nest);
}

/** What it tells of a port there. */
export function writeSlaveKind(writer: NetlinkWriter): void {
  writer.string(IFLA_INFO_SLAVE_KIND, 'bridge');
}

function writePort(writer: NetlinkWriter, request: NetlinkRequest, nic: Nic, { master }: Enslaved): void {
  const at = writer.extend(SIZEOF_IFINFOMSG);
  writer.view.setUint8(at, AF_BRIDGE);
  writer.view.setUint16(at + IFI_TYPE, deviceType(nic), true);
  writer.view.setInt32(at + IFI_INDEX, nic.id, true);
  writer.view.setUint32(at + IFI_FLAGS, deviceFlags(nic), true);
  writer.string(IFLA_IFNAME, nic.name);
  writer.u32(IFLA_MASTER, master.nicId);
  writer.u32(IFLA_MTU, nic.mtu);
  writer.u8(IFLA_OPERSTATE, nic.isUp ? IF_OPER_UP : IF_OPER_DOWN);
  writer.data(IFLA_ADDRESS, nic.link.linkAddress!);
  writePeer(writer, request.t.kernel.netStacks.virtualLinkOf(nic.link), request);
  const nest = writer.nest(IFLA_PROTINFO);
  writer.u8(IFLA_BRPORT_STATE, nic.isUp ? BR_STATE_FORWARDING : BR_STATE_DISABLED);
  writer.u16(IFLA_BRPORT_PRIORITY, PORT_PRIORITY);
  writer.u32(IFLA_BRPORT_COST, PORT_COST);
  writer.endNest(nest);
  writer.end();
}

function writeForwarding(writer: NetlinkWriter, nic: Nic, masterId: number, address: Uint8Array, state: number): void {
  const at = writer.extend(SIZEOF_NDMSG);
  writer.view.setUint8(at, AF_BRIDGE);
  writer.view.setInt32(at + NDM_IFINDEX, nic.id, true);
  writer.view.setUint16(at + NDM_STATE, state, true);
  writer.data(NDA_LLADDR, address);
  writer.u32(NDA_MASTER, masterId);
  writer.end();
}
