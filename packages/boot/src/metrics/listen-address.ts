import { isIP } from 'node:net';
import { SandboxError } from '../sandbox-error.js';

/** Where a server of ours listens: a Unix socket, or a port of the loopback device. */
export type ListenAddress = { readonly path: string } | { readonly host: string; readonly port: number };

const PORT_MAX = 65_535;

/**
 * The address that `text` names: a path with a slash, `PORT`, or `HOST:PORT` with a loopback host. Whoever reaches it may
 * ask, so that no other addresses are taken. Throws {@link SandboxError}.
 */
export function parseListenAddress(text: string): ListenAddress {
  if (text.includes('/')) return { path: text };
  const [, host = '127.0.0.1', port] = /^(?:\[?([^\]]*)\]?:)?(\d+)$/.exec(text) ?? [];
  if (port === undefined || Number(port) > PORT_MAX) {
    throw new SandboxError(`Cannot listen at "${text}": it is neither a path nor [HOST:]PORT`);
  }
  if (!isLoopback(host)) throw new SandboxError(`Cannot listen at "${text}": it is not an address of this host alone`);
  return { host, port: Number(port) };
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
