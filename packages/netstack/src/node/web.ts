/// <reference types="node" />
import { once } from 'node:events';
import { Duplex } from 'node:stream';
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';
import type { Stack } from '../stack.js';
import { IpAddress } from '../wire/ip-address.js';
import { connect } from './net.js';
import type { TcpStream } from './tcp-stream.js';

/** A connection as a pair of web streams, shaped as WinterTC's Sockets API has it. */
export interface WebSocketPair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  /** The TCP stream beneath. */
  readonly stream: TcpStream;
  /** Fulfilled when the connection is over; rejected with the error that ended it. */
  readonly closed: Promise<void>;
}

/** Connects through a stack; fulfilled when the connection is made, rejected with its error. */
export async function connectWeb(
  stack: Stack,
  options: { readonly host: string; readonly port: number },
): Promise<WebSocketPair> {
  const stream = connect(stack, { ...options, allowHalfOpen: true });
  await once(stream, 'connect');
  return toWeb(stream);
}

/** The web streams of a connection, which is theirs from now on. */
export function toWeb(stream: TcpStream): WebSocketPair {
  const closed = new Promise<void>((resolve, reject) => {
    stream.once('close', resolve);
    stream.once('error', reject);
  });
  // Who does not ask shall not be told by a warning.
  closed.catch(() => undefined);
  const pair = Duplex.toWeb(stream) as Pick<WebSocketPair, 'readable' | 'writable'>;
  return { readable: pair.readable, writable: pair.writable, stream, closed };
}

/** Finds the addresses of a name; dns.promises.lookup of the host by default. */
export type Resolver = (hostname: string) => Promise<readonly string[]>;

export interface ConnectorOptions {
  readonly resolve?: Resolver;
  /** Options for TLS connections: certificates and so on. */
  readonly tls?: ConnectionOptions;
}

/** What undici asks a connector for. */
interface ConnectorRequest {
  readonly hostname: string;
  readonly protocol: string;
  readonly port: string;
  readonly servername?: string | null;
}

type ConnectorCallback = (error: Error | null, socket: Duplex | null) => void;

/**
 * A connector for undici, whose agents make `fetch` go through a stack:
 * `fetch(url, { dispatcher: new Agent({ connect: undiciConnector(stack) }) })`.
 */
export function undiciConnector(
  stack: Stack,
  options: ConnectorOptions = {},
): (request: ConnectorRequest, callback: ConnectorCallback) => void {
  const resolve = options.resolve ?? resolveOnHost;
  return (request, callback) => {
    open(stack, request, resolve, options.tls ?? {}).then(
      (socket) => callback(null, socket),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), null),
    );
  };
}

async function open(
  stack: Stack,
  { hostname, protocol, port, servername }: ConnectorRequest,
  resolve: Resolver,
  tlsOptions: ConnectionOptions,
): Promise<Duplex> {
  const isTls = protocol === 'https:';
  const literal = hostname.replace(/^\[|\]$/g, '');
  const isAddress = IpAddress.tryParse(literal) !== undefined;
  const addresses = isAddress ? [literal] : await resolve(hostname);
  let failure: unknown = new Error(`Cannot connect to ${hostname}: it has no address`);
  for (const host of addresses) {
    const stream = connect(stack, {
      host,
      port: port === '' ? (isTls ? 443 : 80) : Number(port),
      allowHalfOpen: false,
    });
    try {
      await once(stream, 'connect');
      if (!isTls) return stream;
      const name = servername ?? (isAddress ? undefined : hostname);
      const secured = connectTls({
        ...tlsOptions,
        socket: stream,
        ...(name === undefined ? {} : { servername: name }),
      });
      await once(secured, 'secureConnect');
      return secured;
    } catch (error) {
      failure = error;
      stream.destroy();
    }
  }
  throw failure;
}

async function resolveOnHost(hostname: string): Promise<string[]> {
  const { lookup } = await import('node:dns/promises');
  return (await lookup(hostname, { all: true })).map(({ address }) => address);
}
