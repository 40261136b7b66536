import { close, fcntl, recvFds, sendFds } from '@tsv/host';
import { EAGAIN, ECONNRESET, F_DUPFD_CLOEXEC, MSG_DONTWAIT, MSG_NOSIGNAL, POLLIN, POLLOUT, errnoText } from '@tsv/abi';
import type { HostFdListener, HostFdWatcher } from '@tsv/gofer';

/** Length of the text, and number of descriptors, as little-endian 32-bit numbers. */
const HEADER_BYTES = 8;
/** The longest text: a config.json with a large environment fits. */
export const FRAME_BYTES_MAX = 16 * 1024 * 1024;
/** Descriptors with one frame: SCM_MAX_FD of unix(7). */
export const FRAME_FDS_MAX = 253;
/** Bytes that wait for a peer that does not read. */
export const QUEUE_BYTES_MAX = 32 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;
const NO_FDS = new Int32Array(0);

/** Who hears what comes in. */
export interface FrameListener {
  /** A whole frame. The descriptors are the listener's now. */
  frame(text: string, fds: number[]): void;
  /** No more will come; `reason` is null when the peer has just gone. */
  closed(reason: string | null): void;
}

interface Outgoing {
  readonly bytes: Uint8Array;
  at: number;
  /** Sent with the first byte. */
  fds: Int32Array;
}

/** Frames of text with descriptors over a stream socket, unix(7). Sending never waits: what does not fit is kept. */
export class FrameSocket implements HostFdListener {
  readonly #fd: number;
  readonly #watcher: HostFdWatcher;
  readonly #listener: FrameListener;
  readonly #chunk = new Uint8Array(CHUNK_BYTES);
  readonly #chunkFds = new Int32Array(FRAME_FDS_MAX);
  #input = Buffer.alloc(0);
  #inputFds: number[] = [];
  #output: Outgoing[] = [];
  #outputBytes = 0;
  #isClosed = false;

  /** Takes `fd` over. */
  constructor(fd: number, watcher: HostFdWatcher, listener: FrameListener) {
    this.#fd = fd;
    this.#watcher = watcher;
    this.#listener = listener;
    watcher.add(fd, this);
    watcher.watchOnce(fd, POLLIN);
  }

  /** Sends a frame with copies of `fds`. A peer that has fallen behind too far is cut off. */
  send(text: string, fds: readonly number[] = []): void {
    if (this.#isClosed) return;
    const payload = Buffer.from(text, 'utf8');
    if (payload.length > FRAME_BYTES_MAX || fds.length > FRAME_FDS_MAX) {
      throw new RangeError(`Cannot send a frame of ${payload.length} bytes and ${fds.length} descriptors: too large`);
    }
    const bytes = Buffer.alloc(HEADER_BYTES + payload.length);
    bytes.writeUInt32LE(payload.length, 0);
    bytes.writeUInt32LE(fds.length, 4);
    payload.copy(bytes, HEADER_BYTES);
    const copies = Int32Array.from(fds, (fd) => fcntl(fd, F_DUPFD_CLOEXEC, 0));
    this.#output.push({ bytes, at: 0, fds: copies });
    this.#outputBytes += bytes.length;
    this.#flush();
    if (this.#outputBytes > QUEUE_BYTES_MAX) this.#end('it does not read its answers');
  }

  /** Whether everything has been handed to the host. */
  get isDrained(): boolean {
    return this.#output.length === 0;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#watcher.remove(this.#fd);
    for (const fd of this.#inputFds) close(fd);
    for (const { fds } of this.#output) for (const fd of fds) close(fd);
    this.#inputFds = [];
    this.#output = [];
    close(this.#fd);
  }

  hostFdReady(events: number): void {
    if ((events & POLLOUT) !== 0) this.#flush();
    if ((events & ~POLLOUT) !== 0) this.#receive();
    if (!this.#isClosed) this.#watcher.watchOnce(this.#fd, POLLIN | (this.isDrained ? 0 : POLLOUT));
  }

  #receive(): void {
    const len = recvFds(this.#fd, this.#chunk, 0, CHUNK_BYTES, this.#chunkFds, MSG_DONTWAIT);
    if (len === -EAGAIN) return;
    for (const fd of this.#chunkFds) if (len >= 0 && fd >= 0) this.#inputFds.push(fd);
    // ECONNRESET: the other end went before it had read all, unix(7).
    if (len === 0 || len === -ECONNRESET) {
      return this.#end(this.#input.length === 0 ? null : 'the connection ended within a message');
    }
    if (len < 0) return this.#end(errnoText(-len));
    this.#input = Buffer.concat([this.#input, this.#chunk.subarray(0, len)]);
    this.#takeFrames();
  }

  #takeFrames(): void {
    while (!this.#isClosed && this.#input.length >= HEADER_BYTES) {
      const len = this.#input.readUInt32LE(0);
      const fdCount = this.#input.readUInt32LE(4);
      if (len > FRAME_BYTES_MAX || fdCount > FRAME_FDS_MAX) return this.#end('a message is too large');
      if (this.#input.length < HEADER_BYTES + len) {
        if (this.#inputFds.length > 2 * FRAME_FDS_MAX) this.#end('it sends too many descriptors');
        return;
      }
      if (this.#inputFds.length < fdCount) return this.#end('descriptors of a message are missing');
      const text = this.#input.toString('utf8', HEADER_BYTES, HEADER_BYTES + len);
      this.#input = this.#input.subarray(HEADER_BYTES + len);
      this.#listener.frame(text, this.#inputFds.splice(0, fdCount));
    }
  }

  #flush(): void {
    while (this.#output.length > 0) {
      const frame = this.#output[0]!;
      const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
      const n = sendFds(this.#fd, frame.bytes, frame.at, frame.bytes.length - frame.at, frame.fds, flags);
      if (n === -EAGAIN) {
        this.#watcher.watchOnce(this.#fd, POLLIN | POLLOUT);
        return;
      }
      if (n < 0) return this.#end(errnoText(-n));
      for (const fd of frame.fds) close(fd);
      frame.fds = NO_FDS;
      frame.at += n;
      this.#outputBytes -= n;
      if (frame.at === frame.bytes.length) this.#output.shift();
    }
  }

  #end(reason: string | null): void {
    if (this.#isClosed) return;
    this.close();
    this.#listener.closed(reason);
  }
}
