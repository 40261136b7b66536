import { ARPHRD_ETHER, RTF_GATEWAY, RTF_HOST, RTF_REJECT, RTF_UP } from '@tsv/abi';
import {
  NeighbourState,
  RTN_UNICAST,
  formatLinkAddress,
  type IpAddress,
  type NicAddress,
  type Nic,
  type Route,
  type Stack,
} from '@tsv/netstack';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { maskOf } from '../../socket/device/net-device.js';
import { listedRoutes } from '../../socket/device/route-order.js';
import { flagsOf, scopeOf } from '../../socket/netlink/route/address-messages.js';
import type { ProcFileSystem } from '../proc-file-system.js';

const DEVICE_HEADING =
  'Inter-|   Receive                                                |  Transmit\n' +
  ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n';
const ROUTE_HEADING = 'Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT';
/** Lines of /proc/net/route are filled up to this. */
const ROUTE_LINE_CHARS = 127;
const ARP_HEADING = 'IP address       HW type     Flags       HW address            Mask     Device\n';
const ATF_COM = 0x2;
const ATF_PERM = 0x4;
/** Scopes of /proc/net/if_inet6, IPV6_ADDR_*. */
const SCOPES6: Readonly<Record<number, number>> = { 0: 0x00, 253: 0x20, 254: 0x10 };

/** /proc/net/dev. */
export function formatDevices(net: NetNamespace, fs: ProcFileSystem): string {
  const rows = fs.kernel.netStacks.of(net).nics.map((nic) => {
    const { stats } = nic;
    const received = [stats.rxBytes, stats.rxPackets, stats.rxErrors, stats.rxDropped, 0, 0, 0, stats.multicast];
    const sent = [stats.txBytes, stats.txPackets, 0, stats.txDropped, 0, 0, 0, 0];
    return `${nic.name.padStart(6)}: ${columns(received, [7, 7, 4, 4, 4, 5, 10, 9])} ${columns(sent, [8, 7, 4, 4, 4, 5, 7, 10])}\n`;
  });
  return DEVICE_HEADING + rows.join('');
}

/** /proc/net/route: the IPv4 routes. */
export function formatRoute(net: NetNamespace, fs: ProcFileSystem): string {
  const stack = fs.kernel.netStacks.of(net);
  const rows = listedRoutes(stack.routes)
    .filter(({ destination }) => destination.address.isIpv4)
    .map((route) => routeRow(stack, route));
  return [ROUTE_HEADING, ...rows].map((row) => `${row.padEnd(ROUTE_LINE_CHARS)}\n`).join('');
}

function routeRow(stack: Stack, route: Route): string {
  const { destination, gateway, metric, mtu } = route;
  const name = route.type === RTN_UNICAST ? (stack.nic(route.nicId)?.name ?? '*') : '*';
  const flags =
    RTF_UP |
    (gateway === null ? 0 : RTF_GATEWAY) |
    (destination.prefixLen === 32 ? RTF_HOST : 0) |
    (route.type === RTN_UNICAST ? 0 : RTF_REJECT);
  const mask = maskOf(destination.prefixLen);
  const words = [name, littleHex(destination.address.w3), littleHex(gateway?.w3 ?? 0), hex(flags, 4)];
  return [...words, 0, 0, metric, littleHex(mask), mtu, 0, 0].join('\t');
}

/** /proc/net/ipv6_route. */
export function formatIpv6Route(net: NetNamespace, fs: ProcFileSystem): string {
  const stack = fs.kernel.netStacks.of(net);
  return stack.routes.routes
    .filter(({ destination }) => !destination.address.isIpv4)
    .map((route) => {
      const { destination, gateway, metric } = route;
      const flags = RTF_UP | (gateway === null ? 0 : RTF_GATEWAY) | (destination.prefixLen === 128 ? RTF_HOST : 0);
      const name = stack.nic(route.nicId)?.name ?? 'lo';
      const to = `${hex6(destination.address)} ${hex(destination.prefixLen, 2)} ${'0'.repeat(32)} 00`;
      const via = gateway === null ? '0'.repeat(32) : hex6(gateway);
      return `${to} ${via} ${hex(metric, 8)} 00000001 00000000 ${hex(flags, 8)} ${name.padStart(8)}\n`;
    })
    .join('');
}

/** /proc/net/if_inet6. */
export function formatIfInet6(net: NetNamespace, fs: ProcFileSystem): string {
  const entries = fs.kernel.netStacks.of(net).nics.flatMap(({ addresses }) => addresses);
  return entries
    .filter(({ address }) => !address.isIpv4)
    .map((entry) => `${hex6(entry.address)} ${interfaceColumns(entry)} ${entry.nic.name.padStart(8)}\n`)
    .join('');
}

function interfaceColumns(entry: NicAddress): string {
  const scope = SCOPES6[scopeOf(entry)] ?? 0;
  return [entry.nic.id, entry.prefixLen, scope, flagsOf(entry) & 0xff]
    .map((value) => hex(value, 2).toLowerCase())
    .join(' ');
}

/** /proc/net/arp. */
export function formatArp(net: NetNamespace, fs: ProcFileSystem): string {
  const rows = fs.kernel.netStacks.of(net).nics.flatMap((nic) => arpRows(nic));
  return ARP_HEADING + rows.join('');
}

function arpRows(nic: Nic): string[] {
  const rows: string[] = [];
  for (const { address, linkAddress, state } of nic.neighbours?.entries() ?? []) {
    if (!address.isIpv4) continue;
    const known = linkAddress === null ? 0 : ATF_COM;
    const flags = state === NeighbourState.PERMANENT ? known | ATF_PERM : known;
    const link = linkAddress === null ? '00:00:00:00:00:00' : formatLinkAddress(linkAddress);
    const words = [String(address).padEnd(16), `0x${ARPHRD_ETHER}`.padEnd(11), `0x${flags.toString(16)}`.padEnd(11)];
    rows.push(`${words.join(' ')} ${link.padEnd(21)} *        ${nic.name}\n`);
  }
  return rows;
}

function columns(values: readonly number[], widths: readonly number[]): string {
  return values.map((value, index) => String(value).padStart(widths[index]!)).join(' ');
}

/** A word of an address as Linux prints it: the bytes in the order of memory. */
export function littleHex(word: number): string {
  const swapped = ((word & 0xff) << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
  return hex(swapped >>> 0, 8);
}

export function hex(value: number, width: number): string {
  return value.toString(16).toUpperCase().padStart(width, '0');
}

/** An IPv6 address without its colons. */
export function hex6({ w0, w1, w2, w3 }: IpAddress): string {
  return [w0, w1, w2, w3].map((word) => hex(word >>> 0, 8).toLowerCase()).join('');
}
