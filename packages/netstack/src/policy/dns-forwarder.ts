import { EAGAIN, POLLIN } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import { SocketAddress } from '../socket/socket-address.js';
import { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import type { IpAddress } from '../wire/ip-address.js';
import { CallEntry } from './call-entry.js';
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
import { DnsStreamServer, type DnsClient } from './dns-stream.js';
import type { EgressPolicy } from './egress-policy.js';

/** Queries under way at once; further ones are refused. */
export const QUERY_COUNT_MAX = 1_024;
/** How long an upstream may take. */
export const QUERY_TIMEOUT_MS = 5_000;
const DNS_PORT = 53;

/** Answers DNS queries: a socket of the host, a resolver of the program's own, or `StackUpstream`. */
export interface DnsUpstream {
  /**
   * Sends a query, over TCP if the guest has asked so, which it does when an answer is too long for a datagram. The
   * response, with the query's identifier, goes to {@link DnsForwarder.answered}.
   */
  query(message: Uint8Array, forwarder: DnsForwarder, isStream: boolean): void;
  close(): void;
}

/** A query that waits for its answer. */
class PendingQuery extends Timer {
  readonly message: Uint8Array;
  readonly question: DnsQuestion;
  readonly client: DnsClient;
  readonly upstreamId: number;
  readonly #forwarder: DnsForwarder;

  constructor(forwarder: DnsForwarder, message: Uint8Array, question: DnsQuestion, client: DnsClient, id: number) {
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

/** Who has asked by a datagram. */
class DatagramClient implements DnsClient {
  readonly isStream = false;
  readonly #socket: UdpSocket;
  readonly #to: SocketAddress;

  constructor(socket: UdpSocket, to: SocketAddress) {
    this.#socket = socket;
    this.#to = to;
  }

  answer(message: Uint8Array): void {
    this.#socket.send(message, 0, message.length, this.#to);
  }
}

/** A DNS server on an address of the stack: passes queries on as the policy allows, and tells it what was answered. */
export class DnsForwarder {
  readonly #stack: Stack;
  readonly #policy: EgressPolicy;
  readonly #upstream: DnsUpstream;
  readonly #socket: UdpSocket;
  readonly #streams: DnsStreamServer;
  readonly #pending = new Map<number, PendingQuery>();
  readonly #buffer = new Uint8Array(DNS_MESSAGE_BYTES_MAX);
  readonly #from = new SocketAddress();

  /** Listens at `address`, port 53 of UDP and TCP. Throws RangeError if that cannot be bound. */
  constructor(stack: Stack, address: IpAddress, policy: EgressPolicy, upstream: DnsUpstream) {
    this.#stack = stack;
    this.#policy = policy;
    this.#upstream = upstream;
    this.#socket = new UdpSocket(stack, !address.isIpv4);
    const bound = this.#socket.bind(address, DNS_PORT);
    if (bound !== 0) throw new RangeError(`Cannot serve DNS at ${String(address)}: errno ${-bound}`);
    this.#socket.waiters.add(new CallEntry(() => this.#serve()), POLLIN);
    this.#streams = new DnsStreamServer(stack, address, DNS_PORT, (message, client) => this.#handle(message, client));
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
    if (refusal !== 0) return pending.client.answer(makeError(pending.message, pending.question, refusal));
    const response = message.slice();
    storeDnsId(response, dnsId(pending.message));
    pending.client.answer(response);
  }

  /** The upstream has not answered a query. */
  timedOut(pending: PendingQuery): void {
    this.#forget(pending);
    pending.client.answer(makeError(pending.message, pending.question, DNS_RCODE_SERVFAIL));
  }

  close(): void {
    for (const pending of [...this.#pending.values()]) this.#forget(pending);
    this.#streams.close();
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
      if (len <= 0) continue;
      const { address, port, scopeId } = this.#from;
      const client = new DatagramClient(this.#socket, new SocketAddress(address.clone(), port, scopeId));
      this.#handle(this.#buffer.slice(0, len), client);
    }
  }

  /** Whether `client` will be answered. */
  #handle(message: Uint8Array, client: DnsClient): boolean {
    const question = parseQuestion(message);
    if (question === undefined || dnsIsResponse(message)) return false;
    if (!this.#policy.mayResolve(question.name) || this.#pending.size >= QUERY_COUNT_MAX) {
      client.answer(makeError(message, question, DNS_RCODE_REFUSED));
      return true;
    }
    let id = this.#stack.random.below(0x1_0000);
    while (this.#pending.has(id)) id = (id + 1) & 0xffff;
    const pending = new PendingQuery(this, message, question, client, id);
    this.#pending.set(id, pending);
    this.#stack.timers.arm(pending, this.#stack.nowMs + QUERY_TIMEOUT_MS);
    const query = message.slice();
    storeDnsId(query, id);
    this.#upstream.query(query, this, client.isStream);
    return true;
  }

  #forget(pending: PendingQuery): void {
    this.#stack.timers.disarm(pending);
    this.#pending.delete(pending.upstreamId);
  }
}
