/// <reference types="node" />
import { EventEmitter } from 'node:events';
import { POLLIN } from '@tsv/abi';
import { SocketAddress } from '../socket/socket-address.js';
import { TcpSocket } from '../socket/tcp-socket.js';
import type { Stack } from '../stack.js';
import { IpAddress } from '../wire/ip-address.js';
import { ReadyEntry } from './ready-entry.js';
import { isUnderWay, systemError, TcpStream } from './tcp-stream.js';

export { HostClock, HostRandom, StackDriver } from './driver.js';
export { TcpStream } from './tcp-stream.js';

export interface ConnectOptions {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
  readonly allowHalfOpen?: boolean;
}

/** Connects through a stack, as `net.connect`. Failures come as `error` on the stream. */
export function connect(stack: Stack, options: ConnectOptions, onConnect?: () => void): TcpStream {
  const address = IpAddress.parse(options.host);
  const socket = new TcpSocket(stack, !address.isIpv4);
  const result = socket.connect(address, options.port);
  const stream = new TcpStream(socket, options);
  if (onConnect !== undefined) stream.once('connect', onConnect);
  if (!isUnderWay(result)) stream.destroy(systemError(result, 'connect'));
  return stream;
}

export interface ListenOptions {
  /** An IP address; by default all of both families. */
  readonly host?: string;
  readonly port: number;
  readonly backlog?: number;
}

const BACKLOG = 511;

/** A listening socket of a stack, shaped like `net.Server`: emits `connection`, `listening` and `close`. */
export class Server extends EventEmitter {
  readonly #stack: Stack;
  readonly #allowHalfOpen: boolean;
  readonly #entry = new ReadyEntry(() => this.#accept());
  #socket: TcpSocket | null = null;

  constructor(stack: Stack, options: { readonly allowHalfOpen?: boolean } = {}) {
    super();
    this.#stack = stack;
    this.#allowHalfOpen = options.allowHalfOpen ?? false;
  }

  get listening(): boolean {
    return this.#socket !== null;
  }

  /** Throws the error of bind(2) or listen(2). */
  listen(options: ListenOptions, onListening?: () => void): this {
    if (this.#socket !== null) throw new Error('Cannot listen: the server listens already');
    const address = IpAddress.parse(options.host ?? '::');
    const socket = new TcpSocket(this.#stack, !address.isIpv4);
    socket.options.reusesAddress = true;
    const bound = socket.bind(address, options.port);
    const result = bound !== 0 ? bound : socket.listen(options.backlog ?? BACKLOG);
    if (result !== 0) {
      socket.close();
      throw systemError(result, 'listen');
    }
    this.#socket = socket;
    socket.waiters.add(this.#entry, POLLIN);
    if (onListening !== undefined) this.once('listening', onListening);
    queueMicrotask(() => this.emit('listening'));
    return this;
  }

  /** Where it listens, or null. */
  address(): { address: string; port: number; family: 'IPv4' | 'IPv6' } | null {
    if (this.#socket === null) return null;
    const name = new SocketAddress();
    this.#socket.getSocketName(name);
    return { address: name.address.toString(), port: name.port, family: name.address.isIpv4 ? 'IPv4' : 'IPv6' };
  }

  /** Stops listening; connections go on. */
  close(onClose?: () => void): this {
    if (onClose !== undefined) this.once('close', onClose);
    this.#entry.leave();
    this.#socket?.close();
    this.#socket = null;
    queueMicrotask(() => this.emit('close'));
    return this;
  }

  #accept(): void {
    while (this.#socket !== null) {
      const socket = this.#socket.accept();
      if (typeof socket === 'number') return;
      this.emit('connection', new TcpStream(socket, { allowHalfOpen: this.#allowHalfOpen }));
    }
  }
}

/** A server of a stack, as `net.createServer`. */
export function createServer(stack: Stack, onConnection?: (stream: TcpStream) => void): Server {
  const server = new Server(stack);
  if (onConnection !== undefined) server.on('connection', onConnection);
  return server;
}
