import { EAGAIN, EPERM, POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, SHUT_WR } from '@tsv/abi';
import { WaitEntry } from '@tsv/waiter';
import type { TcpSocket } from '../socket/tcp-socket.js';
import { type HttpGuard, MUST_END, MUST_WAIT } from './http-guard.js';

const CHUNK_BYTES = 32_768;
const ALL_EVENTS = POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP;

/** One direction of a splice: what was read and not yet sent, and whether the end has come. */
interface Direction {
  readonly from: TcpSocket;
  readonly to: TcpSocket;
  chunk: Uint8Array | null;
  at: number;
  end: number;
  isOver: boolean;
}

class SpliceEntry extends WaitEntry {
  readonly #splice: Splice;

  constructor(splice: Splice) {
    super();
    this.#splice = splice;
  }

  notified(): void {
    this.#splice.pump();
  }
}

/** Moves bytes between two connections in both directions until both have ended; then both are closed. */
export class Splice {
  readonly #directions: readonly [Direction, Direction];
  readonly #entries: readonly [SpliceEntry, SpliceEntry];
  readonly #onClose: () => void;
  readonly #guard: HttpGuard | null;
  #isPumping = false;
  #mustPumpAgain = false;
  #isClosed = false;

  /** Takes both sockets, which are connected. `guard` says what of `a` may go on. */
  constructor(a: TcpSocket, b: TcpSocket, onClose: () => void, guard: HttpGuard | null = null) {
    const direction = (from: TcpSocket, to: TcpSocket): Direction => ({
      from,
      to,
      chunk: null,
      at: 0,
      end: 0,
      isOver: false,
    });
    this.#directions = [direction(a, b), direction(b, a)];
    this.#entries = [new SpliceEntry(this), new SpliceEntry(this)];
    this.#onClose = onClose;
    this.#guard = guard;
    a.waiters.add(this.#entries[0], ALL_EVENTS);
    b.waiters.add(this.#entries[1], ALL_EVENTS);
    this.pump();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Moves what can be moved. What it does may tell it of more: it is not run inside itself. */
  pump(): void {
    this.#mustPumpAgain = true;
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (this.#mustPumpAgain && !this.#isClosed) {
      this.#mustPumpAgain = false;
      const isSound = this.#directions.every((direction) => this.#move(direction));
      if (!isSound) this.abort();
      else if (this.#directions.every(({ isOver }) => isOver)) this.#close();
    }
    this.#isPumping = false;
  }

  /** Resets both connections. */
  abort(): void {
    for (const { from } of this.#directions) from.lingerSec = 0;
    this.#close();
  }

  #move(direction: Direction): boolean {
    const { to } = direction;
    while (!direction.isOver) {
      if (direction.at === direction.end) {
        direction.chunk ??= new Uint8Array(CHUNK_BYTES);
        const count = this.#receive(direction, direction.chunk);
        if (count === -EAGAIN) {
          // An idle direction holds no memory.
          direction.chunk = null;
          return true;
        }
        if (count < 0) return false;
        direction.at = 0;
        direction.end = count;
        direction.isOver = count === 0;
        if (direction.isOver) {
          direction.chunk = null;
          to.shutdown(SHUT_WR);
          return true;
        }
      }
      const sent = to.send(direction.chunk!, direction.at, direction.end - direction.at);
      if (sent === -EAGAIN) return true;
      if (sent < 0) return false;
      direction.at += sent;
    }
    return true;
  }

  /** As {@link TcpSocket.receive}; what the guard holds back has not come yet. */
  #receive(direction: Direction, chunk: Uint8Array): number {
    const { from } = direction;
    const guard = this.#guard;
    if (guard === null) return from.receive(chunk, 0, CHUNK_BYTES);
    if (direction !== this.#directions[0]) {
      const count = from.receive(chunk, 0, CHUNK_BYTES);
      if (count > 0 && guard.answered(chunk, count)) this.#mustPumpAgain = true;
      return count;
    }
    const limit = guard.mayPass(from);
    if (limit === MUST_WAIT) return -EAGAIN;
    if (limit === MUST_END) return -EPERM;
    const count = from.receive(chunk, 0, Math.min(CHUNK_BYTES, limit));
    if (count > 0) guard.passed(count);
    return count;
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const entry of this.#entries) entry.leave();
    for (const { from } of this.#directions) from.close();
    this.#onClose();
  }
}
