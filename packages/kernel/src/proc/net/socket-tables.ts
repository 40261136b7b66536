import { TcpState, type IpAddress } from '@tsv/netstack';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import { inetRows, type InetRow, type InetTable } from '../../socket/inet/inet-table.js';
import { unixStateOf } from '../../socket/netlink/diag/unix-diag.js';
import type { UnixSocket } from '../../socket/unix/unix-socket.js';
import type { ProcFileSystem } from '../proc-file-system.js';
import { hex, littleHex } from './device-tables.js';

const TCP_HEADING = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const TCP6_HEADING =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode';
const DATAGRAM_HEADING =
  '   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops';
const DATAGRAM6_HEADING =
  '  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops';
/** Lines of the IPv4 tables are filled up to this. */
const TCP_LINE_CHARS = 149;
const DATAGRAM_LINE_CHARS = 127;
const UNIX_HEADING = 'Num       RefCount Protocol Flags    Type St Inode Path\n';
const SO_ACCEPTCON = 0x10000;
const NETLINK_HEADING = 'sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    Drops    Inode\n';
const PACKET_HEADING = 'sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n';
const NO_POINTER = '0000000000000000';

/** /proc/net/tcp, udp, raw, icmp and their kin of IPv6. */
export function formatInetTable(net: NetNamespace, _fs: ProcFileSystem, table: InetTable, isIpv6: boolean): string {
  const rows = inetRows(net, table, isIpv6);
  const isTcp = table === 'tcp';
  // Linux tells of listening sockets before all others.
  if (isTcp) rows.sort((a, b) => Number(b.state === TcpState.LISTEN) - Number(a.state === TcpState.LISTEN));
  const heading = isTcp ? (isIpv6 ? TCP6_HEADING : TCP_HEADING) : isIpv6 ? DATAGRAM6_HEADING : DATAGRAM_HEADING;
  const lineChars = isIpv6 ? 0 : isTcp ? TCP_LINE_CHARS : DATAGRAM_LINE_CHARS;
  const lines = rows.map((row, index) => inetLine(row, index, isTcp));
  return [heading, ...lines].map((line) => `${line.padEnd(lineChars)}\n`).join('');
}

function inetLine(row: InetRow, index: number, isTcp: boolean): string {
  const { file } = row;
  const local = `${addressHex(row.local, row.isIpv6)}:${hex(row.localPort, 4)}`;
  const remote = `${addressHex(row.remote, row.isIpv6)}:${hex(row.remotePort, 4)}`;
  const queues = `${hex(row.sendBytes, 8)}:${hex(row.receiveBytes, 8)}`;
  const uid = String(file?.socket.uid ?? 0).padStart(5);
  const ino = file?.inode.ino ?? 0;
  const start = `${String(index).padStart(isTcp ? 4 : 5)}: ${local} ${remote} ${hex(row.state, 2)} ${queues}`;
  if (isTcp) return `${start} 00:00000000 00000000 ${uid}        0 ${ino} 1 ${NO_POINTER} 100 0 0 10 0`;
  const drops = file !== null && 'droppedCount' in file.socket ? file.socket.droppedCount : 0;
  return `${start} 00:00000000 00000000 ${uid}        0 ${ino} 2 ${NO_POINTER} ${drops}`;
}

/** An address in hexadecimal, each word in the order of memory. */
function addressHex({ w0, w1, w2, w3 }: IpAddress, isIpv6: boolean): string {
  return isIpv6 ? [w0, w1, w2, w3].map(littleHex).join('') : littleHex(w3);
}

/** /proc/net/unix. */
export function formatUnix(_net: NetNamespace, fs: ProcFileSystem): string {
  return UNIX_HEADING + [...fs.kernel.unixFamily.sockets].map(unixLine).join('');
}

function unixLine(socket: UnixSocket): string {
  const state = unixStateOf(socket);
  const isListening = state === TcpState.LISTEN;
  const shown = isListening || state === TcpState.CLOSE ? SS_UNCONNECTED : SS_CONNECTED;
  const { address } = socket;
  const path = address === null ? '' : ` ${address.isAbstract ? '@' : ''}${address.name.replaceAll('\0', '@')}`;
  const words = [hex(socket.refCount + 1, 8), '00000000', hex(isListening ? SO_ACCEPTCON : 0, 8)];
  return `${NO_POINTER}: ${words.join(' ')} ${hex(socket.type, 4)} ${hex(shown, 2)} ${String(socket.inode.ino).padStart(5)}${path}\n`;
}

/** `socket_state` of linux/net.h. */
const SS_UNCONNECTED = 1;
const SS_CONNECTED = 3;

/** /proc/net/netlink. */
export function formatNetlink(net: NetNamespace): string {
  const rows = [...net.netlinkSockets].map((socket) => {
    const words = [String(socket.protocol).padEnd(3), String(socket.portId).padEnd(10), '00000000', '0'.padEnd(8)];
    return `${NO_POINTER} ${words.join(' ')} ${'0'.padEnd(8)} ${'0'.padEnd(5)} ${'2'.padEnd(8)} ${'0'.padEnd(8)} ${String(socket.inode.ino).padEnd(8)}\n`;
  });
  return NETLINK_HEADING + rows.join('');
}

/** /proc/net/packet. */
export function formatPacket(net: NetNamespace): string {
  const rows = [...net.packetSockets].map((file) => {
    const { socket } = file;
    const words = [String(file.refCount).padEnd(6), String(file.type).padEnd(4), hex(socket.protocol, 4).toLowerCase()];
    const more = [String(socket.nicId).padEnd(5), '1', '0'.padEnd(6), '0'.padEnd(6), String(file.inode.ino)];
    return `${NO_POINTER} ${words.join(' ')}   ${more.join(' ')}\n`;
  });
  return PACKET_HEADING + rows.join('');
}

/** /proc/net/protocols: which there are, and how many sockets each has. */
export function formatProtocols(net: NetNamespace, fs: ProcFileSystem): string {
  const count = (table: InetTable, isIpv6: boolean): number => inetRows(net, table, isIpv6).length;
  const rows: readonly (readonly [string, number])[] = [
    ['PACKET', net.packetSockets.size],
    ['PINGv6', count('ping', true)],
    ['RAWv6', count('raw', true)],
    ['UDPv6', count('udp', true)],
    ['TCPv6', count('tcp', true)],
    ['UNIX', fs.kernel.unixFamily.sockets.size],
    ['PING', count('ping', false)],
    ['RAW', count('raw', false)],
    ['UDP', count('udp', false)],
    ['TCP', count('tcp', false)],
    ['NETLINK', net.netlinkSockets.size],
  ];
  const heading =
    'protocol  size sockets  memory press maxhdr  slab module     cl co di ac io in de sh ss gs se re bi br ha uh gp em\n';
  const lines = rows.map(
    ([name, sockets]) =>
      `${name.padEnd(9)} 1024 ${String(sockets).padStart(6)}      -1   NI       0   no   kernel      n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n  n\n`,
  );
  return heading + lines.join('');
}
