import { Timer } from '@tsv/clock';
import type { Path } from '../net/path.js';
import type { Segment, SegmentSink } from '../tcp/segment.js';
import type { TcpEndpoint } from '../tcp/tcp-endpoint.js';
import type { IpAddress } from '../wire/ip-address.js';
import type { TableEntry } from './connection-table.js';
import type { PortHolder } from './port-table.js';
import type { Tcp } from './tcp.js';
import type { TcpSocket } from './tcp-socket.js';

/** A TCP endpoint in the tables of a stack: its way out, its timer, and the socket that has it, if any. */
export class TcpConnection extends Timer implements SegmentSink, TableEntry, PortHolder {
  readonly endpoint: TcpEndpoint;
  readonly localAddress: IpAddress;
  readonly localPort: number;
  readonly remoteAddress: IpAddress;
  readonly remotePort: number;
  readonly boundNicId: number;
  readonly isDualStack = false;
  readonly isExclusive = false;
  readonly reusesAddress: boolean;
  readonly reusesPort = false;
  readonly uid = 0;
  tableHash = 0;
  tableNext: this | null = null;
  /** The socket of the application; null before accept and after close. */
  socket: TcpSocket | null = null;
  /** The socket whose queue it is in before it is accepted. */
  listener: TcpSocket | null = null;
  path: Path | null;
  /** Whether it is on the list of those that {@link Tcp.flush} looks after. */
  isTouched = false;
  /** TTL, TOS and mark of its packets, as of its socket. */
  ttl = 0;
  trafficClass = 0;
  mark = 0;
  ownerUid = -1;
  ownerGid = -1;
  mayFragment = false;
  readonly #tcp: Tcp;

  constructor(tcp: Tcp, endpoint: TcpEndpoint, path: Path | null, boundNicId: number, reusesAddress: boolean) {
    super();
    this.#tcp = tcp;
    this.endpoint = endpoint;
    this.path = path;
    endpoint.sender.isGsoUsed = path !== null && path.nic.link.gsoBytesMax > 0;
    this.boundNicId = boundNicId;
    this.reusesAddress = reusesAddress;
    this.localAddress = endpoint.writer.local;
    this.localPort = endpoint.writer.localPort;
    this.remoteAddress = endpoint.writer.remote;
    this.remotePort = endpoint.writer.remotePort;
  }

  /** Sends a segment of the endpoint. */
  emit(seg: Segment): void {
    this.#tcp.sendFor(this, seg);
  }

  fired(): void {
    this.#tcp.touch(this);
  }
}
