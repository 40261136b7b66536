import { EAGAIN, EINPROGRESS, POLLIN, POLLOUT } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import type { SocketAddress } from '../socket/socket-address.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import { CallEntry } from './call-entry.js';
import { QUERY_COUNT_MAX, QUERY_TIMEOUT_MS, type DnsForwarder, type DnsUpstream } from './dns-forwarder.js';
import { DNS_MESSAGE_BYTES_MAX } from './dns-message.js';
import { MessageReader, framedMessage } from './dns-stream.js';

/** What the length before a message over TCP can say. */
const STREAM_MESSAGE_BYTES_MAX = 0xffff;

/** Asks a DNS server through the stack itself, each query from a port of its own (RFC 5452 section 9.2). */
export class StackUpstream implements DnsUpstream {
  readonly #stack: Stack;
  readonly #server: SocketAddress;
  readonly #sockets: UdpSocket[] = [];
  readonly #streams = new Set<StreamQuery>();

  constructor(stack: Stack, server: SocketAddress) {
    this.#stack = stack;
    this.#server = server;
  }

  query(message: Uint8Array, forwarder: DnsForwarder, isStream: boolean): void {
    if (isStream) return this.#queryStream(message, forwarder);
    const socket = new UdpSocket(this.#stack, !this.#server.address.isIpv4);
    if (socket.connect(this.#server.address, this.#server.port, this.#server.scopeId) !== 0) return socket.close();
    this.#sockets.push(socket);
    if (this.#sockets.length > QUERY_COUNT_MAX) this.#sockets.shift()!.close();
    socket.waiters.add(new CallEntry(() => this.#receive(socket, forwarder)), POLLIN);
    socket.send(message, 0, message.length, null);
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
    for (const stream of [...this.#streams]) stream.close();
  }

  #queryStream(message: Uint8Array, forwarder: DnsForwarder): void {
    const stream = new StreamQuery(this.#stack, message, !this.#server.address.isIpv4, (response) => {
      this.#streams.delete(stream);
      if (response !== null) forwarder.answered(response);
    });
    this.#streams.add(stream);
    stream.connect(this.#server);
  }

  #receive(socket: UdpSocket, forwarder: DnsForwarder): void {
    const buffer = new Uint8Array(DNS_MESSAGE_BYTES_MAX);
    const len = socket.receive(buffer, 0, buffer.length, 0, null, null);
    if (len <= 0) return;
    const index = this.#sockets.indexOf(socket);
    if (index >= 0) this.#sockets.splice(index, 1);
    socket.close();
    forwarder.answered(buffer.subarray(0, len));
  }
}

/** A query over a connection of its own, RFC 7766, until it is answered or has taken too long. */
class StreamQuery extends Timer {
  readonly #stack: Stack;
  readonly #socket: TcpSocket;
  readonly #frame: Uint8Array;
  readonly #ended: (response: Uint8Array | null) => void;
  readonly #reader = new MessageReader(STREAM_MESSAGE_BYTES_MAX);
  #sentBytes = 0;
  #isClosed = false;

  constructor(stack: Stack, message: Uint8Array, isIpv6: boolean, ended: (response: Uint8Array | null) => void) {
    super();
    this.#stack = stack;
    this.#frame = framedMessage(message);
    this.#ended = ended;
    this.#socket = new TcpSocket(stack, isIpv6);
    stack.timers.arm(this, stack.nowMs + QUERY_TIMEOUT_MS);
  }

  fired(): void {
    this.close();
  }

  connect({ address, port, scopeId }: SocketAddress): void {
    const result = this.#socket.connect(address, port, scopeId);
    if (result !== 0 && result !== -EINPROGRESS) return this.close();
    this.#socket.waiters.add(new CallEntry(() => this.#run()), POLLIN | POLLOUT);
  }

  close(): void {
    this.#end(null);
  }

  #run(): void {
    if (this.#isClosed) return;
    if (this.#sentBytes < this.#frame.length) {
      const sent = this.#socket.send(this.#frame, this.#sentBytes, this.#frame.length - this.#sentBytes);
      if (sent < 0 && sent !== -EAGAIN) return this.close();
      if (sent > 0) this.#sentBytes += sent;
    }
    for (;;) {
      const message = this.#reader.next();
      if (message !== null) return this.#end(message ?? null);
      const { room } = this.#reader;
      const len = this.#socket.receive(room, 0, room.length);
      if (len === -EAGAIN) return;
      if (len <= 0) return this.close();
      this.#reader.added(len);
    }
  }

  #end(response: Uint8Array | null): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stack.timers.disarm(this);
    this.#socket.close();
    this.#ended(response);
  }
}
