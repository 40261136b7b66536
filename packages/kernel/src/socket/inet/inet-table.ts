import { IPV4_ANY, IPV6_ANY, RawSocket, TcpSocket, TcpState, UdpSocket, type IpAddress } from '@tsv/netstack';
import type { NetNamespace } from '../../namespace/net-namespace.js';
import type { InetSocket } from './inet-socket.js';

/** What the tables of /proc/net and sock_diag(7) tell of one socket, or of a connection that has no socket any more. */
export interface InetRow {
  /** The socket, or null for a connection that waits for its end by itself. */
  readonly file: InetSocket | null;
  readonly isIpv6: boolean;
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly state: TcpState;
  readonly receiveBytes: number;
  readonly sendBytes: number;
}

/** The kinds of sockets that there are tables of. */
export type InetTable = 'tcp' | 'udp' | 'raw' | 'ping';

/** The rows of a table for one family. */
export function inetRows(net: NetNamespace, table: InetTable, isIpv6: boolean): InetRow[] {
  const rows: InetRow[] = [];
  for (const file of net.inetSockets) {
    if (file.isIpv6 !== isIpv6) continue;
    const row = rowOf(file, table);
    if (row !== null) rows.push(row);
  }
  if (table === 'tcp' && net.stack !== null) addOrphans(net, isIpv6, rows);
  return rows;
}

function rowOf(file: InetSocket, table: InetTable): InetRow | null {
  const { socket } = file;
  if (socket instanceof TcpSocket) return table === 'tcp' ? tcpRow(file, socket) : null;
  const kind = socket instanceof UdpSocket ? 'udp' : socket instanceof RawSocket ? 'raw' : 'ping';
  if (kind !== table || (socket.localPort === 0 && kind !== 'raw')) return null;
  return {
    file,
    isIpv6: file.isIpv6,
    local: socket.localAddress,
    localPort: socket.localPort,
    remote: socket.remoteAddress ?? (file.isIpv6 ? IPV6_ANY : IPV4_ANY),
    remotePort: socket.remotePort,
    state: socket.remoteAddress === null ? TcpState.CLOSE : TcpState.ESTABLISHED,
    receiveBytes: socket.nextLen,
    sendBytes: 0,
  };
}

/** A socket that is neither connected nor listening is in no table. */
function tcpRow(file: InetSocket, socket: TcpSocket): InetRow | null {
  const { endpoint, state } = socket;
  if (state === TcpState.CLOSE) return null;
  return {
    file,
    isIpv6: file.isIpv6,
    local: socket.localAddress,
    localPort: socket.localPort,
    remote: endpoint === null ? (file.isIpv6 ? IPV6_ANY : IPV4_ANY) : endpoint.remote,
    remotePort: endpoint === null ? 0 : endpoint.remotePort,
    state,
    receiveBytes: endpoint === null ? socket.acceptCount : endpoint.readableBytes,
    sendBytes: endpoint === null ? 0 : endpoint.sender.ring.len,
  };
}

/** Connections whose socket is closed, TIME_WAIT among them, and those that nobody has accepted. */
function addOrphans(net: NetNamespace, isIpv6: boolean, rows: InetRow[]): void {
  for (const connection of net.stack!.tcp.connections.values()) {
    const { endpoint } = connection;
    if (connection.socket !== null || connection.localAddress.isIpv4 === isIpv6) continue;
    rows.push({
      file: null,
      isIpv6,
      local: connection.localAddress,
      localPort: connection.localPort,
      remote: connection.remoteAddress,
      remotePort: connection.remotePort,
      state: endpoint.state,
      receiveBytes: endpoint.readableBytes,
      sendBytes: endpoint.sender.ring.len,
    });
  }
}
