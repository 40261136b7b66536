import {
  AF_INET6,
  EINVAL,
  ENOENT,
  IDIAG_COOKIE,
  IDIAG_DPORT,
  IDIAG_DST,
  IDIAG_EXT,
  IDIAG_IF,
  IDIAG_MSG_ID,
  IDIAG_MSG_INODE,
  IDIAG_MSG_RQUEUE,
  IDIAG_MSG_STATE,
  IDIAG_MSG_UID,
  IDIAG_MSG_WQUEUE,
  IDIAG_REQ_ID,
  IDIAG_SPORT,
  IDIAG_SRC,
  IDIAG_STATES,
  INET_DIAG_CONG,
  INET_DIAG_INFO,
  INET_DIAG_SKMEMINFO,
  SDIAG_PROTOCOL,
  SIZEOF_INET_DIAG_MSG,
  SIZEOF_INET_DIAG_REQ_V2,
  SIZEOF_TCP_INFO,
  SOCK_DIAG_BY_FAMILY,
  AF_INET,
  storeI64,
  storeTcpInfo,
  type Errno,
} from '@tsv/abi';
import {
  IPPROTO_ICMP,
  IPPROTO_ICMPV6,
  IPPROTO_RAW,
  IPPROTO_TCP,
  IPPROTO_UDP,
  TcpSocket,
  TcpState,
} from '@tsv/netstack';
import type { IpAddress } from '@tsv/netstack';
import { inetRows, type InetRow, type InetTable } from '../../inet/inet-table.js';
import type { NetlinkReply } from '../netlink-reply.js';
import type { NetlinkRequest } from '../netlink-request.js';
import type { NetlinkWriter } from '../netlink-writer.js';

const INET_DIAG_SHUTDOWN = 8;
const SK_MEMINFO_VARS = 9;

/** Dumps the sockets of a protocol, or tells of one connection. Errors: EINVAL, ENOENT. */
export function dumpInet(request: NetlinkRequest, reply: NetlinkReply): 0 | Errno {
  if (request.payloadLen < SIZEOF_INET_DIAG_REQ_V2) return -EINVAL;
  const { view, at, bytes, family } = request;
  const protocol = bytes[at + SDIAG_PROTOCOL]!;
  const table = tableOf(protocol);
  if (table === null) return -ENOENT;
  const states = view.getUint32(at + IDIAG_STATES, true);
  const extensions = bytes[at + IDIAG_EXT]!;
  const id = at + IDIAG_REQ_ID;
  const [sport, dport] = [view.getUint16(id + IDIAG_SPORT), view.getUint16(id + IDIAG_DPORT)];
  let count = 0;
  for (const row of inetRows(request.net, table, family === AF_INET6)) {
    if (request.isDump && ((states >>> row.state) & 1) === 0) continue;
    if (sport !== 0 && sport !== row.localPort) continue;
    if (dport !== 0 && dport !== row.remotePort) continue;
    writeRow(reply.begin(SOCK_DIAG_BY_FAMILY), request, row, extensions);
    if (++count === 1 && !request.isDump) return 0;
  }
  return request.isDump ? 0 : -ENOENT;
}

function tableOf(protocol: number): InetTable | null {
  if (protocol === IPPROTO_TCP) return 'tcp';
  if (protocol === IPPROTO_UDP) return 'udp';
  if (protocol === IPPROTO_RAW) return 'raw';
  return protocol === IPPROTO_ICMP || protocol === IPPROTO_ICMPV6 ? 'ping' : null;
}

function writeRow(writer: NetlinkWriter, request: NetlinkRequest, row: InetRow, extensions: number): void {
  const at = writer.extend(SIZEOF_INET_DIAG_MSG);
  const { view } = writer;
  const { file } = row;
  view.setUint8(at, row.isIpv6 ? AF_INET6 : AF_INET);
  view.setUint8(at + IDIAG_MSG_STATE, row.state);
  const id = at + IDIAG_MSG_ID;
  view.setUint16(id + IDIAG_SPORT, row.localPort);
  view.setUint16(id + IDIAG_DPORT, row.remotePort);
  storeAddress(writer.bytes, id + IDIAG_SRC, row.local, row.isIpv6);
  storeAddress(writer.bytes, id + IDIAG_DST, row.remote, row.isIpv6);
  view.setUint32(id + IDIAG_IF, file?.socket.options.boundNicId ?? 0, true);
  storeI64(view, id + IDIAG_COOKIE, file?.inode.ino ?? 0);
  view.setUint32(at + IDIAG_MSG_RQUEUE, row.receiveBytes, true);
  const isListening = row.state === TcpState.LISTEN;
  const socket = file?.socket;
  const backlog = socket instanceof TcpSocket ? socket.backlog : 0;
  view.setUint32(at + IDIAG_MSG_WQUEUE, isListening ? backlog : row.sendBytes, true);
  view.setUint32(at + IDIAG_MSG_UID, socket?.uid ?? 0, true);
  view.setUint32(at + IDIAG_MSG_INODE, file?.inode.ino ?? 0, true);
  if (file !== null) writer.u8(INET_DIAG_SHUTDOWN, 0);
  if (socket !== undefined) writeExtensions(writer, request, socket, extensions);
  writer.end();
}

function writeExtensions(
  writer: NetlinkWriter,
  request: NetlinkRequest,
  socket: NonNullable<InetRow['file']>['socket'],
  extensions: number,
): void {
  const wants = (extension: number): boolean => ((extensions >>> (extension - 1)) & 1) !== 0;
  if (wants(INET_DIAG_SKMEMINFO)) {
    const at = writer.attribute(INET_DIAG_SKMEMINFO, 4 * SK_MEMINFO_VARS);
    // SK_MEMINFO_RCVBUF and SK_MEMINFO_SNDBUF; the stack does not count the others.
    writer.view.setUint32(at + 4, socket.options.receiveBytesMax, true);
    writer.view.setUint32(at + 12, socket.options.sendBytesMax, true);
  }
  if (!(socket instanceof TcpSocket)) return;
  if (wants(INET_DIAG_CONG)) writer.string(INET_DIAG_CONG, socket.tcpOptionValues.congestionControl);
  if (!wants(INET_DIAG_INFO) || socket.endpoint === null) return;
  const at = writer.attribute(INET_DIAG_INFO, SIZEOF_TCP_INFO);
  storeTcpInfo(writer.view, at, socket.endpoint.info(request.stack.nowMs));
}

function storeAddress(bytes: Uint8Array, at: number, address: IpAddress, isIpv6: boolean): void {
  if (isIpv6) address.storeIpv6(bytes, at);
  else address.storeIpv4(bytes, at);
}
