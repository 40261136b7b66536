import { EAGAIN, POLLIN } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import { WaitEntry } from '@tsv/waiter';
import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import type { IpAddress } from '../wire/ip-address.js';
import {
  DNS_MESSAGE_BYTES_MAX,
  DNS_RCODE_REFUSED,
  DNS_RCODE_SERVFAIL,
  dnsId,
  dnsIsResponse,
  type DnsQuestion,
  makeError,
  parseAnswers,
  parseQuestion,
  storeDnsId,
} from './dns-message.js';
import type { EgressPolicy } from './egress-policy.js';

/** Queries under way at once; further ones are refused. */
export const QUERY_COUNT_MAX = 1_024;
/** How long an upstream may take. */
export const QUERY_TIMEOUT_MS = 5_000;
const DNS_PORT = 53;

/** Answers DNS queries: a socket of the host, a resolver of the program's own, or {@link StackUpstream}. */
export interface DnsUpstream {
  /** Sends a query. The response, with the query's identifier, goes to {@link DnsForwarder.answered}. */
  query(message: Uint8Array, forwarder: DnsForwarder): void;
  close(): void;
}

/** A query that waits for its answer. */
class PendingQuery extends Timer {
  readonly message: Uint8Array;
  readonly question: DnsQuestion;
  readonly client: SocketAddress;
  readonly upstreamId: number;
  readonly #forwarder: DnsForwarder;

  constructor(forwarder: DnsForwarder, message: Uint8Array, question: DnsQuestion, client: SocketAddress, id: number) {
    super();
    this.#forwarder = forwarder;
    this.message = message;
    this.question = question;
    this.client = client;
    this.upstreamId = id;
  }

  fired(): void {
    this.#forwarder.timedOut(this);
  }
}

class Readable extends WaitEntry {
  readonly #run: () => void;

  constructor(run: () => void) {
    super();
    this.#run = run;
  }

  notified(): void {
    this.#run();
  }
}

/** A DNS server on an address of the stack: passes queries on as the policy allows, and tells it what was answered. */
export class DnsForwarder {
  readonly #stack: Stack;
  readonly #policy: EgressPolicy;
  readonly #upstream: DnsUpstream;
  readonly #socket: UdpSocket;
  readonly #pending = new Map<number, PendingQuery>();
  readonly #buffer = new Uint8Array(DNS_MESSAGE_BYTES_MAX);
  readonly #from = new SocketAddress();

  /** Listens at `address`, port 53. Throws RangeError if that cannot be bound. */
  constructor(stack: Stack, address: IpAddress, policy: EgressPolicy, upstream: DnsUpstream) {
    this.#stack = stack;
    this.#policy = policy;
    this.#upstream = upstream;
    this.#socket = new UdpSocket(stack, !address.isIpv4);
    const bound = this.#socket.bind(address, DNS_PORT);
    if (bound !== 0) throw new RangeError(`Cannot serve DNS at ${String(address)}: errno ${-bound}`);
    this.#socket.waiters.add(new Readable(() => this.#serve()), POLLIN);
  }

  /** Queries under way. */
  get pendingCount(): number {
    return this.#pending.size;
  }

  /** Takes a response from the upstream. What answers nothing that was asked is dropped. */
  answered(message: Uint8Array): void {
    if (message.length < 2) return;
    const pending = this.#pending.get(dnsId(message));
    const question = parseQuestion(message);
    if (pending === undefined || question === undefined || !dnsIsResponse(message)) return;
    if (question.name !== pending.question.name || question.type !== pending.question.type) return;
    this.#forget(pending);
    const refusal = this.#remember(message, question);
    if (refusal !== 0) return this.#send(makeError(pending.message, pending.question, refusal), pending.client);
    const response = message.slice();
    storeDnsId(response, dnsId(pending.message));
    this.#send(response, pending.client);
  }

  /** The upstream has not answered a query. */
  timedOut(pending: PendingQuery): void {
    this.#forget(pending);
    this.#send(makeError(pending.message, pending.question, DNS_RCODE_SERVFAIL), pending.client);
  }

  close(): void {
    for (const pending of [...this.#pending.values()]) this.#forget(pending);
    this.#socket.close();
    this.#upstream.close();
  }

  /** Ties the addresses of an answer to its name and the aliases on the way. 0, or the DNS_RCODE_* why it may not go on. */
  #remember(message: Uint8Array, question: DnsQuestion): number {
    const { names } = this.#policy;
    const { addresses, aliases } = parseAnswers(message, question);
    if (!aliases.every((name) => this.#policy.mayFollow(name))) return DNS_RCODE_REFUSED;
    for (const { address, ttlSec } of addresses) {
      for (const name of [...aliases, question.name]) {
        if (!names.add(address, name, ttlSec, this.#stack.nowMs)) return DNS_RCODE_SERVFAIL;
      }
    }
    return 0;
  }

  #serve(): void {
    for (;;) {
      const len = this.#socket.receive(this.#buffer, 0, DNS_MESSAGE_BYTES_MAX, 0, this.#from, null);
      if (len === -EAGAIN) return;
      if (len > 0) this.#handle(this.#buffer.slice(0, len));
    }
  }

  #handle(message: Uint8Array): void {
    const question = parseQuestion(message);
    if (question === undefined || dnsIsResponse(message)) return;
    const client = new SocketAddress(this.#from.address.clone(), this.#from.port, this.#from.scopeId);
    if (!this.#policy.mayResolve(question.name) || this.#pending.size >= QUERY_COUNT_MAX) {
      return this.#send(makeError(message, question, DNS_RCODE_REFUSED), client);
    }
    let id = this.#stack.random.below(0x1_0000);
    while (this.#pending.has(id)) id = (id + 1) & 0xffff;
    const pending = new PendingQuery(this, message, question, client, id);
    this.#pending.set(id, pending);
    this.#stack.timers.arm(pending, this.#stack.nowMs + QUERY_TIMEOUT_MS);
    const query = message.slice();
    storeDnsId(query, id);
    this.#upstream.query(query, this);
  }

  #forget(pending: PendingQuery): void {
    this.#stack.timers.disarm(pending);
    this.#pending.delete(pending.upstreamId);
  }

  #send(message: Uint8Array, client: SocketAddress): void {
    this.#socket.send(message, 0, message.length, client);
  }
}

/** Asks a DNS server through the stack itself, each query from a port of its own (RFC 5452 section 9.2). */
export class StackUpstream implements DnsUpstream {
  readonly #stack: Stack;
  readonly #server: SocketAddress;
  readonly #sockets: UdpSocket[] = [];

  constructor(stack: Stack, server: SocketAddress) {
    this.#stack = stack;
    this.#server = server;
  }

  query(message: Uint8Array, forwarder: DnsForwarder): void {
    const socket = new UdpSocket(this.#stack, !this.#server.address.isIpv4);
    if (socket.connect(this.#server.address, this.#server.port, this.#server.scopeId) !== 0) return socket.close();
    this.#sockets.push(socket);
    if (this.#sockets.length > QUERY_COUNT_MAX) this.#sockets.shift()!.close();
    socket.waiters.add(new Readable(() => this.#receive(socket, forwarder)), POLLIN);
    socket.send(message, 0, message.length, null);
  }

  close(): void {
    for (const socket of this.#sockets.splice(0)) socket.close();
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
