import { EAGAIN, EINPROGRESS, MSG_PEEK, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP } from '@tsv/abi';
import { Timer } from '@tsv/clock';
import type { Conntrack } from '../filter/conntrack.js';
import type { Flow } from '../filter/flow.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import type { Stack } from '../stack.js';
import { TcpState } from '../tcp/tcp-state.js';
import { IPV4_ANY, IPV6_ANY, type IpAddress } from '../wire/ip-address.js';
import { IPPROTO_TCP } from '../wire/protocol.js';
import { CallEntry } from './call-entry.js';
import { CLIENT_HELLO_BYTES_MAX, type Sniffed, sniffServerName } from './client-hello.js';
import { HttpGuard } from './http-guard.js';
import { sniffHttpHost } from './http-head.js';
import { Splice } from './splice.js';

/** Connections that are looked at or carried at once; further ones are reset. */
export const INTERCEPTED_COUNT_MAX = 4_096;
/** How long a client may take to say whom it wants. */
export const SNIFF_TIMEOUT_MS = 10_000;
const BACKLOG = 512;
const ALL_EVENTS = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP;

/** What the client said in the first bytes of its stream. */
export interface SniffedNames {
  /** Server name that it asks TLS for, null if it is no TLS or names none. */
  readonly serverName: string | null;
  /** Host that it asks HTTP for, null if it is no HTTP or names none. */
  readonly httpHost: string | null;
}

/** Where a client has connected to. */
export interface OriginalDestination {
  readonly address: IpAddress;
  readonly port: number;
}

/** A connection that a program has taken over: the client's end, with everything that it has sent and will send. */
export interface TakenConnection extends OriginalDestination, SniffedNames {
  readonly socket: TcpSocket;
}

/** What becomes of a connection once it is known whom it is for. */
export type Interception =
  | { readonly action: 'allow' }
  | { readonly action: 'deny' }
  | { readonly action: 'redirect'; readonly address: OriginalDestination['address']; readonly port: number }
  | { readonly action: 'take-over'; readonly accept: (connection: TakenConnection) => void };

/** Decides about a connection whose flow's names are known. */
export type InterceptionHook = (flow: Flow) => Interception;

const NO_NAMES: SniffedNames = { serverName: null, httpHost: null };

/**
 * Ends connections in the stack to see whom they are for, before anything of them goes out: transparently, by
 * translating their destinations. What is allowed is carried on to where it was sent.
 */
export class Interceptor {
  readonly #stack: Stack;
  readonly #conntrack: Conntrack;
  readonly #decide: InterceptionHook;
  readonly #listeners: TcpSocket[] = [];
  /** Ports of our connections to the outside, and where these go: what a policy lets through. */
  readonly #ownPorts = new Map<number, OriginalDestination>();
  readonly #splices = new Map<Flow, Splice>();
  #count = 0;

  constructor(stack: Stack, conntrack: Conntrack, decide: InterceptionHook) {
    this.#stack = stack;
    this.#conntrack = conntrack;
    this.#decide = decide;
    for (const address of [IPV4_ANY, IPV6_ANY]) {
      const listener = new TcpSocket(stack, !address.isIpv4);
      listener.options.isV6Only = true;
      if (listener.bind(address, 0) !== 0 || listener.listen(BACKLOG) !== 0) {
        listener.close();
        throw new RangeError('Cannot intercept connections: there is no free port');
      }
      listener.waiters.add(new CallEntry(() => this.#accept(listener)), POLLIN);
      this.#listeners.push(listener);
    }
  }

  /** Connections that are looked at or carried. */
  get count(): number {
    return this.#count;
  }

  /** The port that connections to addresses of a family are translated to. */
  port(isIpv4: boolean): number {
    return this.#listeners[isIpv4 ? 0 : 1]!.localPort;
  }

  /** Whether a connection from this port of ours, to this destination, carries on an intercepted one. */
  isOwn(localPort: number, { address, port }: OriginalDestination): boolean {
    const destination = this.#ownPorts.get(localPort);
    return destination !== undefined && destination.port === port && destination.address.equals(address);
  }

  close(): void {
    for (const listener of this.#listeners) listener.close();
  }

  /** Resets what an intercepted flow's connection was joined to, if it was. */
  end(flow: Flow): void {
    this.#splices.get(flow)?.abort();
  }

  #accept(listener: TcpSocket): void {
    for (let socket = listener.accept(); typeof socket !== 'number'; socket = listener.accept()) {
      const { remote, remotePort } = socket.endpoint!;
      const { localAddress, localPort } = socket;
      const flow = this.#conntrack.translatedFlow(IPPROTO_TCP, localAddress, localPort, remote, remotePort);
      // Who comes here by itself wants something that is not its.
      if (flow === null || this.#count >= INTERCEPTED_COUNT_MAX) reset(socket);
      else this.#look(socket, flow);
    }
  }

  #look(socket: TcpSocket, flow: Flow): void {
    if (flow.takeOver !== null) return flow.takeOver({ socket, ...destinationOf(flow), ...NO_NAMES });
    this.#count++;
    new Sniffing(this.#stack, socket, (names, isHttp) => {
      this.#count--;
      if (names === null) return reset(socket);
      flow.names = names;
      const decision = this.#decide(flow);
      const guard = isHttp ? this.#guard(flow) : null;
      switch (decision.action) {
        case 'deny':
          return reset(socket);
        case 'take-over':
          return decision.accept({ socket, ...destinationOf(flow), ...names });
        case 'allow':
          return this.#carry(socket, flow, destinationOf(flow), guard);
        case 'redirect':
          return this.#carry(socket, flow, { address: decision.address, port: decision.port }, guard);
      }
    });
  }

  /** Has the requests after the first decided about too. They go where the first went, or nowhere. */
  #guard(flow: Flow): HttpGuard {
    return new HttpGuard(flow.names!.httpHost, (httpHost) => {
      flow.names = { serverName: null, httpHost };
      return this.#decide(flow).action === 'allow';
    });
  }

  /** Connects to where the client wanted, and joins the two connections. */
  #carry(client: TcpSocket, flow: Flow, destination: OriginalDestination, guard: HttpGuard | null): void {
    const server = new TcpSocket(this.#stack, !destination.address.isIpv4);
    const bound = server.bind(destination.address.isIpv4 ? IPV4_ANY : IPV6_ANY, 0);
    const { localPort } = server;
    const done = (): void => {
      this.#count--;
      this.#ownPorts.delete(localPort);
      this.#splices.delete(flow);
    };
    const failed = (): void => {
      done();
      reset(server);
      reset(client);
    };
    this.#count++;
    if (bound !== 0) return failed();
    this.#ownPorts.set(localPort, destination);
    if (server.beginConnect(destination.address, destination.port) !== -EINPROGRESS) return failed();
    new Connecting(server, client, (isConnected) => {
      if (!isConnected) return failed();
      const splice = new Splice(client, server, done, guard);
      if (!splice.isClosed) this.#splices.set(flow, splice);
    });
  }
}

function destinationOf(flow: Flow): OriginalDestination {
  const { dst, dstPort } = flow.original.tuple;
  return { address: dst, port: dstPort };
}

function reset(socket: TcpSocket): void {
  socket.lingerSec = 0;
  socket.close();
}

/** Waits until a client has said enough, and tells what; null if it ended or took too long. Nothing is consumed. */
class Sniffing extends Timer {
  readonly #stack: Stack;
  readonly #socket: TcpSocket;
  readonly #told: (names: SniffedNames | null, isHttp: boolean) => void;
  readonly #entry = new CallEntry(() => this.#look());
  #bytes = new Uint8Array(2_048);
  #isDone = false;

  constructor(stack: Stack, socket: TcpSocket, told: (names: SniffedNames | null, isHttp: boolean) => void) {
    super();
    this.#stack = stack;
    this.#socket = socket;
    this.#told = told;
    socket.waiters.add(this.#entry, ALL_EVENTS);
    stack.timers.arm(this, stack.nowMs + SNIFF_TIMEOUT_MS);
    this.#look();
  }

  fired(): void {
    this.#finish(null);
  }

  #look(): void {
    if (this.#isDone) return;
    const len = this.#socket.receive(this.#bytes, 0, this.#bytes.length, MSG_PEEK);
    if (len === -EAGAIN) return;
    if (len <= 0) return this.#finish(null);
    const tls = sniffServerName(this.#bytes, len);
    const http: Sniffed = tls.kind === 'other' ? sniffHttpHost(this.#bytes, len) : { kind: 'other' };
    if (tls.kind === 'more' || http.kind === 'more') return this.#lookFurther(len);
    const serverName = tls.kind === 'found' ? tls.name : null;
    if (http.kind === 'found') this.#finish({ serverName, httpHost: http.name }, true);
    else this.#finish({ serverName, httpHost: null });
  }

  /** Peeks with a larger buffer when this one was full, or waits for more to come. */
  #lookFurther(len: number): void {
    if (len < this.#bytes.length) return;
    if (len >= CLIENT_HELLO_BYTES_MAX) return this.#finish(null);
    this.#bytes = new Uint8Array(Math.min(this.#bytes.length * 2, CLIENT_HELLO_BYTES_MAX));
    this.#look();
  }

  #finish(names: SniffedNames | null, isHttp = false): void {
    this.#isDone = true;
    this.#entry.leave();
    this.#stack.timers.disarm(this);
    this.#told(names, isHttp);
  }
}

/** Waits for a connection of ours to be made, or for the client that it is for to go away. */
class Connecting {
  readonly #server: TcpSocket;
  readonly #client: TcpSocket;
  readonly #told: (isConnected: boolean) => void;
  readonly #entries = [new CallEntry(() => this.#look()), new CallEntry(() => this.#look())];
  #isDone = false;

  constructor(server: TcpSocket, client: TcpSocket, told: (isConnected: boolean) => void) {
    this.#server = server;
    this.#client = client;
    this.#told = told;
    server.waiters.add(this.#entries[0]!, ALL_EVENTS);
    client.waiters.add(this.#entries[1]!, POLLERR | POLLHUP);
    this.#look();
  }

  #look(): void {
    if (this.#isDone) return;
    const { state } = this.#server;
    const isPending = state === TcpState.SYN_SENT || state === TcpState.SYN_RECV;
    if (isPending && this.#client.endpoint!.error === 0) return;
    this.#isDone = true;
    for (const entry of this.#entries) entry.leave();
    this.#told(!isPending && this.#server.takeError() === 0);
  }
}
