/// <reference types="node" />
import { createSocket, type Socket as HostUdp } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { connect as connectHost, createServer, isIPv6, type AddressInfo, type Server, type Socket } from 'node:net';
import { EAGAIN, POLLIN } from '@tsv/abi';
import type { PacketBuffer } from '../buffer/packet-buffer.js';
import type { LinkEndpoint } from '../link/link-endpoint.js';
import type { Nic } from '../net/nic.js';
import type { RandomSource } from '../net/random.js';
import type { DnsForwarder, DnsUpstream } from '../policy/dns-forwarder.js';
import { MessageReader, framedMessage } from '../policy/dns-stream.js';
import { SocketAddress } from '../socket/socket-address.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import type { TcpForwarder } from '../socket/tcp.js';
import { UdpSocket } from '../socket/udp-socket.js';
import type { Stack } from '../stack.js';
import type { Segment } from '../tcp/segment.js';
import type { UdpForwarder } from '../udp/udp.js';
import { IpAddress, type IpPrefix } from '../wire/ip-address.js';
import { IPPROTO_TCP, IPPROTO_UDP } from '../wire/protocol.js';
import { StackDriver } from './driver.js';
import { connect } from './net.js';
import { ReadyEntry } from './ready-entry.js';
import { streamOf, type TcpStream } from './tcp-stream.js';

/** Flows of each kind at once; further ones are refused. */
export const FLOW_COUNT_MAX = 4_096;
const CONNECT_TIMEOUT_MS = 30_000;
const UDP_IDLE_MS = 60_000;
const DATAGRAM_BYTES_MAX = 65_507;
const RESOLVER_FILE = '/etc/resolv.conf';

/** Where a flow goes on the host. */
export interface HostDestination {
  readonly host: string;
  readonly port: number;
}

export interface HostNatOptions {
  /** The gateway's own addresses, with the prefixes of the network behind the link. */
  readonly addresses: readonly IpPrefix[];
  /**
   * Says where a flow to an address goes on the host, or null to refuse it. By default to the address itself, unless
   * that is the gateway's, or one that means the host or its link: loopback, link-local, unspecified, multicast.
   */
  readonly destination?: (protocol: number, address: IpAddress, port: number) => HostDestination | null;
  /** Random numbers that nobody can guess; Node.js's by default. */
  readonly random?: RandomSource;
}

/** A connection attempt that waits for the host, or for the last step of its handshake. */
interface PendingFlow {
  readonly host: Socket;
  readonly listenKey: string;
}

/** A listener for the flows to one address and port, while there are any under way. */
interface FlowListener {
  readonly socket: TcpSocket;
  useCount: number;
}

interface UdpFlow {
  readonly socket: UdpSocket;
  readonly host: HostUdp;
  readonly timer: NodeJS.Timeout;
}

/**
 * A gateway in user space: what comes by the link goes on through sockets of the host, without privileges. TCP
 * connections are made on the host first, so that the other side learns whether the destination answers.
 */
export class HostNat implements TcpForwarder, UdpForwarder {
  readonly stack: Stack;
  readonly #driver: StackDriver;
  readonly #nic: Nic;
  readonly #destination: NonNullable<HostNatOptions['destination']>;
  readonly #pending = new Map<string, PendingFlow>();
  readonly #listeners = new Map<string, FlowListener>();
  readonly #udpFlows = new Set<UdpFlow>();
  readonly #servers = new Set<Server>();
  readonly #spliced = new Set<Socket>();

  constructor(link: LinkEndpoint, options: HostNatOptions) {
    const { random } = options;
    this.#driver = StackDriver.create({ dadTransmits: 0, ...(random !== undefined && { random }) });
    this.stack = this.#driver.stack;
    this.#destination = options.destination ?? ((_protocol, address, port) => this.#defaultDestination(address, port));
    this.#nic = this.stack.addNic('slirp', link, { addresses: options.addresses });
    this.#nic.acceptsAnyAddress = true;
    this.stack.tcp.forwarder = this;
    this.stack.udp.forwarder = this;
  }

  /** Flows that are under way: connection attempts, connections, and UDP flows. */
  get flowCount(): number {
    return this.#pending.size + this.#spliced.size + this.#udpFlows.size;
  }

  /** Passes connections to a port of the host on to an address behind the link. Resolves when it listens. */
  async forwardPort(from: { host: string; port: number }, to: { host: string; port: number }): Promise<AddressInfo> {
    const server = createServer({ allowHalfOpen: true }, (host) => {
      this.#splice(connect(this.stack, { ...to, allowHalfOpen: true }), host);
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(from.port, from.host, resolve);
    });
    this.#servers.add(server);
    return server.address() as AddressInfo;
  }

  /** Part of {@link TcpForwarder}. */
  synArrived(packet: PacketBuffer, seg: Readonly<Segment>): void {
    const address = packet.dst.clone();
    const { dstPort } = seg;
    const key = flowKey(packet.src, seg.srcPort, address, dstPort);
    if (this.#pending.has(key)) return packet.release(); // The SYN was sent again.
    const to = this.#destination(IPPROTO_TCP, address, dstPort);
    if (to === null || this.flowCount >= FLOW_COUNT_MAX) return this.stack.tcp.refuse(packet);
    const host = connectHost({ host: to.host, port: to.port, allowHalfOpen: true });
    this.#pending.set(key, { host, listenKey: `${String(address)} ${dstPort}` });
    host.setTimeout(CONNECT_TIMEOUT_MS, () => host.destroy());
    let isDone = false;
    host.once('connect', () => {
      isDone = true;
      host.setTimeout(0);
      this.#open(key, packet, address, dstPort);
    });
    host.on('error', () => host.destroy());
    host.once('close', () => {
      if (!isDone) this.stack.tcp.refuse(packet);
      if (this.#pending.get(key)?.host === host) this.#forget(key, isDone);
    });
  }

  /** Part of {@link UdpForwarder}. */
  socketFor(packet: PacketBuffer, srcPort: number, dstPort: number): UdpSocket | undefined {
    const to = this.#destination(IPPROTO_UDP, packet.dst, dstPort);
    if (to === null || this.flowCount >= FLOW_COUNT_MAX) return undefined;
    const socket = new UdpSocket(this.stack, !packet.dst.isIpv4);
    socket.options.isTransparent = true;
    socket.options.reusesAddress = true;
    if (socket.bind(packet.dst.clone(), dstPort) !== 0) return undefined;
    if (socket.connect(packet.src.clone(), srcPort, packet.src.isLinkLocal ? packet.nicId : 0) !== 0) {
      socket.close();
      return undefined;
    }
    this.#openUdp(socket, to);
    return socket;
  }

  /** Ends all flows and detaches from the link. */
  close(): void {
    for (const { host } of this.#pending.values()) host.destroy();
    for (const host of this.#spliced) host.destroy();
    for (const flow of [...this.#udpFlows]) this.#closeUdp(flow);
    for (const server of this.#servers) server.close();
    for (const { socket } of this.#listeners.values()) socket.close();
    this.#listeners.clear();
    this.stack.removeNic(this.#nic.id);
    this.#driver.close();
  }

  #defaultDestination(address: IpAddress, port: number): HostDestination | null {
    const meansHost = address.isLoopback || address.isLinkLocal || address.isUnspecified || this.stack.isLocal(address);
    const isGroup = address.isMulticast || this.stack.isBroadcast(address);
    return meansHost || isGroup ? null : { host: address.toString(), port };
  }

  /** The host is connected: lets the SYN, which has waited, come to a listener. */
  #open(key: string, packet: PacketBuffer, address: IpAddress, port: number): void {
    const flow = this.#pending.get(key)!;
    let listener = this.#listeners.get(flow.listenKey);
    if (listener === undefined) {
      const socket = new TcpSocket(this.stack, !address.isIpv4);
      socket.options.isTransparent = true;
      socket.options.reusesAddress = true;
      if (socket.bind(address, port) !== 0 || socket.listen(FLOW_COUNT_MAX) !== 0) {
        socket.close();
        flow.host.destroy();
        this.stack.tcp.refuse(packet);
        return;
      }
      const entry = new ReadyEntry(() => this.#accept(socket));
      socket.waiters.add(entry, POLLIN);
      listener = { socket, useCount: 0 };
      this.#listeners.set(flow.listenKey, listener);
    }
    listener.useCount++;
    packet.at = packet.linkAt;
    this.stack.enqueue(this.#nic, packet);
  }

  #accept(listening: TcpSocket): void {
    for (;;) {
      const socket = listening.accept();
      if (typeof socket === 'number') return;
      const peer = new SocketAddress();
      const named = socket.getPeerName(peer);
      const key = flowKey(peer.address, peer.port, socket.localAddress, socket.localPort);
      const flow = named === 0 ? this.#pending.get(key) : undefined;
      if (flow === undefined) {
        socket.lingerSec = 0;
        socket.close();
        continue;
      }
      this.#splice(streamOf(socket), flow.host);
      this.#forget(key, true);
    }
  }

  /** Takes a flow off the list of those under way; `hasListener`: and off its listener, which goes with the last. */
  #forget(key: string, hasListener: boolean): void {
    const flow = this.#pending.get(key)!;
    this.#pending.delete(key);
    const listener = this.#listeners.get(flow.listenKey);
    if (!hasListener || listener === undefined || --listener.useCount > 0) return;
    this.#listeners.delete(flow.listenKey);
    listener.socket.close();
  }

  /** Joins a connection of the stack and one of the host. What one side ends or breaks, the other learns. */
  #splice(inner: TcpStream, host: Socket): void {
    this.#spliced.add(host);
    inner.pipe(host);
    host.pipe(inner);
    inner.on('error', () => host.destroy());
    inner.once('close', () => {
      if (!inner.readableEnded) host.destroy();
    });
    host.on('error', (error) => inner.destroy(error));
    host.once('close', () => {
      this.#spliced.delete(host);
      if (!host.readableEnded) inner.destroy();
    });
  }

  #openUdp(socket: UdpSocket, to: HostDestination): void {
    const host = createSocket(isIPv6(to.host) ? 'udp6' : 'udp4');
    const timer = setTimeout(() => this.#closeUdp(flow), UDP_IDLE_MS).unref();
    const flow: UdpFlow = { socket, host, timer };
    this.#udpFlows.add(flow);
    host.unref();
    host.on('error', () => this.#closeUdp(flow));
    host.on('message', (message, { address, port }) => {
      timer.refresh();
      if (port === to.port && address === to.host) socket.send(message, 0, message.length, null);
    });
    const buffer = Buffer.allocUnsafe(DATAGRAM_BYTES_MAX);
    const entry = new ReadyEntry(() => {
      for (;;) {
        const len = socket.receive(buffer, 0, buffer.length, 0, null, null);
        if (len === -EAGAIN || socket.isClosed) return;
        timer.refresh();
        if (len >= 0) host.send(Buffer.from(buffer.subarray(0, len)), to.port, to.host);
      }
    });
    socket.waiters.add(entry, POLLIN);
  }

  #closeUdp(flow: UdpFlow): void {
    if (!this.#udpFlows.delete(flow)) return;
    clearTimeout(flow.timer);
    flow.socket.close();
    flow.host.close();
  }
}

/** Asks the host's DNS server, from one socket of the host. */
export class HostUpstream implements DnsUpstream {
  readonly #sockets = new Set<HostUdp>();
  readonly #streams = new Set<Socket>();
  readonly #server: HostDestination;

  /** By default the first server of the host's /etc/resolv.conf; the host itself if that names none. */
  constructor(server?: HostDestination) {
    this.#server = server ?? { host: firstNameServer() ?? '127.0.0.1', port: 53 };
  }

  query(message: Uint8Array, forwarder: DnsForwarder, isStream: boolean): void {
    if (isStream) return this.#queryStream(message, forwarder);
    const { host, port } = this.#server;
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    this.#sockets.add(socket);
    const end = (): void => {
      if (this.#sockets.delete(socket)) socket.close();
      clearTimeout(timer);
    };
    const timer = setTimeout(end, QUERY_MS).unref();
    socket.unref();
    socket.on('error', end);
    socket.on('message', (response, from) => {
      if (from.address !== host || from.port !== port) return;
      end();
      forwarder.answered(response);
    });
    socket.send(message, port, host);
  }

  close(): void {
    for (const socket of this.#sockets) socket.close();
    this.#sockets.clear();
    for (const stream of this.#streams) stream.destroy();
  }

  /** Over a connection of its own, RFC 7766; what goes wrong with it shows as no answer. */
  #queryStream(message: Uint8Array, forwarder: DnsForwarder): void {
    const stream = connectHost({ ...this.#server, timeout: QUERY_MS }).unref();
    this.#streams.add(stream);
    const end = (): void => {
      this.#streams.delete(stream);
      stream.destroy();
    };
    const reader = new MessageReader(0xffff);
    stream.on('error', end);
    stream.on('timeout', end);
    stream.on('close', end);
    stream.on('data', (bytes) => {
      const { room } = reader;
      const taken = Math.min(bytes.length, room.length);
      room.set(bytes.subarray(0, taken));
      reader.added(taken);
      const response = reader.next();
      if (response === null) return;
      end();
      if (response !== undefined) forwarder.answered(response);
    });
    stream.write(framedMessage(message));
  }
}

const QUERY_MS = 10_000;

function flowKey(src: IpAddress, srcPort: number, dst: IpAddress, dstPort: number): string {
  return `${String(src)} ${srcPort} ${String(dst)} ${dstPort}`;
}

/** Read by hand: `node:dns` takes ten times as long to load as this takes. resolv.conf(5). */
function firstNameServer(): string | undefined {
  let text: string;
  try {
    text = readFileSync(RESOLVER_FILE, 'latin1');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  const servers = [...text.matchAll(/^nameserver[ \t]+([^\s#;]+)/gm)].map(([, address]) => address!);
  return servers.find((address) => IpAddress.tryParse(address.replace(/%.*/, '')) !== undefined);
}
