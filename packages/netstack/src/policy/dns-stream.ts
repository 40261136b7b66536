import { EAGAIN, POLLIN, POLLOUT } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import { TcpSocket } from '../socket/tcp-socket.js';
import type { Stack } from '../stack.js';
import type { IpAddress } from '../wire/ip-address.js';
import { CallEntry } from './call-entry.js';
import { DNS_HEADER_BYTES, DNS_MESSAGE_BYTES_MAX } from './dns-message.js';

/** Connections at once; further ones are closed. */
export const DNS_CONNECTION_COUNT_MAX = 64;
/** Queries of a connection under way at once; what comes behind them waits to be read. */
const ASKED_COUNT_MAX = 16;
/** How long a connection may be idle, RFC 7766 section 6.2.3. */
export const DNS_IDLE_MS = 10_000;
/** A message over TCP has its length before it, RFC 1035 section 4.2.2. */
const LENGTH_BYTES = 2;
const BACKLOG = 16;

/** Who has asked. */
export interface DnsClient {
  /** Whether it asked over TCP, where an answer may have 65,535 bytes. */
  readonly isStream: boolean;
  answer(message: Uint8Array): void;
}

/** Takes a query; returns whether there will be an answer to it. */
export type QueryHandler = (message: Uint8Array, client: DnsClient) => boolean;

/** A message as TCP carries it. */
export function framedMessage(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(LENGTH_BYTES + message.length);
  frame[0] = message.length >>> 8;
  frame[1] = message.length & 0xff;
  frame.set(message, LENGTH_BYTES);
  return frame;
}

/** Puts messages together from the pieces in which TCP brings them. */
export class MessageReader {
  readonly #bytes: Uint8Array;
  #len = 0;

  /** No message may have more than `bytesMax` bytes. */
  constructor(bytesMax: number) {
    this.#bytes = new Uint8Array(LENGTH_BYTES + bytesMax);
  }

  /** Where the next bytes go; never empty once {@link next} has found nothing. */
  get room(): Uint8Array {
    return this.#bytes.subarray(this.#len);
  }

  /** So many bytes were put where there was room. */
  added(len: number): void {
    this.#len += len;
  }

  /** The next whole message, null if there is none yet; undefined if it cannot be one. */
  next(): Uint8Array | null | undefined {
    if (this.#len < LENGTH_BYTES) return null;
    const end = LENGTH_BYTES + ((this.#bytes[0]! << 8) | this.#bytes[1]!);
    if (end < LENGTH_BYTES + DNS_HEADER_BYTES || end > this.#bytes.length) return undefined;
    if (this.#len < end) return null;
    const message = this.#bytes.slice(LENGTH_BYTES, end);
    this.#bytes.copyWithin(0, end, this.#len);
    this.#len -= end;
    return message;
  }
}

/** DNS over TCP, RFC 7766: takes connections, and answers what is asked over them in the order of the answers. */
export class DnsStreamServer {
  readonly #stack: Stack;
  readonly #listener: TcpSocket;
  readonly #handle: QueryHandler;
  readonly #connections = new Set<DnsConnection>();

  /** Listens at a port of `address`. Throws RangeError if that cannot be bound. */
  constructor(stack: Stack, address: IpAddress, port: number, handle: QueryHandler) {
    this.#stack = stack;
    this.#handle = handle;
    this.#listener = new TcpSocket(stack, !address.isIpv4);
    const bound = this.#listener.bind(address, port) || this.#listener.listen(BACKLOG);
    if (bound !== 0) throw new RangeError(`Cannot serve DNS over TCP at ${String(address)}: errno ${-bound}`);
    this.#listener.waiters.add(new CallEntry(() => this.#accept()), POLLIN);
  }

  get connectionCount(): number {
    return this.#connections.size;
  }

  close(): void {
    for (const connection of [...this.#connections]) connection.close();
    this.#listener.close();
  }

  #accept(): void {
    for (;;) {
      const socket = this.#listener.accept();
      if (typeof socket === 'number') return;
      if (this.#connections.size >= DNS_CONNECTION_COUNT_MAX) {
        socket.close();
        continue;
      }
      const connection = new DnsConnection(this.#stack, socket, this.#handle, () => {
        this.#connections.delete(connection);
      });
      this.#connections.add(connection);
      connection.run();
    }
  }
}

class DnsConnection extends Timer implements DnsClient {
  readonly isStream = true;
  readonly #stack: Stack;
  readonly #socket: TcpSocket;
  readonly #handle: QueryHandler;
  readonly #closed: () => void;
  readonly #reader = new MessageReader(DNS_MESSAGE_BYTES_MAX);
  readonly #output: Uint8Array[] = [];
  #sentBytes = 0;
  #askedCount = 0;
  #isRunning = false;
  #isClosed = false;

  constructor(stack: Stack, socket: TcpSocket, handle: QueryHandler, closed: () => void) {
    super();
    this.#stack = stack;
    this.#socket = socket;
    this.#handle = handle;
    this.#closed = closed;
    socket.waiters.add(new CallEntry(() => this.run()), POLLIN | POLLOUT);
    this.#wait();
  }

  /** It has been idle for too long. */
  fired(): void {
    this.close();
  }

  answer(message: Uint8Array): void {
    this.#askedCount--;
    if (this.#isClosed) return;
    this.#output.push(framedMessage(message));
    this.run();
  }

  /** Sends and reads what it can. */
  run(): void {
    if (this.#isRunning) return; // An answer that comes at once is sent by the loop.
    this.#isRunning = true;
    while (this.#advance());
    this.#isRunning = false;
  }

  /** Sends, then takes the next query; whether there may be more to do. */
  #advance(): boolean {
    this.#send();
    if (this.#isClosed || this.#output.length > 0 || this.#askedCount >= ASKED_COUNT_MAX) return false;
    const message = this.#reader.next();
    if (message === null) return this.#read();
    if (message === undefined) this.close();
    else this.#ask(message);
    return true;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stack.timers.disarm(this);
    this.#socket.close();
    this.#closed();
  }

  #ask(message: Uint8Array): void {
    this.#askedCount++; // Before: the answer may come at once.
    if (!this.#handle(message, this)) this.#askedCount--;
  }

  /** Whether anything came. */
  #read(): boolean {
    const { room } = this.#reader;
    const len = this.#socket.receive(room, 0, room.length);
    if (len === -EAGAIN) return false;
    if (len <= 0) {
      this.close();
      return false;
    }
    this.#reader.added(len);
    this.#wait();
    return true;
  }

  #send(): void {
    for (let frame = this.#output[0]; frame !== undefined && !this.#isClosed; frame = this.#output[0]) {
      const sent = this.#socket.send(frame, this.#sentBytes, frame.length - this.#sentBytes);
      if (sent === -EAGAIN) return;
      if (sent < 0) return this.close();
      this.#sentBytes += sent;
      if (this.#sentBytes < frame.length) continue;
      this.#output.shift();
      this.#sentBytes = 0;
      this.#wait();
    }
  }

  #wait(): void {
    this.#stack.timers.arm(this, this.#stack.nowMs + DNS_IDLE_MS);
  }
}
