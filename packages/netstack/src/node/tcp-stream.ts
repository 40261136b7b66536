/// <reference types="node" />
import { Duplex } from 'node:stream';
import { getSystemErrorName } from 'node:util';
import { EAGAIN, EINPROGRESS, EISCONN, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, SHUT_WR } from '@tsv/abi';
import { SocketAddress } from '../socket/socket-address.js';
import type { TcpSocket } from '../socket/tcp-socket.js';
import { TcpState } from '../tcp/tcp-state.js';
import { ReadyEntry } from './ready-entry.js';

/** What text is read into: one buffer for all streams, of which each takes as much as it reads. */
const SLAB_BYTES = 65_536;
/** Of what is left of a buffer, the least that is read into. */
const SLAB_BYTES_MIN = 8_192;
let slab: Uint8Array = new Uint8Array(0);
const ALL_EVENTS = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP;

/** An Error as Node's own: `code` is the name of the errno, which is negative. */
export function systemError(errno: number, attempt: string): NodeJS.ErrnoException {
  const code = getSystemErrorName(errno);
  return Object.assign(new Error(`Cannot ${attempt}: ${code}`), { errno, code, syscall: attempt });
}

/** A TCP socket of a stack as a stream, shaped like `net.Socket`. Emits `connect`. */
export class TcpStream extends Duplex {
  readonly socket: TcpSocket;
  #isConnecting: boolean;
  #wantsRead = false;
  #chunk: Uint8Array | null = null;
  #chunkAt = 0;
  #onWritten: ((error?: Error | null) => void) | null = null;
  readonly #entry = new ReadyEntry(() => this.#pump());
  bytesRead = 0;
  bytesWritten = 0;

  /** `socket` is connected or connecting, and the stream's from now on. */
  constructor(socket: TcpSocket, options: { readonly allowHalfOpen?: boolean } = {}) {
    super({ allowHalfOpen: options.allowHalfOpen ?? false, emitClose: true });
    this.socket = socket;
    this.#isConnecting = true;
    socket.waiters.add(this.#entry, ALL_EVENTS);
    this.#entry.notified();
  }

  get connecting(): boolean {
    return this.#isConnecting;
  }

  get remoteAddress(): string | undefined {
    const name = new SocketAddress();
    return this.socket.getPeerName(name) === 0 ? name.address.toString() : undefined;
  }

  get remotePort(): number | undefined {
    const name = new SocketAddress();
    return this.socket.getPeerName(name) === 0 ? name.port : undefined;
  }

  get localAddress(): string {
    return this.socket.localAddress.toString();
  }

  get localPort(): number {
    return this.socket.localPort;
  }

  override _read(): void {
    this.#wantsRead = true;
    this.#pump();
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#chunk = chunk;
    this.#chunkAt = 0;
    this.#onWritten = callback;
    this.#pump();
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#isConnecting) {
      this.once('connect', () => this._final(callback));
      return;
    }
    this.socket.shutdown(SHUT_WR);
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#entry.leave();
    if (error !== null) this.socket.lingerSec = 0;
    this.socket.close();
    callback(error);
  }

  #pump(): void {
    if (this.destroyed) return;
    if (this.#isConnecting && !this.#finishConnecting()) return;
    this.#writeSome();
    this.#readSome();
  }

  #finishConnecting(): boolean {
    const { state } = this.socket;
    if (state === TcpState.SYN_SENT || state === TcpState.SYN_RECV) return false;
    const error = this.socket.takeError();
    if (error !== 0) {
      this.destroy(systemError(error, 'connect'));
      return false;
    }
    this.#isConnecting = false;
    this.emit('connect');
    return !this.destroyed;
  }

  #writeSome(): void {
    while (this.#chunk !== null) {
      const chunk = this.#chunk;
      const sent = this.socket.send(chunk, this.#chunkAt, chunk.length - this.#chunkAt);
      if (sent === -EAGAIN) return;
      if (sent >= 0) {
        this.bytesWritten += sent;
        this.#chunkAt += sent;
        if (this.#chunkAt < chunk.length) continue;
      }
      const done = this.#onWritten!;
      this.#chunk = null;
      this.#onWritten = null;
      done(sent < 0 ? systemError(sent, 'write') : null);
    }
  }

  #readSome(): void {
    while (this.#wantsRead && !this.destroyed) {
      if (slab.length < SLAB_BYTES_MIN) slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      const text = slab;
      const count = this.socket.receive(text, 0, text.length);
      if (count === -EAGAIN) return;
      if (count < 0) {
        this.destroy(systemError(count, 'read'));
        return;
      }
      this.bytesRead += count;
      slab = text.subarray(count);
      this.#wantsRead = count > 0 && this.push(text.subarray(0, count));
      if (count === 0) this.push(null);
    }
  }
}

/** Whether a connect that returned `result` goes on or is done. */
export function isUnderWay(result: number): boolean {
  return result === 0 || result === -EINPROGRESS || result === -EISCONN;
}

/** A connection as a stream; either side may end first. */
export function streamOf(socket: TcpSocket): TcpStream {
  return new TcpStream(socket, { allowHalfOpen: true });
}
