import { close, connect, openat2, socket } from '@tsv/host';
import {
  AF_UNIX,
  AT_FDCWD,
  ECONNREFUSED,
  ENOENT,
  ENOTDIR,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  SOCK_CLOEXEC,
  SOCK_STREAM,
  errnoText,
} from '@tsv/abi';
import { HostFdWatcher } from '@tsv/gofer/host-fd-watcher';
import * as v from 'valibot';
import { dirname, basename } from 'node:path';
import { toByteString } from '../byte-string.js';
import { SandboxError } from '../sandbox-error.js';
import { FrameSocket, type FrameListener } from './frame-socket.js';
import {
  METHODS,
  PROTOCOL_VERSION,
  firstIssue,
  responseSchema,
  type MethodName,
  type MethodParams,
  type MethodResult,
} from './methods.js';

interface PendingCall {
  readonly method: MethodName;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A client of a sandbox's control server. Keeps the event loop alive until it is closed. */
export class ControlClient implements FrameListener {
  readonly #watcher = new HostFdWatcher();
  readonly #socket: FrameSocket;
  readonly #calls = new Map<number, PendingCall>();
  #lastId = 0;
  #reason: string | null = null;

  /** Talks over a connected socket, which is taken over. */
  constructor(fd: number) {
    this.#socket = new FrameSocket(fd, this.#watcher, this);
  }

  /** Connects to the server that listens at `path`. Throws {@link SandboxError} when there is none. */
  static connect(path: string): ControlClient {
    const fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) throw new SandboxError(`Cannot make a control connection: ${errnoText(-fd)}`);
    const error = withShortPath(path, (address) => connect(fd, address));
    if (error === 0) return new ControlClient(fd);
    close(fd);
    const isGone = [ECONNREFUSED, ENOENT, ENOTDIR].includes(-error);
    throw new SandboxError(`Cannot reach the sandbox: ${isGone ? 'container not running' : errnoText(-error)}`);
  }

  /** Calls a method; copies of `fds` go along. Throws {@link SandboxError} with what the sandbox says. */
  async call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    fds: readonly number[] = [],
  ): Promise<MethodResult<M>> {
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      if (this.#reason !== null) {
        reject(this.#lostError());
        return;
      }
      this.#calls.set(id, { method, resolve: resolve as (result: unknown) => void, reject });
      this.#socket.send(JSON.stringify({ id, protocol: PROTOCOL_VERSION, method, params }), fds);
    });
  }

  /** The same, and gives up the connection when there is no answer within `limitMs`. */
  async callWithin<M extends MethodName>(
    limitMs: number,
    method: M,
    params: MethodParams<M>,
    fds: readonly number[] = [],
  ): Promise<MethodResult<M>> {
    const bound = setTimeout(() => {
      this.closed(`it has not answered within ${limitMs / 1000} seconds`);
    }, limitMs);
    try {
      return await this.call(method, params, fds);
    } finally {
      clearTimeout(bound);
    }
  }

  close(): void {
    this.#socket.close();
    this.#watcher.close();
    this.#reason ??= 'the connection was closed';
    for (const call of this.#calls.values()) call.reject(this.#lostError());
    this.#calls.clear();
  }

  frame(text: string, fds: number[]): void {
    for (const fd of fds) close(fd);
    const response = v.safeParse(v.pipe(v.string(), v.parseJson(), responseSchema), text);
    if (!response.success) {
      this.closed('its answer is not in the right form');
      return;
    }
    const { id, result, error } = response.output;
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    if (error !== undefined) {
      call.reject(new SandboxError(error.message, error.exitStatus));
      return;
    }
    const parsed = v.safeParse(METHODS[call.method].result, result);
    if (parsed.success) call.resolve(parsed.output);
    else call.reject(new SandboxError(`Cannot use the answer of "${call.method}": ${firstIssue(parsed.issues)}`));
  }

  closed(reason: string | null): void {
    this.#reason = reason ?? 'it has ended';
    this.close();
  }

  #lostError(): SandboxError {
    return new SandboxError(`Cannot talk to the sandbox: ${this.#reason ?? 'it has ended'}`);
  }
}

/**
 * Calls `body` with an AF_UNIX address for `path`, unix(7): through a descriptor of its directory, since an address has
 * room for 107 bytes only and a path may be longer. Returns what `body` returns, or a negated errno.
 */
export function withShortPath(path: string, body: (address: Uint8Array) => number): number {
  const dir = openat2(AT_FDCWD, toByteString(dirname(path)), O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0);
  if (dir < 0) return dir;
  const name = Buffer.from(`/proc/self/fd/${dir}/${basename(path)}\0`);
  const address = Buffer.alloc(2 + name.length);
  address.writeUInt16LE(AF_UNIX, 0);
  name.copy(address, 2);
  const result = body(address);
  close(dir);
  return result;
}
