import { Timer } from '@tsv/clock';
import type { Path } from '../net/path.js';
import type { Segment, SegmentSink } from '../tcp/segment.js';
import type { TcpEndpoint } from '../tcp/tcp-endpoint.js';
import type { IpAddress } from '../wire/ip-address.js';
import type { TableEntry } from './connection-table.js';
import { NO_TRAITS } from './packet-traits.js';
import type { PortHolder } from './port-table.js';
import type { Tcp } from './tcp.js';
import type { TcpSocket } from './tcp-socket.js';

/** A TCP endpoint in the tables of a stack: its way out, its timer, and the socket that has it, if any. */
export class TcpConnection extends Timer implements SegmentSink, TableEntry, PortHolder {
  readonly endpoint: TcpEndpoint;
  readonly boundNicId: number;
  readonly reusesAddress: boolean;
  tableHash = 0;
  tableNext: this | null = null;
  /** The socket of the application; null before accept and after close. */
  socket: TcpSocket | null = null;
  /** The socket whose queue it is in before it is accepted. */
  listener: TcpSocket | null = null;
  path: Path | null;
  /** Whether it is on the list of those that {@link Tcp.flush} looks after. */
  isTouched = false;
  traits = NO_TRAITS;
  readonly #tcp: Tcp;

  constructor(tcp: Tcp, endpoint: TcpEndpoint, path: Path | null, boundNicId: number, reusesAddress: boolean) {
    super();
    this.#tcp = tcp;
    this.endpoint = endpoint;
    this.path = path;
    endpoint.sender.isGsoUsed = path !== null && path.nic.link.gsoBytesMax > 0;
    this.boundNicId = boundNicId;
    this.reusesAddress = reusesAddress;
  }

  get localAddress(): IpAddress {
    return this.endpoint.local;
  }

  get localPort(): number {
    return this.endpoint.localPort;
  }

  get remoteAddress(): IpAddress {
    return this.endpoint.remote;
  }

  get remotePort(): number {
    return this.endpoint.remotePort;
  }

  get isDualStack(): boolean {
    return false;
  }

  get isExclusive(): boolean {
    return false;
  }

  get reusesPort(): boolean {
    return false;
  }

  get uid(): number {
    return 0;
  }

  /** Sends a segment of the endpoint. */
  emit(seg: Segment): void {
    this.#tcp.sendFor(this, seg);
  }

  fired(): void {
    this.#tcp.touch(this);
  }
}
