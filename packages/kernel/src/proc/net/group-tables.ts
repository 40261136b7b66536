import { IPV6_ALL_NODES, multicastLinkAddress, type IpAddress, type Nic } from '@tsv/netstack';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import type { ProcFileSystem } from '../proc-file-system.js';
import { hex, hex6, littleHex } from './device-tables.js';

const IGMP_HEADING = 'Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n';
/** `mca_flags` of Linux: it is in use, and for all nodes nothing is reported. */
const MAF_LOADED = 0x4;
const MAF_NOREPORT = 0x8;

/** /proc/net/igmp: the IPv4 groups that devices have joined. */
export function formatIgmp(net: NetNamespace, fs: ProcFileSystem): string {
  const rows = devices(net, fs).map((nic) => {
    const groups = groupsOf(nic, true);
    const lines = groups.map((group) => `\t\t\t\t${littleHex(group.w3)} ${users(nic, group)} 0:${hex(0, 8)}\t\t0\n`);
    return `${nic.id}\t${nic.name.padEnd(10)}: ${String(groups.length).padStart(5)} ${'V3'.padStart(7)}\n${lines.join('')}`;
  });
  return IGMP_HEADING + rows.join('');
}

/** /proc/net/igmp6: the IPv6 groups. */
export function formatIgmp6(net: NetNamespace, fs: ProcFileSystem): string {
  return devices(net, fs)
    .flatMap((nic) =>
      groupsOf(nic, false).map((group) => {
        const flags = hex(MAF_LOADED | (group.equals(IPV6_ALL_NODES) ? MAF_NOREPORT : 0), 8);
        return `${name(nic)} ${hex6(group)} ${users(nic, group)} ${flags} 0\n`;
      }),
    )
    .join('');
}

/** /proc/net/dev_mcast: the link addresses of the groups, on devices that have such. */
export function formatDeviceGroups(net: NetNamespace, fs: ProcFileSystem): string {
  return devices(net, fs)
    .filter((nic) => nic.link.linkAddress !== null)
    .flatMap((nic) => {
      const addresses = new Map<string, number>();
      for (const group of nic.groups()) {
        const text = Array.from(multicastLinkAddress(group), (byte) => hex(byte, 2).toLowerCase()).join('');
        addresses.set(text, (addresses.get(text) ?? 0) + 1);
      }
      return [...addresses].map(
        ([text, count]) => `${name(nic)} ${String(count).padEnd(5)} ${'0'.padEnd(5)} ${text}\n`,
      );
    })
    .join('');
}

function devices(net: NetNamespace, fs: ProcFileSystem): Nic[] {
  return fs.kernel.netStacks.of(net).nics.filter(({ isUp }) => isUp);
}

function groupsOf(nic: Nic, isIpv4: boolean): IpAddress[] {
  return [...nic.groups()].filter((group) => group.isIpv4 === isIpv4);
}

function users(nic: Nic, group: IpAddress): string {
  return String(nic.groupUsers(group).length).padStart(5);
}

function name(nic: Nic): string {
  return `${String(nic.id).padEnd(4)} ${nic.name.padEnd(15)}`;
}
