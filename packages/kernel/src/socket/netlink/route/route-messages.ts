import {
  AF_INET,
  AF_INET6,
  AF_UNSPEC,
  EEXIST,
  EINVAL,
  ENETDOWN,
  ENETUNREACH,
  ENOBUFS,
  ENODEV,
  ESRCH,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RTA_CACHEINFO,
  RTA_DST,
  RTA_GATEWAY,
  RTA_MARK,
  RTA_METRICS,
  RTA_OIF,
  RTA_PREF,
  RTA_PREFSRC,
  RTA_PRIORITY,
  RTA_SRC,
  RTA_TABLE,
  RTAX_MTU,
  RTM_DELROUTE,
  RTM_DST_LEN,
  RTM_FLAGS,
  RTM_F_CLONED,
  RTM_NEWROUTE,
  RTM_PROTOCOL,
  RTM_SCOPE,
  RTM_SRC_LEN,
  RTM_TABLE,
  RTM_TYPE,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
  RTN_BROADCAST,
  RTN_LOCAL,
  RT_SCOPE_HOST,
  RT_SCOPE_LINK,
  RT_SCOPE_UNIVERSE,
  RT_TABLE_COMPAT,
  RT_TABLE_LOCAL,
  RT_TABLE_MAIN,
  RT_TABLE_UNSPEC,
  SIZEOF_RTMSG,
  type Errno,
} from '@tsv/abi';
import {
  IPV4_ANY,
  IPV6_ANY,
  RTN_UNICAST,
  RTPROT_KERNEL,
  type IpAddress,
  type IpPrefix,
  type Nic,
  type Route,
  type RouteTable,
} from '@tsv/netstack';
import { broadcastOf } from '../../device/net-device.js';
import { listedRoutes } from '../../device/route-order.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { Attribute, NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';
import { notifyGroup } from '../notify-group.js';

const RTA_UID = 25;
const TABLE_BYTE_MAX = 255;
const ICMPV6_ROUTER_PREF_MEDIUM = 0;
const SIZEOF_RTA_CACHEINFO = 32;

/** What a message about a route says. */
interface RouteInfo {
  readonly destination: IpAddress;
  readonly prefixLen: number;
  readonly table: number;
  readonly protocol: number;
  readonly scope: number;
  readonly type: number;
  readonly flags: number;
  readonly gateway: IpAddress | null;
  readonly source: IpAddress | null;
  readonly nic: Nic | undefined;
  readonly metric: number;
  readonly mtu: number;
}

/** RTM_GETROUTE: every route, those of the local table included, or the way to one address. Errors: as routing. */
export function getRoutes(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
  if (!request.isDump) return lookUp(request, reply);
  const { family, stack } = request;
  const wants = (address: IpAddress): boolean => family === AF_UNSPEC || (family === AF_INET) === address.isIpv4;
  for (const [id, table] of stack.routingTables) {
    for (const route of listedRoutes(table)) {
      if (wants(route.destination.address)) writeRoute(reply.begin(RTM_NEWROUTE), infoOf(request, route, id));
    }
  }
  for (const nic of stack.nics) {
    for (const entry of nic.addresses) {
      if (!wants(entry.address) || !nic.isUp) continue;
      writeRoute(reply.begin(RTM_NEWROUTE), localInfo(nic, entry.address, entry.address, RTN_LOCAL, RT_SCOPE_HOST));
      const broadcast = entry.address.isIpv4 ? broadcastOf(entry) : IPV4_ANY;
      if (broadcast.isUnspecified || nic.link.linkAddress === null) continue;
      writeRoute(reply.begin(RTM_NEWROUTE), localInfo(nic, broadcast, entry.address, RTN_BROADCAST, RT_SCOPE_LINK));
    }
  }
  return 0;
}

/** RTM_NEWROUTE and RTM_DELROUTE. Errors: EEXIST, EINVAL, ENETDOWN, ENETUNREACH, ENODEV, ESRCH. */
export function changeRoute(request: NetlinkRequest): 0 | Errno {
  const attributes = request.attributes(SIZEOF_RTMSG);
  if (typeof attributes === 'number') return attributes;
  const { bytes, at, stack } = request;
  const isIpv6 = request.family === AF_INET6;
  if (!isIpv6 && request.family !== AF_INET) return -EINVAL;
  const prefixLen = bytes[at + RTM_DST_LEN]!;
  const address = request.address(attributes.get(RTA_DST)) ?? (isIpv6 ? IPV6_ANY : IPV4_ANY);
  if (prefixLen > (isIpv6 ? 128 : 32) || address.isIpv4 === isIpv6) return -EINVAL;
  const table = tableOf(request, attributes);
  if (typeof table === 'number') return table;
  const gateway = request.address(attributes.get(RTA_GATEWAY)) ?? null;
  const index = request.u32(attributes.get(RTA_OIF)) ?? 0;
  const metric = request.u32(attributes.get(RTA_PRIORITY));
  if (request.type === RTM_DELROUTE)
    return removeMatching(request, table, { address, prefixLen }, gateway, index, metric) > 0 ? 0 : -ESRCH;
  const type = bytes[at + RTM_TYPE]!;
  const nic = nicFor(request, type, index, gateway);
  if (typeof nic === 'number') return nic;
  const spec = {
    destination: { address, prefixLen },
    nicId: nic.id,
    gateway,
    source: request.address(attributes.get(RTA_PREFSRC)) ?? null,
    metric: metric ?? (isIpv6 ? IPV6_METRIC_DEFAULT : 0),
    type: type === 0 ? RTN_UNICAST : type,
    protocol: bytes[at + RTM_PROTOCOL]!,
    mtu: mtuOf(request, attributes.get(RTA_METRICS)),
  };
  if (spec.source !== null && !stack.isLocal(spec.source)) return -EINVAL;
  const { flags } = request;
  if ((flags & NLM_F_REPLACE) !== 0 && (flags & NLM_F_EXCL) === 0) {
    const removed = removeMatching(request, table, spec.destination, null, 0, spec.metric);
    if (removed === 0 && (flags & NLM_F_CREATE) === 0) return -ESRCH;
  }
  const { routes } = table;
  if (!routes.add(spec)) return -EEXIST;
  const added = routes.routes.find((route) => matches(route, spec.destination, gateway, nic.id, spec.metric));
  if (added !== undefined) notifyRoute(request, added, table.id, RTM_NEWROUTE);
  return 0;
}

/** What IPv6 routes of programs have if they do not say. */
const IPV6_METRIC_DEFAULT = 1024;

function nicFor(request: NetlinkRequest, type: number, index: number, gateway: IpAddress | null): Nic | Errno {
  const { stack } = request;
  if (index !== 0) {
    const nic = stack.nic(index);
    if (nic === undefined) return -ENODEV;
    if (nic.isUp) return nic;
    return gateway?.isIpv4 === true ? -ENETUNREACH : -ENETDOWN;
  }
  if (type !== RTN_UNICAST && type !== 0) return stack.loopback;
  if (gateway === null) return -ENODEV;
  return stack.nics.find((nic) => nic.isUp && nic.isOnLink(gateway)) ?? -ENETUNREACH;
}

/** A table of routes with its number. */
interface NumberedTable {
  readonly id: number;
  readonly routes: RouteTable;
}

/** The table that a message is about, made for a new route. Errors: EINVAL for the local one, ENOBUFS, ESRCH. */
function tableOf(request: NetlinkRequest, attributes: ReadonlyMap<number, Attribute>): NumberedTable | Errno {
  const { stack, bytes, at, type } = request;
  const said = request.u32(attributes.get(RTA_TABLE)) ?? bytes[at + RTM_TABLE]!;
  const id = said === RT_TABLE_UNSPEC ? RT_TABLE_MAIN : said;
  // The routes of the local table are those of the addresses.
  if (id === RT_TABLE_LOCAL) return type === RTM_DELROUTE ? -ESRCH : -EINVAL;
  if (type === RTM_DELROUTE) {
    const routes = stack.routingTables.get(id);
    return routes === undefined ? -ESRCH : { id, routes };
  }
  const routes = stack.routingTable(id);
  return routes === undefined ? -ENOBUFS : { id, routes };
}

/** Removes the first route that fits; how many that were. */
function removeMatching(
  request: NetlinkRequest,
  { id, routes }: NumberedTable,
  destination: IpPrefix,
  gateway: IpAddress | null,
  index: number,
  metric: number | undefined,
): number {
  const found = routes.routes.find((route) => matches(route, destination, gateway, index, metric));
  if (found === undefined) return 0;
  notifyRoute(request, found, id, RTM_DELROUTE);
  return routes.removeWhere((route) => route === found);
}

function matches(
  route: Route,
  { address, prefixLen }: IpPrefix,
  gateway: IpAddress | null,
  index: number,
  metric: number | undefined,
): boolean {
  const { destination } = route;
  const bits = address.isIpv4 ? prefixLen + 96 : prefixLen;
  return (
    destination.prefixLen === prefixLen &&
    destination.address.isIpv4 === address.isIpv4 &&
    destination.address.matches(address, bits) &&
    (gateway === null || route.gateway?.equals(gateway) === true) &&
    (index === 0 || route.nicId === index) &&
    (metric === undefined || route.metric === metric)
  );
}

/** `ip route get`: the way that packets to an address go. */
function lookUp(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
  const attributes = request.attributes(SIZEOF_RTMSG);
  if (typeof attributes === 'number') return attributes;
  const { stack } = request;
  const to = request.address(attributes.get(RTA_DST)) ?? (request.family === AF_INET6 ? IPV6_ANY : IPV4_ANY);
  const from = request.address(attributes.get(RTA_SRC)) ?? null;
  const path = stack.findPath(
    to,
    from,
    request.u32(attributes.get(RTA_OIF)) ?? 0,
    (request.u32(attributes.get(RTA_MARK)) ?? 0) | 0,
  );
  if (typeof path === 'number') return path;
  const isLocal = stack.isLocal(path.dst);
  const writer = reply.begin(RTM_NEWROUTE);
  writeRoute(writer, {
    destination: path.dst,
    prefixLen: path.dst.byteCount * 8,
    table: isLocal ? RT_TABLE_LOCAL : RT_TABLE_MAIN,
    protocol: 0,
    scope: RT_SCOPE_UNIVERSE,
    type: isLocal ? RTN_LOCAL : RTN_UNICAST,
    flags: RTM_F_CLONED,
    gateway: path.nextHop.equals(path.dst) ? null : path.nextHop,
    source: from !== null && from.equals(path.src) ? null : path.src,
    from,
    nic: path.nic,
    metric: 0,
    mtu: 0,
    uid: request.t.creds.uid,
  });
  return 0;
}

function infoOf(request: NetlinkRequest, route: Route, table: number): RouteInfo {
  const { destination, gateway } = route;
  const nic = request.stack.nic(route.nicId);
  const isOnLink = gateway === null && route.type === RTN_UNICAST && destination.address.isIpv4;
  const source = route.source ?? (route.protocol === RTPROT_KERNEL ? ownAddress(nic, destination.address) : null);
  return {
    destination: destination.address,
    prefixLen: destination.prefixLen,
    table,
    protocol: route.protocol,
    scope: isOnLink ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE,
    type: route.type,
    flags: 0,
    gateway,
    source,
    nic: route.type === RTN_UNICAST ? nic : undefined,
    metric: route.metric === 0 && !destination.address.isIpv4 ? IPV6_KERNEL_METRIC : route.metric,
    mtu: route.mtu,
  };
}

/** Metric that Linux gives the prefix routes of IPv6 addresses. */
const IPV6_KERNEL_METRIC = 256;

/** The address that a prefix route of IPv4 came with. */
function ownAddress(nic: Nic | undefined, prefix: IpAddress): IpAddress | null {
  if (nic === undefined || !prefix.isIpv4) return null;
  return (
    nic.addresses.find((entry) => entry.address.isIpv4 && entry.address.matches(prefix, entry.prefixLen + 96))
      ?.address ?? null
  );
}

function localInfo(nic: Nic, destination: IpAddress, source: IpAddress, type: number, scope: number): RouteInfo {
  return {
    destination,
    prefixLen: destination.byteCount * 8,
    table: RT_TABLE_LOCAL,
    protocol: RTPROT_KERNEL,
    scope: destination.isIpv4 ? scope : RT_SCOPE_UNIVERSE,
    type,
    flags: 0,
    gateway: null,
    source: destination.isIpv4 ? source : null,
    nic,
    metric: 0,
    mtu: 0,
  };
}

function writeRoute(
  writer: NetlinkWriter,
  info: RouteInfo & { readonly uid?: number; readonly from?: IpAddress | null },
): void {
  const { destination, prefixLen } = info;
  const at = writer.extend(SIZEOF_RTMSG);
  const { view } = writer;
  view.setUint8(at, destination.isIpv4 ? AF_INET : AF_INET6);
  view.setUint8(at + RTM_DST_LEN, prefixLen);
  const from = info.from ?? null;
  if (from !== null) view.setUint8(at + RTM_SRC_LEN, from.byteCount * 8);
  view.setUint8(at + RTM_TABLE, info.table > TABLE_BYTE_MAX ? RT_TABLE_COMPAT : info.table);
  view.setUint8(at + RTM_PROTOCOL, info.protocol);
  view.setUint8(at + RTM_SCOPE, info.scope);
  view.setUint8(at + RTM_TYPE, info.type);
  view.setUint32(at + RTM_FLAGS, info.flags, true);
  writer.u32(RTA_TABLE, info.table);
  if (prefixLen > 0) writer.address(RTA_DST, destination);
  if (from !== null) writer.address(RTA_SRC, from);
  if (info.metric !== 0) writer.u32(RTA_PRIORITY, info.metric);
  if (info.source !== null) writer.address(RTA_PREFSRC, info.source);
  if (info.gateway !== null) writer.address(RTA_GATEWAY, info.gateway);
  if (info.nic !== undefined) writer.u32(RTA_OIF, info.nic.id);
  if (info.mtu !== 0) {
    const nest = writer.nest(RTA_METRICS);
    writer.u32(RTAX_MTU, info.mtu);
    writer.endNest(nest);
  }
  if (info.uid !== undefined) {
    writer.u32(RTA_UID, info.uid);
    writer.attribute(RTA_CACHEINFO, SIZEOF_RTA_CACHEINFO);
  }
  if (!destination.isIpv4) writer.u8(RTA_PREF, ICMPV6_ROUTER_PREF_MEDIUM);
  writer.end();
}

function mtuOf(request: NetlinkRequest, metrics: Attribute | undefined): number {
  return metrics === undefined ? 0 : (request.u32(request.nested(metrics).get(RTAX_MTU)) ?? 0);
}

function notifyRoute(request: NetlinkRequest, route: Route, table: number, type: number): void {
  const group = route.destination.address.isIpv4 ? RTNLGRP_IPV4_ROUTE : RTNLGRP_IPV6_ROUTE;
  notifyGroup(request.net, 0, group, (writer) => {
    writer.begin(type, 0, request.seq, 0);
    writeRoute(writer, infoOf(request, route, table));
  });
}
