import { TcpState } from '@tsv/netstack';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { inetRows } from '../../socket/inet/inet-table.js';
import type { ProcFileSystem } from '../proc-file-system.js';

/** /proc/net/snmp: the counters of RFC 1213 and RFC 4113. What the stack does not count is 0. */
export function formatSnmp(net: NetNamespace, fs: ProcFileSystem): string {
  const stack = fs.kernel.netStacks.of(net);
  const { stats } = stack;
  const { counters } = stack.tcp.context;
  const established = inetRows(net, 'tcp', false).filter(({ state }) => state === TcpState.ESTABLISHED);
  const ip = {
    Forwarding: stack.forwardsIpv4 ? 1 : 2,
    DefaultTTL: stack.hopLimit,
    InReceives: stats.ipInReceives,
    InHdrErrors: stats.ipInHdrErrors,
    InAddrErrors: stats.ipInAddrErrors,
    ForwDatagrams: stats.ipForwDatagrams,
    InUnknownProtos: stats.ipInUnknownProtos,
    InDiscards: 0,
    InDelivers: stats.ipInDelivers,
    OutRequests: stats.ipOutRequests,
    OutDiscards: 0,
    OutNoRoutes: stats.ipOutNoRoutes,
    ReasmTimeout: 0,
    ReasmReqds: stats.ipReasmReqds,
    ReasmOKs: stats.ipReasmOks,
    ReasmFails: 0,
    FragOKs: 0,
    FragFails: stats.ipFragFails,
    FragCreates: stats.ipFragCreates,
  };
  const icmp = { InMsgs: stats.icmpInMsgs, InErrors: stats.icmpInErrors, InCsumErrors: 0, OutMsgs: stats.icmpOutMsgs };
  const tcp = {
    RtoAlgorithm: 1,
    RtoMin: 200,
    RtoMax: 120000,
    MaxConn: -1,
    ActiveOpens: counters.ActiveOpens,
    PassiveOpens: counters.PassiveOpens,
    AttemptFails: counters.AttemptFails,
    EstabResets: counters.EstabResets,
    CurrEstab: established.length,
    InSegs: counters.InSegs,
    OutSegs: counters.OutSegs,
    RetransSegs: counters.RetransSegs,
    InErrs: counters.InErrs,
    OutRsts: counters.OutRsts,
    InCsumErrors: 0,
  };
  const udp = {
    InDatagrams: stats.udpInDatagrams,
    NoPorts: stats.udpNoPorts,
    InErrors: stats.udpInErrors,
    OutDatagrams: stats.udpOutDatagrams,
    RcvbufErrors: 0,
    SndbufErrors: 0,
    InCsumErrors: 0,
  };
  return [section('Ip', ip), section('Icmp', icmp), section('Tcp', tcp), section('Udp', udp)].join('');
}

/** /proc/net/snmp6. */
export function formatSnmp6(net: NetNamespace, fs: ProcFileSystem): string {
  const { stats } = fs.kernel.netStacks.of(net);
  const rows: Readonly<Record<string, number>> = {
    Ip6InReceives: stats.ip6InReceives,
    Ip6InHdrErrors: stats.ip6InHdrErrors,
    Ip6InTooBigErrors: stats.ip6InTooBigErrors,
    Ip6InAddrErrors: stats.ip6InAddrErrors,
    Ip6InUnknownProtos: stats.ip6InUnknownProtos,
    Ip6InDelivers: stats.ip6InDelivers,
    Ip6OutRequests: stats.ip6OutRequests,
    Ip6OutNoRoutes: stats.ip6OutNoRoutes,
    Ip6OutForwDatagrams: stats.ip6ForwDatagrams,
    Ip6ReasmReqds: stats.ip6ReasmReqds,
    Ip6ReasmOKs: stats.ip6ReasmOks,
    Ip6FragCreates: stats.ip6FragCreates,
    Icmp6InMsgs: stats.icmp6InMsgs,
    Icmp6InErrors: stats.icmp6InErrors,
    Icmp6OutMsgs: stats.icmp6OutMsgs,
  };
  return Object.entries(rows)
    .map(([name, value]) => `${name.padEnd(32)}\t${value}\n`)
    .join('');
}

/** /proc/net/netstat: what the stack counts of Linux's extended TCP counters. */
export function formatNetstat(net: NetNamespace, fs: ProcFileSystem): string {
  const stack = fs.kernel.netStacks.of(net);
  const extended = Object.entries(stack.tcp.context.counters).filter(([name]) => !OF_SNMP.has(name));
  let [inOctets, outOctets] = [0, 0];
  for (const { stats } of stack.nics) {
    inOctets += stats.rxBytes;
    outOctets += stats.txBytes;
  }
  return (
    section('TcpExt', Object.fromEntries(extended)) + section('IpExt', { InOctets: inOctets, OutOctets: outOctets })
  );
}

/** Counters that are told in /proc/net/snmp. */
const OF_SNMP: ReadonlySet<string> = new Set(
  'ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts'.split(' '),
);

/** /proc/net/sockstat. */
export function formatSockstat(net: NetNamespace, fs: ProcFileSystem): string {
  const tcp = inetRows(net, 'tcp', false);
  const orphans = tcp.filter(({ file, state }) => file === null && state !== TcpState.TIME_WAIT).length;
  const waiting = tcp.filter(({ state }) => state === TcpState.TIME_WAIT).length;
  const inUse = tcp.length - waiting;
  const used =
    net.inetSockets.size + net.netlinkSockets.size + net.packetSockets.size + fs.kernel.unixFamily.sockets.size;
  return (
    `sockets: used ${used}\n` +
    `TCP: inuse ${inUse} orphan ${orphans} tw ${waiting} alloc ${inUse} mem 0\n` +
    `UDP: inuse ${inetRows(net, 'udp', false).length} mem 0\nUDPLITE: inuse 0\n` +
    `RAW: inuse ${inetRows(net, 'raw', false).length}\nFRAG: inuse 0 memory 0\n`
  );
}

/** /proc/net/sockstat6. */
export function formatSockstat6(net: NetNamespace): string {
  const count = (table: 'tcp' | 'udp' | 'raw'): number => inetRows(net, table, true).length;
  return `TCP6: inuse ${count('tcp')}\nUDP6: inuse ${count('udp')}\nUDPLITE6: inuse 0\nRAW6: inuse ${count('raw')}\nFRAG6: inuse 0 memory 0\n`;
}

/** Two lines: names, and values. */
function section(name: string, values: Readonly<Record<string, number>>): string {
  const entries = Object.entries(values);
  return `${name}: ${entries.map(([key]) => key).join(' ')}\n${name}: ${entries.map(([, value]) => value).join(' ')}\n`;
}
