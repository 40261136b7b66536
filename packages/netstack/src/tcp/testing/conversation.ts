import { TcpEndpoint } from '../tcp-endpoint.js';
import type { TcpListener } from '../tcp-listener.js';
import type { TcpOptions } from '../tcp-options.js';
import { TcpState } from '../tcp-state.js';
import type { SeededRandom } from './random.js';
import type { VirtualNetwork } from './virtual-network.js';

const PIECE_BYTES_MAX = 70_000;

/** A client and a server that send each other a pattern of bytes, each as many as it is told, and shut down. */
export class Conversation {
  readonly client: Talker;
  server: Talker | null = null;
  readonly #listener: TcpListener;
  readonly #downBytes: number;
  readonly #random: SeededRandom;

  constructor(network: VirtualNetwork, upBytes: number, downBytes: number, random: SeededRandom, options?: TcpOptions) {
    this.#listener = network.server.listen();
    this.#downBytes = downBytes;
    this.#random = random;
    this.client = new Talker(
      network.client.connect(network.server, 40_000, options),
      upBytes,
      UP_SEED,
      DOWN_SEED,
      random,
    );
  }

  /** Both applications do what they can. */
  talk(): void {
    if (this.server === null) {
      const accepted = this.#listener.accept();
      if (accepted instanceof TcpEndpoint) {
        this.server = new Talker(accepted, this.#downBytes, DOWN_SEED, UP_SEED, this.#random);
      }
    }
    this.client.talk();
    this.server?.talk();
  }

  /** Both have read all. */
  get isOver(): boolean {
    return this.client.isEnded && this.server !== null && this.server.isEnded;
  }

  /** One of them got an error, or never met the other. */
  get isBroken(): boolean {
    return this.client.error !== 0 || this.server === null || this.server.error !== 0;
  }

  /** Bytes that went up and down. */
  get received(): [number, number] {
    return [this.server?.receivedCount ?? -1, this.client.receivedCount];
  }

  close(): void {
    this.client.endpoint.close();
    this.server?.endpoint.close();
  }
}

const UP_SEED = 1;
const DOWN_SEED = 2;

/** Byte number `index` of the pattern: tells its place. */
function patternByte(index: number, seed: number): number {
  return (Math.imul(index ^ (index >>> 8) ^ seed, 0x9e3779b1) >>> 24) & 0xff;
}

/** Sends and receives a pattern over an endpoint as far as it goes now, in pieces of random size. */
export class Talker {
  readonly endpoint: TcpEndpoint;
  sentCount = 0;
  receivedCount = 0;
  isEnded = false;
  error = 0;
  #isShut = false;
  readonly #toSend: number;
  readonly #sendSeed: number;
  readonly #receiveSeed: number;
  readonly #random: SeededRandom;
  readonly #piece = new Uint8Array(PIECE_BYTES_MAX);

  constructor(endpoint: TcpEndpoint, toSend: number, sendSeed: number, receiveSeed: number, random: SeededRandom) {
    this.endpoint = endpoint;
    this.#toSend = toSend;
    this.#sendSeed = sendSeed;
    this.#receiveSeed = receiveSeed;
    this.#random = random;
  }

  talk(): void {
    while (this.sentCount < this.#toSend && this.#sendPiece());
    if (this.sentCount === this.#toSend && !this.#isShut) this.#shutDown();
    while (!this.isEnded && this.#receivePiece());
  }

  #shutDown(): void {
    const { state } = this.endpoint;
    if (state !== TcpState.ESTABLISHED && state !== TcpState.CLOSE_WAIT) return;
    this.#isShut = true;
    this.endpoint.shutdownWrite();
  }

  #sendPiece(): boolean {
    const wanted = 1 + this.#random.below(this.#random.pick([10, 2000, 60_000]));
    const len = Math.min(this.#toSend - this.sentCount, wanted, Math.max(this.endpoint.sender.freeBytes, 1));
    for (let i = 0; i < len; i++) this.#piece[i] = patternByte(this.sentCount + i, this.#sendSeed);
    const count = this.endpoint.send(this.#piece, 0, len);
    if (count > 0) this.sentCount += count;
    return count > 0;
  }

  #receivePiece(): boolean {
    const count = this.endpoint.recv(this.#piece, 0, 1 + this.#random.below(PIECE_BYTES_MAX - 1));
    if (count === 0) this.isEnded = true;
    if (count < -1) this.error = count;
    for (let i = 0; i < count; i++) {
      if (this.#piece[i] !== patternByte(this.receivedCount + i, this.#receiveSeed)) {
        throw new Error(`byte ${this.receivedCount + i} is wrong`);
      }
    }
    if (count > 0) this.receivedCount += count;
    return count > 0;
  }
}
