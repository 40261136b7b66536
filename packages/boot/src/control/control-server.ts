import { accept4, close, listen, LENGTH_COUNT } from '@tsv/host';
import { EAGAIN, EINTR, ECONNABORTED, POLLIN, SOCK_CLOEXEC, SOCK_NONBLOCK, errnoText } from '@tsv/abi';
import type { HostFdListener, HostFdWatcher } from '@tsv/gofer';
import * as v from 'valibot';
import { SandboxError } from '../sandbox-error.js';
import { FrameSocket, type FrameListener } from './frame-socket.js';
import {
  METHODS,
  PROTOCOL_VERSION,
  firstIssue,
  isMethodName,
  requestSchema,
  type MethodHandlers,
  type MethodName,
} from './methods.js';

/** Clients at once; more wait in the socket's backlog. */
const CONNECTIONS_MAX = 128;
/** Calls of one client that are not answered yet. */
const CALLS_MAX = 256;
const BACKLOG = 128;

/**
 * Answers calls over a Unix socket: JSON with descriptors, `{id, protocol, method, params}` and `{id, result}` or `{id, error}`.
 * Calls of all clients go on at once; a client that does not read its answers is cut off.
 */
export class ControlServer implements HostFdListener {
  readonly #fd: number;
  readonly #watcher: HostFdWatcher;
  readonly #handlers: MethodHandlers;
  readonly #connections = new Map<number, ServerConnection>();
  readonly #onClosed: (connection: number) => void;
  #lastConnection = 0;

  /** `fd` is a bound socket, which is taken over, or -1. `onClosed` hears of each connection that has ended. */
  constructor(fd: number, watcher: HostFdWatcher, handlers: MethodHandlers, onClosed: (connection: number) => void) {
    this.#fd = fd;
    this.#watcher = watcher;
    this.#handlers = handlers;
    this.#onClosed = onClosed;
    if (fd < 0) return;
    const error = listen(fd, BACKLOG);
    if (error < 0) throw new SandboxError(`Cannot listen for control connections: ${errnoText(-error)}`);
    watcher.add(fd, this);
    watcher.watchOnce(fd, POLLIN);
  }

  /** Serves a client that is connected already. Returns the connection's number. Takes `fd` over. */
  serve(fd: number): number {
    const number = ++this.#lastConnection;
    const connection = new ServerConnection(number, fd, this.#watcher, this.#handlers, () => {
      this.#connections.delete(number);
      this.#watchListener();
      this.#onClosed(number);
    });
    this.#connections.set(number, connection);
    return number;
  }

  hostFdReady(): void {
    while (this.#connections.size < CONNECTIONS_MAX) {
      const lengths = new Int32Array(LENGTH_COUNT);
      const fd = accept4(this.#fd, new Uint8Array(0), lengths, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd >= 0) this.serve(fd);
      else if (fd === -EAGAIN) break;
      else if (fd !== -EINTR && fd !== -ECONNABORTED) return; // No descriptors: when a connection ends, it goes on.
    }
    this.#watchListener();
  }

  /** Whether every answer has been handed to the host. */
  get isDrained(): boolean {
    return [...this.#connections.values()].every((connection) => connection.isDrained);
  }

  close(): void {
    for (const connection of this.#connections.values()) connection.close();
    this.#connections.clear();
    if (this.#fd < 0) return;
    this.#watcher.remove(this.#fd);
    close(this.#fd);
  }

  #watchListener(): void {
    if (this.#fd >= 0 && this.#connections.size < CONNECTIONS_MAX) this.#watcher.watchOnce(this.#fd, POLLIN);
  }
}

class ServerConnection implements FrameListener {
  readonly #number: number;
  readonly #socket: FrameSocket;
  readonly #handlers: MethodHandlers;
  readonly #onClosed: () => void;
  #callCount = 0;

  constructor(number: number, fd: number, watcher: HostFdWatcher, handlers: MethodHandlers, onClosed: () => void) {
    this.#number = number;
    this.#handlers = handlers;
    this.#onClosed = onClosed;
    this.#socket = new FrameSocket(fd, watcher, this);
  }

  get isDrained(): boolean {
    return this.#socket.isDrained;
  }

  close(): void {
    this.#socket.close();
  }

  frame(text: string, fds: number[]): void {
    const request = v.safeParse(v.pipe(v.string(), v.parseJson(), requestSchema), text);
    if (!request.success) {
      closeAll(fds);
      this.close();
      this.closed('a message is not a call');
      return;
    }
    const { id, protocol, method, params } = request.output;
    if (this.#callCount >= CALLS_MAX) {
      closeAll(fds);
      this.#fail(id, new SandboxError('Cannot take the call: too many wait for their answers'));
      return;
    }
    if (protocol !== PROTOCOL_VERSION) {
      closeAll(fds);
      this.#fail(id, otherProtocol(method, protocol));
      return;
    }
    this.#callCount++;
    void this.#call(id, method, params, fds).finally(() => this.#callCount--);
  }

  closed(_reason: string | null): void {
    this.#onClosed();
  }

  async #call(id: number, name: string, params: unknown, fds: number[]): Promise<void> {
    try {
      const result = await this.#run(name, params, fds);
      this.#socket.send(JSON.stringify({ id, result }));
    } catch (error) {
      this.#fail(id, error);
    }
  }

  async #run(name: string, params: unknown, fds: number[]): Promise<unknown> {
    const handler = isMethodName(name) ? this.#handlers[name] : undefined;
    if (handler === undefined) {
      closeAll(fds);
      throw new SandboxError(`Cannot call "${name}": there is no such method`);
    }
    const { params: paramsSchema, result: resultSchema } = METHODS[name as MethodName];
    const parsed = v.safeParse(paramsSchema, params);
    if (!parsed.success) {
      closeAll(fds);
      throw new SandboxError(`Cannot call "${name}": ${firstIssue(parsed.issues)}`);
    }
    const answer = handler as (params: unknown, fds: readonly number[], connection: number) => unknown;
    return v.parse(resultSchema, await answer(parsed.output, fds, this.#number));
  }

  #fail(id: number, error: unknown): void {
    const isExpected = error instanceof SandboxError || (error as Error).name === 'ConfigError';
    const message = isExpected ? (error as Error).message : ((error as Error).stack ?? String(error));
    const exitStatus = error instanceof SandboxError ? error.exitStatus : 128;
    this.#socket.send(JSON.stringify({ id, error: { message, exitStatus } }));
  }
}

function otherProtocol(method: string, protocol: number): SandboxError {
  const versions = `the sandbox has version ${PROTOCOL_VERSION} of the control protocol, this command version ${protocol}`;
  const remedy = 'use the tsv that started it, or remove it with "tsv delete --force"';
  return new SandboxError(`Cannot call "${method}": ${versions}; ${remedy}`);
}

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) close(fd);
}
