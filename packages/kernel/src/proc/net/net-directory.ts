import { SyntheticDirectory, type Caller } from '@tsv/vfs';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { GeneratedFile } from '../generated-file.js';
import type { ProcFileSystem } from '../proc-file-system.js';
import { formatArp, formatDevices, formatIfInet6, formatIpv6Route, formatRoute } from './device-tables.js';
import { formatDeviceGroups, formatIgmp, formatIgmp6 } from './group-tables.js';
import { formatInetTable, formatNetlink, formatPacket, formatProtocols, formatUnix } from './socket-tables.js';
import { formatNetstat, formatSnmp, formatSnmp6, formatSockstat, formatSockstat6 } from './statistics.js';

/** Makes the text of a file for a namespace. */
type Format = (net: NetNamespace, fs: ProcFileSystem, caller: Caller) => string;

const FILES: Readonly<Record<string, Format>> = {
  arp: formatArp,
  dev: formatDevices,
  dev_mcast: formatDeviceGroups,
  icmp: (net, fs) => formatInetTable(net, fs, 'ping', false),
  ip6_tables_names: () => TABLE_NAMES,
  ip_tables_names: () => TABLE_NAMES,
  igmp: formatIgmp,
  igmp6: formatIgmp6,
  icmp6: (net, fs) => formatInetTable(net, fs, 'ping', true),
  if_inet6: formatIfInet6,
  ipv6_route: formatIpv6Route,
  netlink: formatNetlink,
  netstat: formatNetstat,
  packet: formatPacket,
  protocols: formatProtocols,
  raw: (net, fs) => formatInetTable(net, fs, 'raw', false),
  raw6: (net, fs) => formatInetTable(net, fs, 'raw', true),
  route: formatRoute,
  snmp: formatSnmp,
  snmp6: formatSnmp6,
  sockstat: formatSockstat,
  sockstat6: formatSockstat6,
  tcp: (net, fs) => formatInetTable(net, fs, 'tcp', false),
  tcp6: (net, fs) => formatInetTable(net, fs, 'tcp', true),
  udp: (net, fs) => formatInetTable(net, fs, 'udp', false),
  udp6: (net, fs) => formatInetTable(net, fs, 'udp', true),
  unix: formatUnix,
};

/** The tables of iptables(8) that there are. */
const TABLE_NAMES = 'filter\nnat\nmangle\nraw\n';

/** /proc/PID/net, proc_pid_net(5): the tables of the network namespace that `netOf` says. */
export class NetDirectory extends SyntheticDirectory {
  constructor(fs: ProcFileSystem, netOf: () => NetNamespace) {
    super(fs, 0o555);
    for (const [name, format] of Object.entries(FILES)) {
      this.add(name, new GeneratedFile(fs, (caller) => format(netOf(), fs, caller)));
    }
  }
}
